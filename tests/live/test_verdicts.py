"""Thresholds, and what cannot be known."""

import numpy as np
import pytest
from synthetic_scan import SyntheticScan

from voltomo.live.live_slice import LiveSlice
from voltomo.live.settings import LiveSettings
from voltomo.live.verdicts import Judge


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> SyntheticScan:
    return SyntheticScan(tmp_path_factory.mktemp("scan"))


def judged(live: LiveSlice, lost: int = 0, **settings) -> dict:
    verdicts = Judge(LiveSettings(**settings)).verdicts(live, live.state(), lost, 5.0)
    assert [v.sequence for v in verdicts] == [0, 1, 2]
    assert {v.scan_uid for v in verdicts} == {live.scan_uid}
    return {v.metric: v for v in verdicts}


def scanned(scan: SyntheticScan, views: int = 90) -> LiveSlice:
    live = LiveSlice(scan.uid, scan.spec)
    last = scan.block("sweep_0").first + views
    live.latch(scan.chunk(0, last))
    for index in range(last):
        live.use(index, scan.images[index])
    return live


def test_at_the_start_nothing_is_known_and_unknown_is_not_good(scan) -> None:
    verdicts = judged(LiveSlice(scan.uid, scan.spec))
    assert set(verdicts) == {"lost_frames", "mean_transmission", "snr"}
    for verdict in verdicts.values():
        assert (verdict.judgement, verdict.value, verdict.low) == ("unknown", None, None)
        assert not verdict.good


def test_a_good_scan_is_good(scan) -> None:
    verdicts = judged(scanned(scan))
    assert all(verdict.good for verdict in verdicts.values())
    for verdict in verdicts.values():
        assert verdict.value is not None
        assert (verdict.frames, verdict.last_trigger) == (90, 106)


def test_each_threshold_counts(scan) -> None:
    live = scanned(scan)
    assert judged(live, lost=3, lost_fraction_max=0.02)["lost_frames"].judgement == "bad"
    assert judged(live, lost=2, lost_fraction_max=0.02)["lost_frames"].judgement == "good"
    assert judged(live, transmission_max=0.8)["mean_transmission"].judgement == "bad"
    assert judged(live, transmission_min=0.97)["mean_transmission"].judgement == "bad"
    assert judged(live, snr_min=1e3)["snr"].judgement == "bad"


def test_noise_means_nothing_in_a_slice_of_few_views(scan) -> None:
    assert judged(scanned(scan, 40))["snr"].judgement == "unknown"
    assert judged(scanned(scan, 46))["snr"].judgement != "unknown"


def test_a_figure_that_is_not_finite_is_unknown(scan) -> None:
    live = scanned(scan)
    state = live.state()
    state.image[:] = np.float32(1.0)
    verdicts = Judge(LiveSettings()).verdicts(live, state, 0, 0.0)
    assert (verdicts[2].judgement, verdicts[2].value) == ("unknown", None)


def test_intervals_say_what_is_known_and_no_more(scan) -> None:
    found = judged(scanned(scan))
    lost, transmission, snr = (found[m] for m in ("lost_frames", "mean_transmission", "snr"))
    assert (lost.low, lost.high) == (lost.value, lost.value)
    assert transmission.low is not None
    assert transmission.high is not None
    assert transmission.value is not None
    assert transmission.low < transmission.value < transmission.high
    # The scatter over the angles, which is the sample's shape, is some ten times as large.
    assert transmission.high - transmission.low < 0.01
    assert (snr.low, snr.high) == (None, None)


def test_a_transmission_interval_holds_the_truth_as_often_as_it_says(tmp_path) -> None:
    """The flats' own noise, drawn anew: nine in ten intervals must hold the true value."""
    held = 0
    scan = SyntheticScan(tmp_path)
    clean = {
        index: scan.mean_counts(block, index)
        for block in scan.spec.blocks()
        for index in range(block.first, block.last)
        if block.kind in ("darks", "flats", "sweep")
    }
    sweep = scan.block("sweep_0")
    true = np.mean([(clean[i][2] - 100) / 4000 for i in range(sweep.first, sweep.last)])
    random = np.random.default_rng(5)
    for _ in range(60):
        live = LiveSlice(scan.uid, scan.spec)
        live.latch(scan.chunk(0, sweep.last))
        # Beam that flickers by 1 % from frame to frame, and shot noise.
        for index, counts in clean.items():
            if index < sweep.last:
                lit = (counts - 100) * random.normal(1, 0.01) + 100
                live.use(index, random.poisson(lit).astype(np.uint16))
        verdict = Judge(LiveSettings()).verdicts(live, live.state(), 0, 0.0)[1]
        assert verdict.low is not None
        assert verdict.high is not None
        held += verdict.low <= true <= verdict.high
    assert held >= 50
