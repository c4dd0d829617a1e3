"""All backends by one phantom and one convention; foreign ones may be absent, fail or die."""

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tests.analysis import phantom
from tests.recon.recording import AXIS, COLUMNS, nxtomo, truth
from tests.recon.test_recon import run, volume_of
from voltomo.analysis.batch import fbp
from voltomo.analysis.correlation import disc_correlation
from voltomo.recon.convention import find_convention, shift_rows
from voltomo.recon.job import Stopped
from voltomo.recon.own import OwnReconstructor
from voltomo.recon.planning import RowGeometry
from voltomo.recon.process_backend import BackendFailed, Name, ProcessReconstructor
from voltomo.recon.record import read_done
from voltomo.recon.wish import Wish

SIZE, VIEWS = 96, 120
ANGLES = np.arange(VIEWS) * 180 / VIEWS
SHAPES = np.concatenate([[[0.05, 0.05, 0.8, 0.7, 0.3, 1.0]], phantom.jelly_roll(25, 5)[16:]])

# A library with a convention of its own: mirrored, a pixel and a half off, another scale. It
# fails, hangs or dies on the slab that a file tells it to.
FAKE = """
import os, time
import numpy as np
def fbp_reconstruction(sinogram, center, angles=None, **_):
    print("a library may say what it likes")
    trouble = os.environ.get("FAKE_TROUBLE", "")
    count = int(os.environ.get("FAKE_COUNT", "0"))
    calls = globals().setdefault("calls", [])
    calls.append(1)
    if trouble and len(calls) > count:
        if trouble == "raise":
            raise MemoryError("no room for it")
        if trouble == "hang":
            time.sleep(600)
        if trouble == "abort":
            os.abort()
        if trouble == "wrong":
            return np.random.default_rng(1).normal(size=(sinogram.shape[1],) * 2)
    n = sinogram.shape[1]
    kernel = np.zeros(4 * n)
    kernel[0] = 0.25
    k = np.arange(1, 2 * n, 2)
    kernel[k] = kernel[-k] = -1 / (np.pi * k) ** 2
    ramp = np.fft.fft(kernel).real
    rows = np.fft.ifft(np.fft.fft(sinogram, 4 * n, axis=1) * ramp, axis=1).real[:, :n]
    x = np.arange(n) - center + 1.5
    out = np.zeros((n, n))
    for row, angle in zip(rows, angles):
        u = center + x[None, :] * np.cos(angle) + (x[:, None] - 2.0) * np.sin(angle)
        out += np.interp(u.ravel(), np.arange(n), row, 0, 0).reshape(n, n)
    return 3.3 * np.pi / len(angles) * out[:, ::-1].T
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "fake" / "algotom" / "rec"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package.parent / "__init__.py").write_text("")
    (package / "reconstruction.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    return package


def _python_with(name: str) -> Path:
    """A Python that has the library, here or where the environment says; else it is absent."""
    named = os.environ.get(f"VOLTOMO_{name.upper()}_PYTHON")
    if named:
        return Path(named)
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name}: absent")
    return Path(sys.executable)


def _check(made: NDArray[np.float32], rows: NDArray[np.float32], axis: float) -> None:
    # Of what is coarse: how sharp fine detail is differs between methods.
    own, other = (
        np.asarray(gaussian_filter(image, 1.5), np.float32)
        for image in (fbp(rows, ANGLES, axis, SIZE), made)
    )
    _, scale, dx, dy = phantom.compare(other, own, 0.8)
    assert scale == pytest.approx(1, abs=0.02)
    assert abs(dx) < 0.05
    assert abs(dy) < 0.05


@pytest.mark.parametrize("axis", [47.5, 50.3, 41.0])
def test_the_own_backend_keeps_the_convention(axis: float) -> None:
    rows = phantom.sinogram(SHAPES, SIZE, ANGLES, axis)
    own = OwnReconstructor(threads=2)
    own.prepare(RowGeometry(SIZE, axis), ANGLES, SIZE)
    made = own.recon_slices(np.stack([rows * k for k in range(1, 20)]))
    assert made.shape == (19, SIZE, SIZE)
    _check(made[0], rows, axis)
    np.testing.assert_allclose(made[18], 19 * made[0], rtol=1e-3, atol=3e-3)
    assert own.memory_promise_bytes > 0


@pytest.mark.parametrize("axis", [47.5, 50.3])
def test_a_foreign_backend_is_brought_into_the_convention(fake: Path, axis: float) -> None:
    rows = phantom.sinogram(SHAPES, SIZE, ANGLES, axis)
    backend = ProcessReconstructor("algotom")
    backend.prepare(RowGeometry(SIZE, axis), ANGLES, SIZE)
    made = backend.recon_slices(rows[None])
    backend.close()
    _check(made[0], rows, axis)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["algotom", "tomopy"])
@pytest.mark.parametrize("axis", [47.5, 50.3])
def test_a_real_foreign_backend_is_brought_into_the_convention(name: Name, axis: float) -> None:
    backend = ProcessReconstructor(name, _python_with(name))
    rows = phantom.sinogram(SHAPES, SIZE, ANGLES, axis)
    backend.prepare(RowGeometry(SIZE, axis), ANGLES, SIZE)
    made = backend.recon_slices(rows[None])
    backend.close()
    _check(made[0], rows, axis)


def test_a_volume_by_a_foreign_backend(tmp_path: Path, fake: Path) -> None:
    file = nxtomo(tmp_path / "scan.nxs")
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", backend="algotom", rows=(16, 32))
    run(wish)
    volume = volume_of(wish.output)
    assert volume.shape == (16, COLUMNS, COLUMNS)
    assert disc_correlation(volume[4], truth(0.5), 0.8) > 0.9


def test_a_backend_that_is_absent_is_one_sentence(tmp_path: Path) -> None:
    if importlib.util.find_spec("tomopy"):
        pytest.skip("tomopy is here")
    file = nxtomo(tmp_path / "scan.nxs")
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", backend="tomopy", axis_column=AXIS)
    with pytest.raises(BackendFailed, match=r"tomopy is absent from .*environment.yml"):
        run(wish)
    assert not wish.output.exists()
    with pytest.raises(BackendFailed, match="cannot be run for tomopy"):
        run(wish.model_copy(update={"python": tmp_path / "python"}))


@pytest.mark.parametrize(
    ("trouble", "match"),
    [
        ("abort", "process of algotom ended by SIGABRT"),
        ("raise", "algotom failed with MemoryError: no room for it"),
    ],
)
def test_a_backend_that_fails_on_the_way_leaves_what_is_done(
    tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, match: str
) -> None:
    file = nxtomo(tmp_path / "scan.nxs")
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", backend="algotom", axis_column=AXIS)
    monkeypatch.setenv("FAKE_TROUBLE", trouble)
    # One call for the test at the start, sixteen for the first slab.
    monkeypatch.setenv("FAKE_COUNT", "20")
    with pytest.raises(Stopped, match=match):
        run(wish)
    assert sorted(read_done(wish.output).slabs) == [0]
    monkeypatch.delenv("FAKE_TROUBLE")
    said: list[str] = []
    run(wish, said)
    assert said[0] == "goes on after 1 of 3 slabs"
    assert disc_correlation(volume_of(wish.output)[20], truth(0.5), 0.8) > 0.9


def test_a_backend_that_hangs_or_is_wrong_is_ended(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TROUBLE", "hang")
    backend = ProcessReconstructor("algotom", patience_s=1.0, first_s=0.0)
    with pytest.raises(BackendFailed, match="did not answer within"):
        backend.prepare(RowGeometry(SIZE, 47.5), ANGLES, SIZE)
    backend.close()
    monkeypatch.setenv("FAKE_TROUBLE", "wrong")
    backend = ProcessReconstructor("algotom")
    with pytest.raises(BackendFailed, match=r"off by .* in every orientation"):
        backend.prepare(RowGeometry(SIZE, 47.5), ANGLES, SIZE)
    backend.close()
    with pytest.raises(ValueError, match="all angles before"):
        ProcessReconstructor("algotom").prepare(RowGeometry(SIZE, 47.5))


def test_rows_are_moved_by_fractions() -> None:
    place = np.arange(64.0)
    rows = np.exp(-((place - 30) ** 2) / 18)[None].astype(np.float32)
    moved = shift_rows(rows, 2.25)
    np.testing.assert_allclose(moved[0], np.exp(-((place - 32.25) ** 2) / 18), atol=1e-5)


def test_a_convention_is_read_from_a_test_slice() -> None:
    def odd(rows: NDArray[np.float32], angles: NDArray[np.float64]) -> NDArray[np.float32]:
        return (2 * np.rot90(fbp(rows, angles), 3)[:, ::-1]).astype(np.float32)

    found = find_convention(odd, 96, ANGLES)
    assert found.scale == pytest.approx(0.5, rel=0.02)
    assert abs(found.x) < 0.02
    assert abs(found.y) < 0.02
    rows = phantom.sinogram(SHAPES, SIZE, ANGLES)
    _check(found.apply(odd(rows, ANGLES)), rows, 47.5)
