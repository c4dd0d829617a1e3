"""The comparison: exact data, a fair score, and processes that are held to their limits."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.fbp import Data, compare
from benchmarks.fbp_methods import METHODS
from benchmarks.fbp_process import Failed, MethodProcess
from benchmarks.fbp_score import Pose, Transfer, error_and_slope, pose_of
from benchmarks.fbp_worker import Worker
from benchmarks.phantoms import counted, ellipses, phantom
from tests.analysis import phantom as other
from voltomo.analysis.batch import fbp

SIZE = 96
ANGLES_DEG = np.linspace(0.0, 180.0, 150, endpoint=False)


def test_phantom_and_sinograms_are_those_of_the_ellipses() -> None:
    axes = ((SIZE - 1) / 2, 40.25)
    image, sinograms = phantom(3, SIZE, ANGLES_DEG, axes)
    shapes = ellipses(3)
    expected = other.image(shapes, SIZE, 8)
    scale = image.sum() / expected.sum()
    assert np.sqrt(np.mean((image - scale * expected) ** 2)) < 0.02 * image.std()
    for axis, sinogram in zip(axes, sinograms, strict=True):
        by_points = other.sinogram(shapes, SIZE, ANGLES_DEG, axis, oversampling=16)
        assert np.abs(sinogram - scale * by_points).max() < 0.01 * sinogram.max()
    assert max(sinogram.max() for sinogram in sinograms) == pytest.approx(2.0)
    rmse, scale, dx, dy = other.compare(fbp(sinograms[0], ANGLES_DEG), image, 0.86)
    assert rmse < 0.5
    assert max(abs(dx), abs(dy)) < 0.05
    assert not np.array_equal(phantom(4, SIZE, ANGLES_DEG, axes)[0], image)


def test_counting_scatters_by_the_root_of_the_counts() -> None:
    sinogram = np.full((300, 300), 1.0, np.float32)
    noisy = counted(sinogram, 1e4, np.random.default_rng(1))
    assert noisy.mean() == pytest.approx(1.0, abs=1e-3)
    assert noisy.std() == pytest.approx(np.sqrt(np.e / 1e4), rel=0.02)


@pytest.mark.parametrize("pose", [Pose(), Pose(3), Pose(2, True), Pose(1, True)])
def test_orientation_scale_and_half_pixels_are_forgiven_and_scale_is_told(pose: Pose) -> None:
    truth = phantom(1, SIZE, ANGLES_DEG, [SIZE / 2])[0]
    # A mirrored pose is its own way back but for the turn.
    turned = (
        pose.of(2 * truth + 5) if pose.mirrored else np.rot90(2 * truth + 5, -pose.quarter_turns)
    )
    turned = np.ascontiguousarray(turned, np.float32)
    found = pose_of(turned, truth)
    error, slope = error_and_slope(found.of(turned), truth)
    assert error < 0.01
    assert slope == pytest.approx(2.0, rel=1e-3)
    assert found.shift == (0.0, 0.0)
    smooth = Transfer(SIZE).softened(truth, np.ones(51), np.exp(-np.arange(51) / 10.0))
    half = Pose(shift=(0.5, -0.5)).of(smooth)
    assert pose_of(half, smooth).shift == (-0.5, 0.5)


def test_a_softer_slice_has_the_transfer_it_was_given() -> None:
    truths = np.stack([phantom(seed, SIZE, ANGLES_DEG, [SIZE / 2])[0] for seed in range(4)])
    transfer = Transfer(SIZE)
    wanted = np.linspace(1, 0.3, 51)
    soft = np.stack([transfer.softened(truth, np.ones(51), wanted) for truth in truths])
    np.testing.assert_allclose(transfer.of(soft, truths)[2:45], wanted[2:45], atol=0.05)
    sharper = transfer.softened(soft[0], wanted, np.ones(51))
    np.testing.assert_allclose(sharper, soft[0], atol=1e-6)


def test_a_worker_answers_orders(tmp_path) -> None:
    _, (sinogram,) = phantom(2, SIZE, ANGLES_DEG, [(SIZE - 1) / 2])
    np.save(tmp_path / "in.npy", np.stack([sinogram] * 3))
    worker = Worker(METHODS["voltomo_live"])
    with pytest.raises(ValueError, match="make comes first"):
        worker.obey({"time": 1})
    made = worker.obey({"make": SIZE, "angles_deg": ANGLES_DEG.tolist()})
    assert made.keys() == {"compile_s", "setup_s"}
    assert worker.obey({"load": str(tmp_path / "in.npy")}) == {"slices": 3}
    assert worker.obey({"time": 2})["cpu_s"] > 0
    worker.obey({"save": str(tmp_path / "out.npy")})
    slices = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(slices[2], fbp(sinogram, ANGLES_DEG), atol=1e-6)
    with pytest.raises(ValueError, match="no such order"):
        worker.obey({"sing": True})


def test_a_process_that_is_late_or_dies_fails_alone(tmp_path) -> None:
    process = MethodProcess("voltomo_live")
    with pytest.raises(Failed, match="no answer within 0 s"):
        process.ask({"make": SIZE, "angles_deg": ANGLES_DEG.tolist()}, 0.0)
    process = MethodProcess("voltomo_live")
    with pytest.raises(Failed, match="make comes first"):
        process.ask({"time": 1}, 60.0)
    process.close()


def test_the_comparison_has_the_promised_fields(tmp_path) -> None:
    data = Data.make(tmp_path, 5, 2, SIZE, ANGLES_DEG.size)
    found = compare(["voltomo", "voltomo_live", "gridrec"], data, 2)
    tools = found["tools"]
    row = {"ms_per_slice", "setup_ms", "rel_rmse", "rel_rmse_noisy", "slope"}
    for name in ("voltomo", "voltomo_live"):
        assert tools[name].keys() == row
        assert tools[name]["rel_rmse"] < tools[name]["rel_rmse_noisy"] < 1
        assert 0.5 < tools[name]["slope"] < 1.1
    assert tools["gridrec"] == "absent" or tools["gridrec"].keys() == row
    assert 0 < found["load_bandwidth_fraction"] < 1.5
    assert found["updates_per_s_core"] > 0
    assert "voltomo_live" in found["matched_rel_rmse_noisy"]
    json.dumps(found, allow_nan=False)
