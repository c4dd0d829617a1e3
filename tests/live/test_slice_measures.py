"""Measures of a slice that grows sweep by sweep, as verdicts: interval, threshold, latency."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from synthetic_scan import SyntheticScan, make_spec

from voltomo.analysis.measure import Measure
from voltomo.live.live_slice import LiveSlice
from voltomo.live.settings import LiveSettings
from voltomo.live.shown_part import most_views, part_of
from voltomo.live.slice_measures import halves_of, measure_views
from voltomo.live.slice_rows import SliceViews
from voltomo.live.slice_watch import Measured, SliceWatch
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


class Counting:
    """In place of measures: of which views they were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, views: SliceViews) -> Sequence[Measure]:
        self.asked.append((views.frames, views.last_trigger))
        return ()


def look(watch: SliceWatch, live: LiveSlice) -> Measured | None:
    for _ in range(400):
        found = watch.look(live)
        if not watch.busy:
            return found
        time.sleep(0.005)
    raise AssertionError("the slice was not measured")


def test_every_sweep_of_a_series_is_measured(tmp_path) -> None:
    series = SyntheticScan(tmp_path, make_spec(projections=40, sweeps=3))
    measure = Counting()
    watch, live = SliceWatch(measure), LiveSlice(series.uid, series.spec)
    for sweeps in (1, 2, 3):
        feed(live, series, sweeps)
        assert look(watch, live) is not None
    lasts = [series.block(f"sweep_{n}").last - 1 for n in range(3)]
    assert measure.asked == [(40, last) for last in lasts]


@pytest.mark.parametrize("interlace", ["none", "golden"])
def test_of_a_take_that_is_taken_again_nothing_is_said_any_more(tmp_path, interlace) -> None:
    scan = SyntheticScan(tmp_path, make_spec(projections=40, sweeps=2, interlace=interlace))
    measure = Counting()
    watch, live = SliceWatch(measure), LiveSlice(scan.uid, scan.spec)
    feed(live, scan, 2)
    assert look(watch, live) is not None
    sweep = scan.block("sweep_1")
    again = scan.chunk(sweep.first, sweep.last)
    later = dataclasses.replace(again, time_s=[time_s + 100 for time_s in again.time_s])
    live.latch(later)
    assert watch.look(live) is None
    for index in range(sweep.first, sweep.last):
        live.use(index, scan.images[index])
    found = look(watch, live)
    assert found is not None
    assert found.frames == (80 if interlace == "golden" else 40)
    assert len(measure.asked) == 2


def test_a_slice_whose_flats_come_late_is_measured_then(tmp_path) -> None:
    scan = SyntheticScan(tmp_path, make_spec(projections=40))
    measure = Counting()
    watch, live = SliceWatch(measure), LiveSlice(scan.uid, scan.spec)
    sweep, flats = scan.block("sweep_0"), scan.block("flats_before")
    live.latch(scan.chunk(0, sweep.last))
    late = set(range(flats.first, flats.last))
    for index in set(range(sweep.last)) - late:
        live.use(index, scan.images[index])
    assert look(watch, live) is None
    assert not measure.asked
    for index in late:
        live.use(index, scan.images[index])
    watch.look(live)
    assert look(watch, live) is not None


def test_what_a_blind_sector_leaves_of_a_sweep_is_one_sweep(tmp_path) -> None:
    blind: dict[str, Any] = {"blind_sectors": ((85.0, 95.0),)}
    spec = make_spec(projections=80, sweeps=2, interlace="golden", **blind)
    for one in (spec, spec.model_copy(update={"interlace": "none"})):
        scan = SyntheticScan(tmp_path, one)
        live = LiveSlice(scan.uid, scan.spec)
        feed_all(live, scan)
        views = live.snapshot(0.0)
        assert views is not None
        sweeps = [b for b in one.blocks() if b.kind == "sweep"]
        assert len(sweeps) == 4
        if one.grows:
            assert views.frames == sum(block.count for block in sweeps)
            assert set(views.sweep.tolist()) == {0, 1}
        else:
            assert views.frames == sweeps[2].count + sweeps[3].count
        part = part_of(one, sweeps[3], sweeps[3].first)
        assert sum(len(triggers) for triggers in part.triggers()) == views.frames
        assert most_views(one) >= views.frames


def feed_all(live: LiveSlice, scan: SyntheticScan) -> None:
    live.latch(scan.chunk(0, scan.spec.triggers))
    for index in range(scan.spec.triggers):
        live.use(index, scan.images[index])


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
