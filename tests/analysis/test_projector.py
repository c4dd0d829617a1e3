"""The forward projector against analytic line integrals, and against its own transpose."""

import numpy as np
import pytest

from tests.analysis import phantom
from tests.analysis.conftest import SIZE, Scan
from tests.analysis.test_reconstructor import Bench, blob
from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.projector import ParallelProjector


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.ravel().astype(np.float64) @ b.ravel().astype(np.float64))


@pytest.mark.parametrize(
    ("columns", "axis", "size"),
    [(64, 31.5, 64), (65, 20.25, 65), (90, 60.0, 64), (40, 19.5, 97), (257, 128.0, 257)],
)
def test_forward_and_back_are_adjoint(columns: int, axis: float, size: int) -> None:
    random = np.random.default_rng(columns)
    angles_deg = np.concatenate(([0.0, 45.0, 90.0, 135.0, -45.0], random.uniform(-400, 400, 32)))
    projector = ParallelProjector(Bench(columns, axis), angles_deg, size)
    x = random.random((size, size), np.float32)
    y = random.random((angles_deg.size, columns), np.float32)
    assert _dot(projector.project(x), y) == pytest.approx(
        _dot(x, projector.back_project(y)), rel=1e-5
    )
    # Of both signs, held against what the product could be at most.
    x, y = x - np.float32(0.5), y - np.float32(0.5)
    forward, back = projector.project(x), projector.back_project(y)
    most = np.sqrt(_dot(forward, forward) * _dot(y, y))
    assert abs(_dot(forward, y) - _dot(x, back)) < 1e-5 * most
    assert forward.dtype == back.dtype == np.float32


def test_line_integrals_are_those_of_the_phantom(scan: Scan) -> None:
    some = np.arange(0, scan.angles_deg.size, 7)
    projector = ParallelProjector(Bench(), scan.angles_deg[some])
    sinogram = projector.project(scan.truth)
    expected = scan.sinogram[some]
    assert np.sqrt(np.mean((sinogram - expected) ** 2)) < 0.03 * expected.std()
    # Every view sees all of the slice.
    np.testing.assert_allclose(sinogram.sum(1), scan.truth.sum(), rtol=1e-4)


def test_a_smooth_slice_comes_back_from_its_projections() -> None:
    angles_deg = np.arange(120) * 1.5
    sinogram, truth = blob(96, 44.3, 80, angles_deg)
    made = ParallelProjector(Bench(96, 44.3), angles_deg, 80).project(truth)
    assert np.sqrt(np.mean((made - sinogram) ** 2)) < 0.02 * sinogram.max()
    # All rows fall on the same few places at 45 degrees, where pixels shared linearly ripple.
    assert np.abs(made - sinogram).max() < 0.1 * sinogram.max()
    backend = GriddingReconstructor()
    backend.prepare(Bench(96, 44.3), angles_deg, 80)
    rmse, scale, dx, dy = phantom.compare(backend.recon_slices(made[None])[0], truth)
    assert rmse < 0.06
    assert scale == pytest.approx(1.0, abs=0.02)
    assert max(abs(dx), abs(dy)) < 0.05


def test_what_cannot_be_projected_is_refused(scan: Scan) -> None:
    projector = ParallelProjector(Bench(), [0.0, 30.0])
    with pytest.raises(ValueError, match="257 x 257"):
        projector.project(scan.truth[:-1])
    with pytest.raises(ValueError, match="1 values that are not finite"):
        bad = scan.truth.copy()
        bad[3, 4] = np.nan
        projector.project(bad)
    with pytest.raises(ValueError, match="as prepared"):
        projector.back_project(scan.sinogram)
    with pytest.raises(ValueError, match="not finite"):
        projector.back_project(np.full((2, SIZE), np.inf, np.float32))
    with pytest.raises(ValueError, match="laminography"):
        ParallelProjector(Bench(tilt_deg=20.0), [0.0])
    with pytest.raises(ValueError, match="looks like radians"):
        ParallelProjector(Bench(), np.radians(scan.angles_deg))
    # A refusal leaves nothing behind.
    assert not projector.back_project(np.zeros((2, SIZE), np.float32)).any()
