"""How a user of any backend works with it, and that all of them keep one convention."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tests.analysis import phantom
from tests.analysis.conftest import SIZE, VIEWS, Scan
from voltomo.analysis.correlation import disc_correlation
from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.reconstructor import GrowingReconstructor, Reconstructor, SliceGeometry
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.weights import angular_weights
from voltomo.model.geometry import Geometry


@dataclass(frozen=True)
class Bench:
    columns: int = SIZE
    axis: float = 128.0
    roll_deg: float = 0.0
    tilt_deg: float = 0.0


BACKENDS: list[Callable[[], Reconstructor]] = [
    lambda: SliceReconstructor(8, 3.5),
    GriddingReconstructor,
]
every_backend = pytest.mark.parametrize("make", BACKENDS, ids=["sheared rows", "gridding"])


def blob(columns: int, axis: float, size: int, angles_deg) -> tuple[np.ndarray, np.ndarray]:
    """Sinogram and slice of a smooth blob off the axis: nothing is lost to the pixels."""
    x0, y0, sigma = -7.1, 3.3, 4.0
    angle = np.radians(np.asarray(angles_deg))[:, None]
    u = np.arange(columns)[None, :] - axis - x0 * np.cos(angle) - y0 * np.sin(angle)
    place = np.arange(size) - (size - 1) / 2
    x, y = place[None, :] - x0, place[:, None] - y0
    slice_ = np.exp(-(x**2 + y**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    return np.exp(-(u**2) / (2 * sigma**2)).astype(np.float32), slice_.astype(np.float32)


@every_backend
@pytest.mark.parametrize(
    ("columns", "axis", "size"),
    [(96, 47.5, 80), (97, 48.0, 97), (128, 63.5, 128), (200, 83.3, 81), (201, 140.0, 80)],
)
def test_scale_and_place_are_right_at_any_length_and_axis(
    make: Callable[[], Reconstructor], columns: int, axis: float, size: int
) -> None:
    angles_deg = np.arange(180) * 1.0
    sinogram, truth = blob(columns, axis, size, angles_deg)
    backend = make()
    backend.prepare(Bench(columns, axis), angles_deg, size)
    slices = backend.recon_slices(np.stack([sinogram, 2 * sinogram]))
    assert slices.shape == (2, size, size)
    assert slices.dtype == np.float32
    for number, slice_ in enumerate(slices, 1):
        _, scale, dx, dy = phantom.compare(slice_, truth)
        assert scale == pytest.approx(number, rel=0.02)
        assert max(abs(dx), abs(dy)) < 0.05


@every_backend
def test_every_backend_finds_the_phantom(make: Callable[[], Reconstructor], scan: Scan) -> None:
    backend = make()
    backend.prepare(Bench(), scan.angles_deg)
    (slice_,) = backend.recon_slices(scan.sinogram[None])
    rmse, scale, dx, dy = phantom.compare(slice_, scan.truth)
    assert rmse < 0.13
    assert scale == pytest.approx(1.0, abs=0.05)  # edges of this coarse grid are blurred
    assert max(abs(dx), abs(dy)) < 0.05


def test_backends_agree(scan: Scan) -> None:
    slices: list[np.ndarray] = []
    for make in BACKENDS:
        backend = make()
        backend.prepare(Bench(), scan.angles_deg)
        slices.append(backend.recon_slices(scan.sinogram[None])[0])
    assert disc_correlation(slices[0], slices[1]) > 0.99
    corner = np.ix_([0, -1], [0, -1])
    assert not any(slice_[corner].any() for slice_ in slices)


@every_backend
@pytest.mark.parametrize(
    "angles_deg",
    [
        np.concatenate((np.arange(120) * 0.75, 90 + np.arange(40) * 2.25)),
        np.random.default_rng(2).permutation(np.arange(360) * 1.0) - 720.0,
        np.arange(241) * 1.0,
    ],
    ids=["uneven", "a turn, shuffled", "more than half a turn"],
)
def test_weights_come_from_the_angles(
    make: Callable[[], Reconstructor], angles_deg: np.ndarray
) -> None:
    sinogram, truth = blob(96, 47.5, 80, angles_deg)
    backend = make()
    backend.prepare(Bench(96, 47.5), angles_deg, 80)
    own = backend.recon_slices(sinogram[None])[0]
    assert phantom.compare(own, truth)[0] < 0.02
    backend.prepare(Bench(96, 47.5), angles_deg, 80, angular_weights(angles_deg))
    np.testing.assert_array_equal(backend.recon_slices(sinogram[None])[0], own)
    backend.prepare(Bench(96, 47.5), angles_deg, 80, np.full(angles_deg.size, 0.0))
    assert not backend.recon_slices(sinogram[None]).any()


@every_backend
def test_memory_stays_below_its_promise(make: Callable[[], Reconstructor], scan: Scan) -> None:
    sinograms = np.repeat(scan.sinogram[None], 5, 0)
    backend = make()
    backend.prepare(Bench(), scan.angles_deg)
    backend.recon_slices(sinograms)  # what is loaded and compiled once is not the slice's
    tracemalloc.start()
    try:
        backend.prepare(Bench(), scan.angles_deg)
        promise = backend.memory_promise_bytes
        slices = backend.recon_slices(sinograms)
        peak = tracemalloc.get_traced_memory()[1] - slices.nbytes
    finally:
        tracemalloc.stop()
    assert peak <= promise <= 1.25 * peak + 300_000


@every_backend
def test_what_cannot_be_used_is_refused_in_a_sentence(
    make: Callable[[], Reconstructor], scan: Scan
) -> None:
    backend = make()
    with pytest.raises(ValueError, match="prepare"):
        backend.recon_slices(scan.sinogram[None])
    with pytest.raises(ValueError, match="looks like radians"):
        backend.prepare(Bench(), np.radians(scan.angles_deg))
    with pytest.raises(ValueError, match=r"views \[2\] are not"):
        backend.prepare(Bench(), [0.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="list of angles"):
        backend.prepare(Bench(), [])
    with pytest.raises(ValueError, match="one weight a view"):
        backend.prepare(Bench(), [0.0, 90.0], weights_rad=[1.0])
    with pytest.raises(ValueError, match="0 or more"):
        backend.prepare(Bench(), [0.0, 90.0], weights_rad=[1.0, -1.0])
    with pytest.raises(ValueError, match="laminography"):
        backend.prepare(Bench(tilt_deg=30.0), scan.angles_deg)
    with pytest.raises(ValueError, match="rolled by 2"):
        backend.prepare(Bench(roll_deg=2.0), scan.angles_deg)
    with pytest.raises(ValueError, match="columns 0 to 256"):
        backend.prepare(Bench(axis=257.0), scan.angles_deg)
    with pytest.raises(ValueError, match="2 x 2"):
        backend.prepare(Bench(), scan.angles_deg, 1)
    backend.prepare(Bench(), scan.angles_deg)
    with pytest.raises(ValueError, match=f"{VIEWS} views, {SIZE} columns"):
        backend.recon_slices(scan.sinogram)
    with pytest.raises(ValueError, match="as prepared"):
        backend.recon_slices(scan.sinogram[None, 1:])
    complex_: np.ndarray = scan.sinogram[None].astype(np.complex64)
    with pytest.raises(ValueError, match="real numbers"):
        backend.recon_slices(complex_)
    bad = np.repeat(scan.sinogram[None], 3, 0)
    bad[1, 7, 5:8] = np.inf
    with pytest.raises(ValueError, match=r"Sinogram 1 has 3 values .* 1 of its 300 views.*\[7\]"):
        backend.recon_slices(bad)


def test_a_user_prepares_adds_and_looks(scan: Scan) -> None:
    reconstructor: GrowingReconstructor = SliceReconstructor(8, 3.5)
    geometry: SliceGeometry = Bench()
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


@every_backend
def test_the_geometry_of_a_scan_fits(make: Callable[[], Reconstructor]) -> None:
    geometry = Geometry(
        rows=4, columns=64, pixel_um=1.0, axis_column=30.0, step_deg=1.0, projections=180
    )
    backend = make()
    backend.prepare(geometry, geometry.angles_deg)
    assert backend.recon_slices(np.zeros((4, 180, 64), np.float32)).shape == (4, 64, 64)
