"""A replay shows the recorded projection of the angle, flats and darks in turn, holes as missed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voltomo.runtime.recorded_scan import RecordedScan
from voltomo.twin.frame_source import Exposure, Unrecorded
from voltomo.twin.replay_source import ReplayFrames


def stack(*values: int) -> np.ndarray:
    return np.stack([np.full((4, 40), value, np.uint16) for value in values])


# 0, 10, … 170 deg, without 50 deg.
ANGLES_deg = np.array([10.0 * k for k in range(18) if k != 5])
EXPOSURE = Exposure(
    number=0,
    start_s=0.0,
    end_s=0.01,
    angles_deg=np.array([0.0]),
    weights=np.array([1.0]),
    fluence_per_cm2=1e9,
    open_part=1.0,
    mid_angle_deg=0.0,
    sample_x_mm=0.0,
    sample_z_mm=0.0,
    energy_keV=20.0,
)


@pytest.fixture
def replay() -> ReplayFrames:
    scan = RecordedScan(
        path=Path("scan.nxs"),
        kind="NXtomo",
        title="",
        sample="",
        angles_deg=ANGLES_deg,
        projections=stack(*(1000 + int(angle) for angle in ANGLES_deg)),
        flats=stack(2000, 2001),
        darks=stack(10, 11, 12),
        scale=1.0,
        exposure_s=None,
        pixel_um=None,
        energy_keV=None,
        axis_column=None,
    )
    return ReplayFrames(scan, pixel_um=25.0)


@pytest.mark.parametrize(
    ("angle_deg", "value"), [(0.0, 1000), (62.0, 1060), (58.0, 1060), (-2.0, 1000), (370.0, 1010)]
)
def test_the_projection_nearest_in_angle(
    replay: ReplayFrames, angle_deg: float, value: int
) -> None:
    frame = replay.frame(replace(EXPOSURE, mid_angle_deg=angle_deg))
    assert frame.shape == replay.shape == (4, 40)
    assert (frame == value).all()


@pytest.mark.parametrize("angle_deg", [50.0, 53.0, 180.0, 250.0])
def test_what_was_not_recorded_is_missed(replay: ReplayFrames, angle_deg: float) -> None:
    with pytest.raises(Unrecorded, match=r"no projection within 5\.000 deg"):
        replay.frame(replace(EXPOSURE, mid_angle_deg=angle_deg))


def test_flats_and_darks_come_in_turn(replay: ReplayFrames) -> None:
    out = replace(EXPOSURE, sample_x_mm=-0.6)
    assert [int(replay.frame(out)[0, 0]) for _ in range(3)] == [2000, 2001, 2000]
    closed = replace(EXPOSURE, open_part=0.0, fluence_per_cm2=0.0)
    assert [int(replay.frame(closed)[0, 0]) for _ in range(4)] == [10, 11, 12, 10]
