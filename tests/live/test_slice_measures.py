"""Measures of a slice that grows sweep by sweep, as verdicts: interval, threshold, latency."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from synthetic_scan import SyntheticScan, make_spec

from voltomo.analysis.measure import Measure
from voltomo.live.live_slice import LiveSlice
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_measures import halves_of, measure_views
from voltomo.live.slice_rows import SliceViews
from voltomo.live.slice_watch import SliceWatch
from voltomo.live.verdicts import Judge
from voltomo.model.target import Target
from voltomo.model.verdict import Verdict

SWEEPS = 4


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScan:
    target = Target(metric="frc_resolution", at_most=40.0)
    spec = make_spec(projections=24, sweeps=SWEEPS, interlace="golden", stop_when=target)
    return SyntheticScan(tmp_path_factory.mktemp("scan"), spec)


def feed(live: LiveSlice, scan: SyntheticScan, sweeps: int, part: int = 0) -> None:
    """Everything up to the end of a sweep, and some views of the next."""
    last = scan.block(f"sweep_{sweeps - 1}").last + part
    live.latch(scan.chunk(0, last))
    for index in range(last):
        live.use(index, scan.images[index])


def verdicts_of(judge: Judge, live: LiveSlice) -> dict[str, Verdict]:
    for _ in range(400):
        made = judge.verdicts(live, live.state(), 0, time.time())
        if not judge.busy:
            return {verdict.metric: verdict for verdict in made}
        time.sleep(0.02)
    raise AssertionError("the slice was not measured")


def test_halves_are_even_and_odd_sweeps_and_of_one_size() -> None:
    assert halves_of(np.array([0, 0, 1, 1])).tolist() == [False, False, True, True]
    assert halves_of(np.array([0, 0, 1, 1, 2, 2])).sum() == 3
    assert halves_of(np.zeros(8, np.int64)).sum() == 4


def test_all_sweeps_so_far_make_one_slice_that_is_measured(scan: SyntheticScan) -> None:
    live = LiveSlice(scan.uid, scan.spec)
    feed(live, scan, 2)
    found = verdicts_of(Judge(LiveSettings()), live)
    resolution = found["frc_resolution"]
    assert {"snr", "sharpness", "motion", "ring_strength", "missing_cone"} <= set(found)
    assert resolution.frames == 48
    assert resolution.last_trigger == scan.block("sweep_1").last - 1
    assert resolution.value is not None
    assert resolution.low is not None
    assert resolution.high is not None
    assert resolution.low <= resolution.value <= resolution.high
    assert (resolution.threshold, resolution.unit) == (40.0, "um")
    assert resolution.latency_s is not None
    assert resolution.good == (resolution.high <= 40.0)
    assert found["motion"].threshold == 1.0
    assert found["snr"].low is not None


def test_more_sweeps_lower_the_noise(scan: SyntheticScan) -> None:
    values: list[float] = []
    for sweeps in (2, 4):
        live = LiveSlice(scan.uid, scan.spec)
        feed(live, scan, sweeps)
        views = live.snapshot(0.0)
        assert views is not None
        assert views.sweep.tolist() == np.repeat(np.arange(sweeps), 24).tolist()
        values.append({m.metric: m.value for m in measure_views(views)}["snr"])
    assert values[1] > 1.15 * values[0]


def test_a_sweep_that_is_cut_short_is_not_measured_until_the_end(scan: SyntheticScan) -> None:
    asked: list[SliceViews] = []

    def measure(views: SliceViews) -> Sequence[Measure]:
        asked.append(views)
        return ()

    watch, live = SliceWatch(measure), LiveSlice(scan.uid, scan.spec)
    feed(live, scan, 2, part=5)
    for _ in range(4):
        assert watch.look(live) is None
    assert not asked
    live.finish()
    while watch.busy:
        watch.look(live)
    assert [views.frames for views in asked] == [53]


def test_another_height_and_another_take_begin_anew(scan: SyntheticScan) -> None:
    live = LiveSlice(scan.uid, scan.spec)
    feed(live, scan, 2)
    live.move_to(0)
    assert live.snapshot(0.0) is None
    # The frames of all sweeps of the slice are wanted again, from the file.
    assert set(live.wanted()) >= set(range(scan.block("sweep_0").first, live.matcher.latched))
    for index in live.wanted():
        live.use(index, scan.images[index])
    views = live.snapshot(0.0)
    assert views is not None
    assert (views.row, views.frames) == (0, 48)
    live.slice_rows.drop(scan.block("sweep_0"))
    assert len(live.slice_rows) == 24


def test_of_sweeps_that_do_not_add_to_each_other_the_latest_counts(tmp_path) -> None:
    plain = SyntheticScan(tmp_path, make_spec(projections=80, sweeps=2, range_deg=360.0))
    live = LiveSlice(plain.uid, plain.spec)
    feed(live, plain, 2)
    views = live.snapshot(0.0)
    assert views is not None
    assert views.frames == 80
    found = {measure.metric: measure for measure in measure_views(views)}
    assert {"frc_resolution", "snr", "axis_error"} <= set(found)
    assert abs(found["axis_error"].value) < 0.2


def test_where_one_row_makes_no_slice_nothing_is_measured_of_it(tmp_path) -> None:
    upright = make_spec(projections=40, sweeps=2, interlace="golden")
    tilted = upright.geometry.model_copy(update={"tilt_deg": 30.0})
    scan = SyntheticScan(tmp_path, upright.model_copy(update={"geometry": tilted}))
    live = LiveSlice(scan.uid, scan.spec)
    feed(live, scan, 2)
    assert live.snapshot(0.0) is None
    assert "axis_error" not in verdicts_of(Judge(LiveSettings()), live)


def test_a_measure_that_fails_stops_nothing(scan: SyntheticScan) -> None:
    def broken(views: SliceViews) -> Sequence[Measure]:
        raise ZeroDivisionError

    watch, live = SliceWatch(broken), LiveSlice(scan.uid, scan.spec)
    feed(live, scan, 2)
    found = None
    for _ in range(100):
        found = watch.look(live)
        if not watch.busy:
            break
        time.sleep(0.01)
    assert found is not None
    assert found.measures == ()
