"""One slice grows; loss, lateness and moves of height leave no trace in the end."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from synthetic_scan import SyntheticScan, make_spec

from voltomo.analysis.weights import angular_weights
from voltomo.live.live_slice import LiveSlice
from voltomo.model.geometry import Region


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> SyntheticScan:
    return SyntheticScan(tmp_path_factory.mktemp("scan"))


def fed(scan: SyntheticScan, lost: set[int] | None = None, row: int | None = None) -> LiveSlice:
    live = LiveSlice(scan.uid, scan.spec, row)
    for index in range(scan.spec.triggers):
        if index % 7 == 6:
            live.latch(scan.chunk(max(0, index - 20), index))
        if index not in (lost or set()):
            live.frame(scan.images[index], float(scan.stamp_s[index]))
        live.process()
    live.latch(scan.chunk(0, scan.spec.triggers))
    live.process()
    return live


def test_the_slice_shows_the_phantom(scan: SyntheticScan) -> None:
    live = fed(scan)
    state = live.state()
    assert state.frames == scan.spec.geometry.projections
    assert state.last_trigger == scan.block("sweep_0").last - 1
    assert (state.sweep, state.row) == ("sweep_0", 2)
    assert live.wanted() == []
    y, x = np.mgrid[:64, :64] - 31.5
    inside = np.hypot(x - 8, y - 5) < 8
    outside = (np.hypot(x - 8, y - 5) > 14) & (np.hypot(x, y) < 26)
    assert state.image[inside].mean() == pytest.approx(0.02, rel=0.05)
    assert abs(state.image[outside].mean()) < 0.001
    transmission = live.transmission()
    assert transmission is not None
    assert 0.8 < transmission[0] < 0.95


def test_what_was_lost_and_came_later_leaves_no_trace(scan: SyntheticScan) -> None:
    complete = fed(scan)
    complete.finish()
    whole = complete.state()
    lost = {13, 14, 19, 20, 40, 41, 42, 100}
    live = fed(scan, lost)
    assert live.wanted() == sorted(lost)
    assert live.state().frames < whole.frames
    for index in sorted(lost, reverse=True):
        live.use(index, scan.images[index])
    live.finish()
    assert live.wanted() == []
    np.testing.assert_array_equal(live.state().image, whole.image)
    assert live.state().last_trigger == whole.last_trigger


def test_without_flats_there_is_no_slice_until_they_come(scan: SyntheticScan) -> None:
    flats = scan.block("flats_before")
    lost = set(range(flats.first, flats.last))
    live = fed(scan, lost)
    assert live.views == 0
    for index in sorted(lost):
        live.use(index, scan.images[index])
    np.testing.assert_array_equal(live.state().image, fed(scan).state().image)


def test_a_zinger_in_a_flat_is_not_seen(scan: SyntheticScan) -> None:
    flat = scan.images[scan.block("flats_before").first]
    good = flat.copy()
    flat[2, 30] = 65535
    try:
        with_zinger = fed(scan).state().image
    finally:
        flat[:] = good
    assert np.abs(with_zinger - fed(scan).state().image).max() < 0.005


def test_another_height_is_what_it_would_have_been(scan: SyntheticScan) -> None:
    live = fed(scan)
    live.move_to(0)
    assert live.views == 0
    assert live.transmission() is None
    first, last = scan.block("darks").first, scan.block("sweep_0").last
    assert live.wanted() == list(range(first, last))
    for index in live.wanted():
        live.use(index, scan.images[index])
    live.finish()
    other = fed(scan, row=0)
    other.finish()
    np.testing.assert_array_equal(live.state().image, other.state().image)
    live.move_to(-5)
    assert live.wanted() == [], "row 0 is shown already"
    live.move_to(99)
    assert live.row == 3


def test_frames_that_wait_while_the_height_moves_are_not_mixed_in(scan: SyntheticScan) -> None:
    live = LiveSlice(scan.uid, scan.spec)
    sweep = scan.block("sweep_0")
    for index in range(sweep.first + 30):
        live.frame(scan.images[index], float(scan.stamp_s[index]))
    live.latch(scan.chunk(0, sweep.first + 20))
    live.process()
    live.move_to(0)
    live.latch(scan.chunk(0, sweep.first + 30))
    assert live.process() == []
    assert set(range(sweep.first, sweep.first + 30)) <= set(live.wanted())


def test_frames_of_another_shape_are_refused(scan: SyntheticScan) -> None:
    live = LiveSlice(scan.uid, scan.spec)
    live.frame(np.zeros((4, 65), np.uint16), 1.0)
    live.use(3, np.zeros((4, 65), np.uint16))
    assert (live.frames_in, live.refused, live.frames_processed) == (1, 1, 0)


def test_a_new_sweep_starts_a_new_slice(tmp_path) -> None:
    scan = SyntheticScan(tmp_path, make_spec(sweeps=2, order="alternate"))
    live = fed(scan)
    assert live.state().sweep == "sweep_1"
    assert live.state().frames == scan.spec.geometry.projections
    live.use(scan.block("sweep_0").first, scan.images[0])
    assert live.state().frames == scan.spec.geometry.projections


def test_lateness_is_counted_from_the_newest_trigger(scan: SyntheticScan) -> None:
    live = LiveSlice(scan.uid, scan.spec)
    assert live.overdue(1.0) == 0
    live.latch(scan.chunk(0, 8))
    assert live.overdue(1.0) == 0
    live.latch(scan.chunk(8, 12))
    assert live.overdue(1.0) == 8
    live.latch(scan.chunk(20, 40))
    assert live.overdue(1.0) >= 12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"axis_column": 900.0}, "must lie on the detector row"),
        (
            {"region": Region(first_row=0, last_row=2, first_column=0, last_column=64)},
            "a region of it",
        ),
    ],
)
def test_what_one_row_cannot_show_is_refused(scan: SyntheticScan, changes, words) -> None:
    geometry = scan.spec.geometry.model_copy(update=changes)
    with pytest.raises(ValueError, match=words):
        LiveSlice("odd", scan.spec.model_copy(update={"geometry": geometry}))


INSIDE = np.hypot(*(np.mgrid[:64, :64][::-1] - np.array([39.5, 36.5])[:, None, None])) < 8


@pytest.mark.parametrize("degrees", [180.0, 360.0, 270.0, 200.0])
def test_a_turn_and_a_half_shows_the_phantom_as_a_half_turn_does(tmp_path, degrees) -> None:
    """What is seen twice counts once: views of the overlap share their weight."""
    scan = SyntheticScan(tmp_path, make_spec(projections=90, range_deg=degrees))
    live = fed(scan)
    assert live.state().image[INSIDE].mean() == pytest.approx(0.02, rel=0.05)
    live.finish()
    state = live.state()
    assert state.complete
    assert state.image[INSIDE].mean() == pytest.approx(0.02, rel=0.03)
    # Uneven weights would draw streaks beside the phantom.
    y, x = np.mgrid[:64, :64] - 31.5
    outside = (np.hypot(x - 8, y - 5) > 14) & (np.hypot(x, y) < 26)
    assert state.image[outside].std() < 0.0016


def test_of_a_partial_turn_nothing_is_made_up(tmp_path) -> None:
    """A third of the directions is missing, and so is about a third of what they add."""
    scan = SyntheticScan(tmp_path, make_spec(projections=60, range_deg=120.0))
    live = fed(scan)
    live.finish()
    angles = scan.angle_deg[scan.block("sweep_0").first : scan.block("sweep_0").last]
    assert angular_weights(angles).sum() == pytest.approx(np.radians(120))
    assert live.state().image[INSIDE].mean() < 0.018


def test_while_it_grows_the_slice_has_the_scale_of_a_whole_one(scan: SyntheticScan) -> None:
    live = LiveSlice(scan.uid, scan.spec)
    first = scan.block("sweep_0").first
    live.latch(scan.chunk(0, scan.spec.triggers))
    for index in range(first + 46):
        live.use(index, scan.images[index])
    half = live.state()
    assert not half.complete
    assert half.image[INSIDE].mean() == pytest.approx(0.02, rel=0.2)


def test_views_beside_a_hole_stand_for_it(scan: SyntheticScan) -> None:
    lost = set(range(40, 46))
    live = fed(scan, lost)
    live.finish()
    whole = fed(scan)
    whole.finish()
    sweep = scan.block("sweep_0")
    index = [i for i in range(sweep.first, sweep.last) if i not in lost]
    weights = angular_weights(scan.angle_deg[index])
    assert weights.sum() == pytest.approx(np.pi)
    assert weights.max() > 3 * np.median(weights)
    inside = live.state().image[INSIDE]
    assert inside.mean() == pytest.approx(whole.state().image[INSIDE].mean(), rel=0.02)


def test_the_transmission_is_as_sure_as_the_flats_let_it_be(scan: SyntheticScan) -> None:
    live = fed(scan)
    found = live.transmission()
    assert found is not None
    mean, uncertainty = found
    assert uncertainty is not None
    # 64 columns of 4100 counts: one flat's mean is sure to 0.2 %, five of them to 0.09 %.
    assert 0.0002 < uncertainty / mean < 0.003
    flats = scan.block("flats_before")
    few = fed(scan, set(range(flats.first + 2, flats.last)))
    assert few.transmission() is not None
    assert few.transmission()[1] is None  # pyright: ignore[reportOptionalSubscript]


def test_after_a_scan_is_begun_anew_its_first_flats_hold_again(tmp_path: Path) -> None:
    spec = make_spec(projections=20, sweeps=3, flats_every=1)
    scan = SyntheticScan(tmp_path, spec)
    live = LiveSlice(scan.uid, spec)
    live.latch(scan.chunk(0, spec.triggers))
    for index in range(spec.triggers):
        live.use(index, scan.images[index])
    again = scan.chunk(0, scan.block("sweep_0").last)
    live.latch(dataclasses.replace(again, time_s=[time_s + 500 for time_s in again.time_s]))
    assert live.state().frames == 0
    for index in range(scan.block("sweep_0").last):
        live.use(index, scan.images[index])
    assert live.state().frames == 20
    assert live.state().sweep == "sweep_0"
    views = live.snapshot(0.0)
    assert views is not None
    assert views.last_trigger == scan.block("sweep_0").last - 1
