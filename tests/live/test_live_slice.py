"""One slice grows; loss, lateness and moves of height leave no trace in the end."""

import numpy as np
import pytest
from synthetic_scan import SyntheticScan, make_spec

from voltomo.live.live_slice import LiveSlice


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
    whole = fed(scan).state()
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
    np.testing.assert_array_equal(live.state().image, fed(scan, row=0).state().image)
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
