"""Figures of maps that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from voltomo.dose.dose_map import DoseMap
from voltomo.dose.metrics import dose_efficiency, image_weighted_dose_Gy, map_metrics


def half_lit() -> DoseMap:
    """Of 16 x 16 x 16 voxels of 1 mm3 half got 10 Gy and a quarter 30 Gy."""
    made = DoseMap(("electrolyte",))
    values = np.zeros((2, 16, 16, 16))
    values[:, :8] = 10.0
    values[:, 8:12] = 30.0
    values[0] *= 1.1
    made.grid.add(0, (0, 0, 0), values)
    return made


def test_figures_of_a_map() -> None:
    found = map_metrics(half_lit(), "electrolyte", 8192.0, 1.2)
    assert found.dose_max_Gy == pytest.approx(33.0)
    assert found.hottest_mm is not None
    assert found.exposed_mm3 == pytest.approx(0.75 * 4096)
    assert found.dose_mean_exposed_Gy == pytest.approx((10 * 2 + 30) / 3)
    assert found.dose_p95_Gy == pytest.approx(30.0)
    assert found.dose_contrast == pytest.approx(30 / (50 / 3))
    assert found.dose_mean_sample_Gy == pytest.approx(12.5 / 2)
    assert found.exposed_fraction == pytest.approx(0.375)
    assert found.absorbed_energy_J == pytest.approx(12.5 * 4.096 * 1.2 * 1e-3)


def test_what_is_not_known_is_not_invented() -> None:
    found = map_metrics(half_lit(), "electrolyte")
    assert found.dose_mean_sample_Gy is None
    assert found.exposed_fraction is None
    assert found.absorbed_energy_J is None


def test_an_even_dose_and_none() -> None:
    even = DoseMap(("electrolyte",))
    even.grid.everywhere = np.array([12.0, 10.0])
    found = map_metrics(even, "electrolyte", 100.0)
    assert found.dose_max_Gy == 12.0
    assert found.hottest_mm is None
    assert found.dose_mean_exposed_Gy == found.dose_p95_Gy == 10.0
    assert found.dose_contrast == 1.0
    assert found.dose_mean_sample_Gy == pytest.approx(10.0)
    none = map_metrics(DoseMap(("electrolyte",)), "electrolyte")
    assert none.dose_max_Gy == 0.0
    assert none.dose_contrast == 1.0


def test_dose_weighted_by_images() -> None:
    before = np.array([5.0, 15.0, 25.0])
    assert image_weighted_dose_Gy(before, np.ones(3)) == pytest.approx(15.0)
    assert image_weighted_dose_Gy(before, np.array([0.0, 0.0, 2.0])) == pytest.approx(25.0)
    assert image_weighted_dose_Gy(before, np.zeros(3)) is None


def test_efficiency() -> None:
    assert dose_efficiency(1e6, 50.0) == pytest.approx(2e4)
    assert dose_efficiency(1e6, 0.0) is None
