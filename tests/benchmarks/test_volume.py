"""The benchmark of volumes measures what it says, of right volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.volume import against_mbirjax, exponent
from benchmarks.volume_case import measure
from benchmarks.volume_source import Balls
from tests.analysis.solids import Bench, ball, project


def test_its_projections_are_those_of_the_tests() -> None:
    source = Balls(48, 25.0)
    bench = Bench(48, 48, 23.5, 25.0)
    solids = [ball(*each) for each in source.balls]
    expected = project(solids, bench, float(source.angles_deg[7]), fine=1)
    np.testing.assert_allclose(source[7, slice(0, 48)], expected, atol=1e-5)
    np.testing.assert_allclose(source[7, slice(10, 30)], expected[10:30], atol=1e-5)


@pytest.mark.parametrize("free_mb", [0.0, 20.0])
def test_a_case_is_a_right_volume(free_mb: float) -> None:
    made = measure(96, 0.0, free_mb)
    assert made["value_in_balls"] == pytest.approx(1.0, abs=0.1)
    assert made["binning"] == 1
    assert made["promised_mb"] <= (free_mb or made["promised_mb"])
    assert made["gups_core"] > 0


def test_an_exponent_is_a_slope() -> None:
    sizes = [{"n": n, "tilt_deg": 30.0, "cpu_s": 3e-9 * n**4} for n in (256, 512, 1024)]
    assert exponent(sizes, 30.0) == 4.0
    assert exponent(sizes[:1], 30.0) is None


def test_without_the_peers_they_are_absent(tmp_path: Path) -> None:
    assert against_mbirjax(64, 30.0, tmp_path / "python") == "absent"
