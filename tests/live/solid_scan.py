"""A scan of solids about an axis that may be tilted: what the planes are tried on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from synthetic_scan import DARK, FLAT, SyntheticScan, make_spec

from tests.analysis.solids import Bench, Solid, ball, project
from voltomo.analysis.plane import Plane
from voltomo.model.scan_spec import Block, ScanSpec

SOLIDS = [
    ball(-9.3, 7.2, 4.1, 6.0, 0.02),
    ball(8.8, 6.4, -5.7, 5.0, 0.03),
    Solid((3.0, -11.0, 1.0), (9.0, 2.0, 3.0), 0.025, box=True),
]


def solid_spec(tilt_deg: float = 0.0, **options) -> ScanSpec:
    full = 360.0 if tilt_deg else 180.0
    spec = make_spec(**({"rows": 40, "columns": 64, "range_deg": full} | options))
    return spec.model_copy(
        update={"geometry": spec.geometry.model_copy(update={"tilt_deg": tilt_deg})}
    )


@dataclass
class SolidScan(SyntheticScan):
    def mean_counts(self, block: Block, index: int) -> NDArray[np.float64]:
        geometry = self.spec.geometry
        shape = (geometry.rows, geometry.columns)
        if block.kind in ("priming", "darks"):
            return np.full(shape, DARK)
        if block.kind == "flats":
            return np.full(shape, DARK + 10 * FLAT)
        bench = Bench(
            geometry.rows, geometry.columns, geometry.axis, geometry.tilt_deg, geometry.roll_deg
        )
        integrals = project(SOLIDS, bench, float(self.mid_angle_deg(block, index)), fine=2)
        return DARK + 10 * FLAT * np.exp(-integrals.astype(np.float64))

    def mid_angle_deg(self, block: Block, index: int) -> float:
        speed = (block.step_deg or 0.0) / block.period_s
        return float(self.angle_deg[index] + speed * self.spec.exposure_s / 2)


def truth(plane: Plane) -> NDArray[np.float64]:
    """Attenuation of the solids at the pixels of a plane."""
    points = plane.points()
    found = np.zeros(points.shape[:2])
    for solid in SOLIDS:
        away = np.abs(points - np.array(solid.centre)) / np.array(solid.half)
        inside = (away < 1).all(-1) if solid.box else (away**2).sum(-1) < 1
        found += solid.value * inside
    return found


def likeness(image: NDArray[np.float32], plane: Plane) -> float:
    """Correlation of a plane with the truth, where all views see it."""
    points = plane.points()
    seen = np.hypot(points[..., 0], points[..., 1]) < 24
    seen &= np.abs(points[..., 2]) < 10
    return float(np.corrcoef(image[seen], truth(plane)[seen])[0, 1])
