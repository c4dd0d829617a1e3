"""An interlaced scan that is stopped at half-way is a whole tomogram already."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.normalise import line_integrals
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sweep_angles import Interlace
from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.frame_source import Exposure
from voltomo.twin.image_formation import PhantomCamera

FLUX = 1e11
SETTINGS = CameraSettings(rows=4, columns=128, ring_columns=0.0, counts=4e4)
ROW = 2


def _frame(
    camera: PhantomCamera, number: int, angle_deg: float, shift_mm: float = 0.0
) -> np.ndarray:
    return camera.frame(
        Exposure(
            number=number, start_s=0.0, end_s=0.02, angles_deg=np.array([angle_deg]),
            weights=np.array([1.0]), fluence_per_cm2=FLUX * 0.02, open_part=1.0,
            mid_angle_deg=angle_deg, sample_x_mm=shift_mm, sample_z_mm=0.0, energy_keV=20.0,
        )
    )  # fmt: skip


def _similarity(interlace: Interlace, sweeps: int, taken: float) -> float:
    """Structural similarity of what was taken up to there with the whole scan, in the disc."""
    camera = PhantomCamera(SETTINGS, 3, FLUX)
    geometry = Geometry(rows=4, columns=128, pixel_um=2.5, step_deg=180 / 50, projections=50)
    spec = ScanSpec(
        sample="cell", geometry=geometry, exposure_s=0.02, period_s=0.025, sweeps=sweeps,
        interlace=interlace,
    )  # fmt: skip
    angles = np.concatenate(
        [block.asked_deg for block in spec.blocks() if block.kind == "sweep"]  # type: ignore[misc]
    )
    flat = np.mean([_frame(camera, 9000 + n, 0.0, 5.0) for n in range(24)], axis=0)
    dark = np.full_like(flat, SETTINGS.dark_counts)
    fields = (flat.astype(np.float32), dark.astype(np.float32))
    frames = (_frame(camera, n, float(angle)) for n, angle in enumerate(angles))
    lines = np.stack([line_integrals(frame, *fields)[ROW] for frame in frames])
    slices: list[np.ndarray] = []
    for count in (angles.size, round(taken * angles.size)):
        backend = GriddingReconstructor()
        backend.prepare(geometry, angles[:count])
        slices.append(backend.recon_slices(lines[None, :count].astype(np.float32))[0])
    whole, part = slices
    place = np.arange(128) - 63.5
    inside = np.hypot(place[None], place[:, None]) < 60
    low, high = np.quantile(whole[inside], [0.001, 0.999])
    found: Any = structural_similarity(whole, part, data_range=high - low, full=True)
    return float(found[1][inside].mean())


def test_half_of_a_golden_scan_shows_what_all_of_it_does() -> None:
    assert _similarity("golden", 8, 0.5) >= 0.8


def test_half_of_a_scan_that_is_not_interlaced_does_not() -> None:
    assert _similarity("golden", 1, 0.5) < 0.6
