"""Volumes at any tilt against solids whose projections the tests follow ray by ray."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis.solids import Bench, Solid, ball, displacement, draw, project
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import plan_volume
from voltomo.analysis.volume_slabs import reconstruct_slabs
from voltomo.analysis.weights import angular_weights

SIZE, DEPTH, VIEWS = 72, 48, 120
BALLS = [ball(-16.3, 7.2, 9.1, 6.5), ball(14.8, 12.4, -7.7, 5.0), ball(2.1, -17.6, 1.3, 4.2)]
LINES = [
    # Its faces lie between the rays of a pixel, not on them.
    Solid((-3.2, 18.0, -25 / 6), (15.0, 1.5, 1.5), box=True),
    Solid((20.0, -8.4, 2.0), (1.5, 1.5, 14.0), box=True),
]


def angles_of(bench: Bench, views: int = VIEWS) -> NDArray[np.float64]:
    return np.arange(views) * (180.0 if bench.tilt_deg == 0 else 360.0) / views


def volume_of(
    solids: list[Solid], bench: Bench, size: int = SIZE, depth: int = DEPTH, threads: int = 1
) -> NDArray[np.float32]:
    plan = plan_volume(bench, size, depth, grows=True, threads=threads)
    volume = VolumeReconstructor(bench, plan)
    for angle_deg in angles_of(bench):
        volume.add(project(solids, bench, float(angle_deg)), float(angle_deg))
    return volume.recon()


def piece(solid: Solid, around: float = 4.0) -> tuple[slice, slice, slice]:
    """Where a solid lies in a volume, and a little more."""
    slices = []
    for axis, n in ((2, DEPTH), (1, SIZE), (0, SIZE)):
        middle, half = solid.centre[axis] + (n - 1) / 2, solid.half[axis] + around
        slices.append(slice(max(0, round(middle - half)), min(n, round(middle + half) + 1)))
    return slices[0], slices[1], slices[2]


@pytest.mark.parametrize(
    ("tilt_deg", "roll_deg"), [(0, 0), (10, 0), (20, 0), (30, 0), (45, 0), (0, 3), (30, -2)]
)
def test_balls_and_lines_lie_where_they_are(tilt_deg: float, roll_deg: float) -> None:
    bench = Bench(112, 91, 43.3, tilt_deg, roll_deg)
    for solid in (*BALLS, *LINES):
        found = volume_of([solid], bench)[piece(solid)]
        shift, scale = displacement(found, draw([solid], DEPTH, SIZE)[piece(solid)])
        assert np.abs(shift).max() < 0.1, (solid, shift)
        # The missing cone takes of the contrast what nothing can bring back.
        assert 0.9 * np.cos(np.radians(tilt_deg)) ** 2 < scale < 1.02


@pytest.mark.parametrize("axis", [43.0, 46.4])
def test_without_tilt_planes_are_the_slices_of_sheared_rows(axis: float) -> None:
    bench = Bench(8, 91, axis)
    angles = angles_of(bench)
    frames = [project([*BALLS, *LINES], bench, float(angle)) for angle in angles]
    volume = VolumeReconstructor(bench, plan_volume(bench, SIZE, grows=True))
    rows = SliceReconstructor(bench.columns, axis, SIZE)
    for frame, angle_deg in zip(frames, angles, strict=True):
        volume.add(frame, float(angle_deg))
        rows.add(frame[3], float(angle_deg))
    slice_, plane = rows.recon(), volume.planes(3, 4)[0]
    assert np.corrcoef(slice_.ravel(), plane.ravel())[0, 1] > 0.995
    assert np.abs(slice_ - plane).max() < 0.12
    gentle = np.abs(np.gradient(draw([*BALLS, *LINES], 8, SIZE)[3])).max(0) < 0.01
    assert np.abs(slice_ - plane)[gentle].max() < 0.06


def test_a_large_ball_has_its_value() -> None:
    """Its middle has lost little to the missing cone of a small tilt."""
    bench = Bench(112, 91, 45.0, 20.0)
    found = volume_of([ball(0, 0, 0, 20.0, 0.5)], bench)
    assert found[20:28, 30:42, 30:42].mean() == pytest.approx(0.5, rel=0.12)


def test_it_grows_in_any_order_and_may_be_looked_at() -> None:
    bench = Bench(64, 80, 40.2, 25.0)
    plan = plan_volume(bench, 40, 24, grows=True)
    angles = angles_of(bench, 50)
    frames = [project(BALLS, bench, float(angle), fine=1) for angle in angles]
    straight, crooked = VolumeReconstructor(bench, plan), VolumeReconstructor(bench, plan)
    for frame, angle in zip(frames, angles, strict=True):
        straight.add(frame, float(angle))
    for number, view in enumerate(np.random.default_rng(3).permutation(50)):
        crooked.add(frames[view], float(angles[view]) + 360.0)
        if number % 11 == 0:
            crooked.planes(3, 5)
    np.testing.assert_allclose(crooked.recon(), straight.recon(), atol=2e-5)
    assert crooked.views == 50
    crooked.clear()
    assert not crooked.recon().any()


def test_threads_slabs_and_weights_give_the_same_volume() -> None:
    bench = Bench(96, 80, 40.2, 30.0, 1.0)
    angles = angles_of(bench, 36)
    frames = np.stack([project(BALLS, bench, float(angle), fine=1) for angle in angles])
    whole = VolumeReconstructor(bench, plan_volume(bench, 66, 48, grows=True, threads=2))
    for frame, angle in zip(frames, angles, strict=True):
        whole.add(frame, float(angle))
    expected = whole.recon()
    least = plan_volume(bench, 66, 16, free_bytes=2**30).promised_bytes
    assert len(plan_volume(bench, 66, 48, free_bytes=2**30).slabs) == 1
    plan = plan_volume(bench, 66, 48, free_bytes=least)
    assert len(plan.slabs) > 1
    assert (plan.binning, plan.note) == (1, "")
    assert plan.promised_bytes <= least
    weights = angular_weights(angles, turn_deg=360.0)
    made = np.zeros_like(expected)
    for first, planes in reconstruct_slabs(frames, angles, bench, plan, weights):
        made[first : first + len(planes)] = planes
    np.testing.assert_allclose(made, expected, atol=3e-5)


def test_above_the_free_memory_it_is_binned_and_says_so() -> None:
    bench = Bench(128, 128, 62.0, 30.0)
    whole = plan_volume(bench, 96, 64, grows=True, free_bytes=2**30)
    assert (whole.binning, whole.note) == (1, "")
    tight = plan_volume(bench, 96, 64, grows=True, free_bytes=whole.promised_bytes * 2 // 3)
    assert tight.binning == 2
    assert "binned by 2, to 48 x 48 x 32 voxels" in tight.note
    volume = VolumeReconstructor(bench, tight)
    solid = ball(-16.3, 7.2, 8.1, 9.0)
    for angle in angles_of(bench):
        volume.add(project([solid], bench, float(angle), fine=1), float(angle))
    # Of pixels of twice the edge, but attenuation still by pixel of the detector.
    small = ball(-8.15, 3.6, 4.05, 4.5)
    shift, scale = displacement(volume.recon(), draw([small], 32, 48))
    assert np.abs(shift).max() < 0.1
    assert 0.6 < scale < 1.02
    with pytest.raises(MemoryError, match="even at its coarsest"):
        plan_volume(bench, grows=True, free_bytes=1000)


def test_what_cannot_be_used_is_refused_and_leaves_the_volume_alone() -> None:
    bench = Bench(16, 32, 15.0, 20.0)
    volume = VolumeReconstructor(bench, plan_volume(bench, grows=True))
    frame = np.ones((16, 32), np.float32)
    volume.add(frame, 0.0)
    bad = frame.copy()
    bad[3, 4] = np.nan
    with pytest.raises(ValueError, match="1 of 512 values that are not finite"):
        volume.add(bad, 1.0)
    with pytest.raises(ValueError, match="16 x 32 pixels"):
        volume.add(frame[:, 1:], 1.0)
    with pytest.raises(ValueError, match="finite angle"):
        volume.add(frame, float("inf"))
    with pytest.raises(ValueError, match="one way for a whole volume"):
        volume.add(frame, 1.0, 0.1)
    assert volume.views == 1
    with pytest.raises(ValueError, match="planes 0 to 15"):
        volume.planes(10, 17)
    with pytest.raises(ValueError, match="columns 0 to 31"):
        VolumeReconstructor(Bench(16, 32, 40.0), plan_volume(bench))
    with pytest.raises(ValueError, match="tilt"):
        plan_volume(Bench(16, 32, 15.0, 80.0))
    with pytest.raises(ValueError, match="one angle"):
        next(reconstruct_slabs(frame[None], [0.0, 1.0], bench, plan_volume(bench)))
