"""The state of charge and what is known of it."""

import math
from typing import Any

import pytest

from voltomo.model.soc_counter import SocCounter

TABLE: dict[str, Any] = {"ocv_soc": (0.0, 0.5, 1.0), "ocv_V": (3.0, 3.7, 4.2)}


def test_charge_moves_it_and_distance_and_time_blur_it() -> None:
    counter = SocCounter(2.0, 0.2, 0.01, capacity_sigma=0.02, current_offset_A=0.001)
    counter.add(0, 10.0, 1.0, 3.5)
    assert counter.soc == 0.2
    counter.add(3600, 11.0, 1.0, 3.6)
    assert counter.soc == pytest.approx(0.7)
    assert counter.sigma == pytest.approx(math.hypot(0.01, 0.02 * 0.5, 0.001 / 2))


def test_a_long_rest_anchors_it_by_the_voltage() -> None:
    counter = SocCounter(2.0, 0.6, 0.1, **TABLE, ocv_sigma_V=3e-3)
    for minute in range(32):
        counter.add(60.0 * minute, 0.0, 0.0, 3.7)
    assert counter.soc == pytest.approx(0.5, abs=0.001)
    assert counter.sigma < 0.003


def test_on_a_plateau_the_count_goes_on_alone() -> None:
    flat: dict[str, Any] = {"ocv_soc": (0.0, 0.1, 0.9, 1.0), "ocv_V": (2.5, 3.280, 3.285, 3.5)}
    counter = SocCounter(2.0, 0.6, 0.01, **flat, ocv_sigma_V=5e-3)
    for minute in range(32):
        counter.add(60.0 * minute, 0.0, 0.0, 3.281)
    assert counter.soc == pytest.approx(0.6, abs=0.002)


@pytest.mark.parametrize(
    "wrong",
    [{"capacity_Ah": 0.0}, {"soc_sigma": -1.0}, {"ocv_soc": (0.0, 1.0), "ocv_V": (4.0, 3.0)}],
)
def test_nonsense_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected"):
        SocCounter(**({"capacity_Ah": 1.0, "soc": 0.5} | wrong))


def test_a_reading_that_is_no_number_changes_nothing() -> None:
    counter = SocCounter(2.0, 0.2)
    counter.add(0, 0.0, 1.0, 3.5)
    with pytest.raises(ValueError, match="stays as it was"):
        counter.add(1, math.nan, 1.0, 3.5)
    assert counter.soc == 0.2


def test_one_long_rest_tells_no_more_than_a_short_one() -> None:
    counter = SocCounter(2.0, 0.6, 0.003, **TABLE, ocv_sigma_V=5e-3)
    sigmas: list[float] = []
    for minute in range(600):
        counter.add(60.0 * minute, 0.0, 0.0, 3.71)
        sigmas.append(counter.sigma)
    assert sigmas[31] < 0.003
    assert sigmas[-1] == pytest.approx(sigmas[31])


@pytest.mark.parametrize("voltage_V", [2.99, 4.21])
def test_a_voltage_that_the_table_does_not_hold_tells_nothing(voltage_V: float) -> None:
    counter = SocCounter(2.0, 0.6, 0.1, **TABLE)
    for minute in range(60):
        counter.add(60.0 * minute, 0.0, 0.0, voltage_V)
    assert (counter.soc, counter.sigma) == (0.6, 0.1)


def test_at_an_end_of_the_table_it_is_known_as_well_as_its_slope_says() -> None:
    counter = SocCounter(2.0, 0.9, 10.0, **TABLE, ocv_sigma_V=5e-3)
    for minute in range(32):
        counter.add(60.0 * minute, 0.0, 0.0, 4.2)
    assert counter.soc == pytest.approx(1.0, abs=1e-4)
    assert counter.sigma == pytest.approx(5e-3, rel=1e-3)
