"""How a user of any backend works with it."""

from dataclasses import dataclass

import numpy as np

from tests.analysis import phantom
from tests.analysis.conftest import Scan
from voltomo.analysis.reconstructor import Reconstructor, SliceGeometry
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.model.geometry import Geometry


@dataclass(frozen=True)
class _Bench:
    columns: int = 257
    axis: float = 128.0
    roll_deg: float = 0.0
    tilt_deg: float = 0.0


def test_a_user_prepares_adds_and_looks(scan: Scan) -> None:
    reconstructor: Reconstructor = SliceReconstructor(8, 3.5)
    geometry: SliceGeometry = _Bench()
    reconstructor.prepare(geometry)
    assert reconstructor.capabilities.grows
    correlations: list[float] = []
    for view, angle_deg in enumerate(scan.angles_deg):
        reconstructor.add(scan.sinogram[view], float(angle_deg))
        if view in (99, 199, 299):
            seen = reconstructor.recon()
            correlations.append(float(np.corrcoef(seen.ravel(), scan.truth.ravel())[0, 1]))
    assert correlations == sorted(correlations)
    assert phantom.compare(reconstructor.recon(), scan.truth)[0] < 0.13
    assert reconstructor.memory_promise_bytes < 2_000_000


def test_the_geometry_of_a_scan_fits() -> None:
    geometry = Geometry(
        rows=4, columns=64, pixel_um=1.0, axis_column=30.0, step_deg=1.0, projections=180
    )
    reconstructor = SliceReconstructor(8, 3.5)
    reconstructor.prepare(geometry, geometry.angles_deg)
    assert (reconstructor.n_columns, reconstructor.axis_column) == (64, 30.0)
