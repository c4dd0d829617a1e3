"""Planes anywhere, against slices, volumes and each other."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from tests.analysis.solids import Bench, Solid, ball, project
from voltomo.analysis.plane import Plane
from voltomo.analysis.planes import PlaneReconstructor
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import plan_volume

SIZE = 48
SOLIDS = [
    ball(-9.3, 7.2, 4.1, 6.0),
    ball(8.8, 6.4, -5.7, 5.0, 0.5),
    Solid((3.0, -11.0, 1.0), (9.0, 2.0, 3.0), box=True),
]
OBLIQUE = Plane(40, 36, (1.5, -2.0, 1.0), (1.0, 0.3, 0.4), (-0.2, 0.8, -0.7), 0.8)
LEVEL = Plane.horizontal(SIZE, SIZE, 2.0)


def scan(bench: Bench, views: int = 90) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
    angles = np.arange(views) * (180.0 if bench.tilt_deg == 0 else 360.0) / views
    return angles, [project(SOLIDS, bench, float(angle), fine=2) for angle in angles]


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize(("tilt_deg", "roll_deg"), [(0, 0), (30, 0), (0, 2), (40, -1.5)])
def test_planes_are_those_of_the_volume(tilt_deg: float, roll_deg: float) -> None:
    bench = Bench(80, 64, 30.7, tilt_deg, roll_deg)
    wanted = {
        "oblique": OBLIQUE,
        "level": LEVEL,
        "x": Plane.upright_x(SIZE, SIZE - 8, -11.0),
        "y": Plane.upright_y(SIZE, SIZE - 8, 8.8),
    }
    planes = PlaneReconstructor(bench, wanted, 90)
    volume = VolumeReconstructor(bench, plan_volume(bench, SIZE, SIZE - 8, grows=True))
    for angle, frame in zip(*scan(bench), strict=True):
        planes.add(frame, float(angle))
        volume.add(frame, float(angle))
    made = volume.recon()
    middle = (np.array(made.shape) - 1) / 2
    for name, plane in wanted.items():
        places = plane.points()[..., ::-1].transpose(2, 0, 1) + middle[:, None, None]
        expected = np.asarray(map_coordinates(made, places, order=1), np.float32)
        # Beyond the cylinder the volume has nothing, and a plane goes on.
        inside = np.hypot(places[1] - middle[1], places[2] - middle[2]) < SIZE / 2 - 2
        inside &= np.abs(places[0] - middle[0]) < middle[0]
        image = planes.image(name)
        assert likeness(image[inside], expected[inside]) > 0.993, name
        assert np.abs(image - expected)[inside].max() < 0.12, name


def test_without_tilt_a_level_plane_is_the_slice_of_sheared_rows() -> None:
    bench = Bench(31, 64, 30.7)
    planes = PlaneReconstructor(bench, {"level": LEVEL}, 90, threads=2)
    slice_ = SliceReconstructor(64, 30.7, SIZE)
    for angle, frame in zip(*scan(bench), strict=True):
        planes.add(frame, float(angle), np.pi / 90)
        slice_.add(frame[17], float(angle), np.pi / 90)
    x = np.arange(SIZE) - (SIZE - 1) / 2
    inside = np.hypot(x[None], x[:, None]) < SIZE / 2 - 1
    difference = (planes.image("level") - slice_.recon())[inside]
    # Of the phases to which sheared rows round.
    assert np.abs(difference).max() < 0.05


def test_a_plane_that_is_moved_is_as_if_it_had_been_there() -> None:
    bench = Bench(80, 64, 30.7, 30.0)
    angles, frames = scan(bench, 60)
    moved = PlaneReconstructor(bench, {"a": LEVEL}, 60)
    placed = PlaneReconstructor(bench, {"a": OBLIQUE}, 60)
    for view, (angle, frame) in enumerate(zip(angles, frames, strict=True)):
        if view == 40:
            redrawn = moved.move("a", OBLIQUE)
            assert (redrawn.views, redrawn.binning) == (40, 1)
            assert redrawn.seconds > 0
        moved.add(frame, float(angle))
        placed.add(frame, float(angle))
    assert moved.planes == {"a": OBLIQUE}
    np.testing.assert_allclose(moved.image("a"), placed.image("a"), atol=1e-5)
    placed.move("b", LEVEL)
    placed.remove("a")
    assert list(placed.planes) == ["b"]
    placed.clear()
    assert not placed.image("b").any()


def test_a_small_buffer_bins_and_a_smaller_one_forgets() -> None:
    bench = Bench(80, 64, 30.7, 30.0)
    angles, frames = scan(bench, 60)
    large = Plane(60, 60, (0.0, 0.0, 1.0), (1.0, 0.2, 0.1), (0.0, 1.0, 0.2), 0.7)
    frame_bytes = 4 * 81 * 65
    binned = PlaneReconstructor(bench, {"a": LEVEL}, 60, 20 * frame_bytes)
    short = PlaneReconstructor(bench, {"a": LEVEL}, 60, frame_bytes // 2)
    whole = PlaneReconstructor(bench, {"a": large}, 60)
    for angle, frame in zip(angles, frames, strict=True):
        for planes in (binned, short, whole):
            planes.add(frame, float(angle), np.pi / 60)
    redrawn = binned.move("a", large)
    assert (redrawn.views, redrawn.binning) == (60, 2)
    assert likeness(binned.image("a"), whole.image("a")) > 0.93
    assert binned.image("a").mean() == pytest.approx(whole.image("a").mean(), rel=0.03)
    redrawn = short.move("a", large)
    assert redrawn.binning == 8
    assert 0 < redrawn.views < 60
    # What is left stands for all.
    assert short.image("a").mean() == pytest.approx(whole.image("a").mean(), rel=0.3)
    for planes in (binned, short, whole):
        assert planes.memory_promise_bytes < 2e6
    with pytest.raises(MemoryError, match="less than one view"):
        PlaneReconstructor(bench, {}, 60, 100)


def test_what_cannot_be_used_is_refused() -> None:
    bench = Bench(16, 32, 15.0, 20.0)
    planes = PlaneReconstructor(bench, {"a": Plane.horizontal(8, 8)}, 4)
    frame = np.ones((16, 32), np.float32)
    planes.add(frame, 0.0)
    before = planes.image("a")
    bad = frame.copy()
    bad[3, 4] = np.inf
    with pytest.raises(ValueError, match="1 of 512 values that are not finite"):
        planes.add(bad, 1.0)
    with pytest.raises(ValueError, match="16 x 32 pixels"):
        planes.add(frame[1:], 1.0)
    with pytest.raises(ValueError, match="finite angle"):
        planes.add(frame, float("nan"))
    with pytest.raises(ValueError, match="one way for all views"):
        planes.add(frame, 1.0, 0.1)
    np.testing.assert_array_equal(planes.image("a"), before)
    with pytest.raises(ValueError, match="columns 0 to 31"):
        PlaneReconstructor(Bench(16, 32, 50.0), {}, 4)
    with pytest.raises(ValueError, match="parallel or zero"):
        replace(OBLIQUE, across=(2.0, 0.6, 0.8))
    with pytest.raises(ValueError, match="positive step"):
        replace(OBLIQUE, step=0.0)
    with pytest.raises(ValueError, match="finite numbers"):
        replace(OBLIQUE, centre=(0.0, float("nan"), 0.0))
