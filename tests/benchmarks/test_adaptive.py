"""The saving is that of the live rule, and is told with what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.adaptive import counts_for, likeness, run, scan_of, sweeps_of, true_resolution
from benchmarks.phantoms import counted, phantom
from voltomo.analysis.batch import fbp
from voltomo.analysis.quality import snr
from voltomo.model.target import Target


def test_sweeps_take_no_more_than_the_fixed_scan() -> None:
    for views in (101, 202, 403, 805):
        sweeps, each = sweeps_of(views)
        assert 0.95 * views <= sweeps * each <= views
    spec = scan_of(256, Target(metric="frc_resolution", at_most=6.0))
    assert (spec.sweeps, spec.geometry.projections) == (13, 31)


def test_counts_give_the_signal_to_noise_that_is_stated() -> None:
    angles = np.arange(200, dtype=np.float64) * 0.9
    truth, (sinogram,) = phantom(3, 128, angles, [63.5])
    counts = counts_for(5.0, truth, sinogram, 200)
    found = fbp(counted(sinogram, counts, np.random.default_rng(1)), angles)
    assert snr(found) == pytest.approx(5.0, rel=0.25)


def test_the_truth_resolves_itself_and_noise_does_not() -> None:
    truth, _ = phantom(3, 96, np.arange(4, dtype=np.float64) * 45.0, [47.5])
    noisy = truth + np.random.default_rng(1).normal(0, truth.std(), truth.shape).astype(np.float32)
    assert true_resolution(truth, truth) == pytest.approx(2.0, abs=0.1)
    assert true_resolution(noisy, truth) > 2.5
    assert likeness(noisy, truth, 6.0) > likeness(noisy, truth, 2.0)


def test_what_is_reported_adds_up() -> None:
    found = run(seeds=1, seed=5, size=96, snr_wanted=6.0, rings=1.0, period=9.0)
    assert found["seeds"] == 1
    assert found["early_stop_errors"] == 0
    assert 0 <= found["dose_saved_median"] < 1
    assert found["quality_ratio_median"] > 0.9
