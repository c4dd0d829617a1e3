"""The forecast of a protocol, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.experiment.experiments import SHIPPED
from voltomo.experiment.cell import CyclingCell
from voltomo.experiment.course import forecast
from voltomo.experiment.experiment_file import load_experiment
from voltomo.experiment.protocol import Step
from voltomo.experiment.surroundings import Environment, TemperatureFrom
from voltomo.twin.cell_model import CellModel

CELL = CyclingCell(
    capacity_Ah=1.0,
    soc=0.2,
    min_V=3.0,
    max_V=4.0,
    max_current_mA=2000,
    resistance_ohm=0.1,
    ocv_soc=(0.0, 1.0),
    ocv_V=(3.0, 4.0),
)


def rest(time_s: float) -> Step:
    return Step(step="open_circuit_voltage", until_time_s=time_s)


def test_a_current_ends_where_voltage_at_rest_and_drop_reach_its_end() -> None:
    course = forecast(
        CELL,
        [Step(step="constant_current", rate_C=1.0, until_voltage_V=3.6), rest(100)],
        Environment(),
    )
    # 3 V + soc × 1 V + 1 A × 0.1 ohm = 3.6 V at a state of charge of 0.5.
    assert course.socs[-1] == pytest.approx(0.5, abs=1e-5)
    assert course.total_s == pytest.approx(0.3 * 3600 + 100, abs=0.1)
    assert course.readings[-1].voltage_V == pytest.approx(3.5, abs=1e-5)


def test_a_held_voltage_falls_off_exponentially() -> None:
    hold = Step(step="constant_voltage", voltage_V=3.4, until_rate_C=0.2)
    course = forecast(CELL, [hold], Environment())
    # 2 A at first, which the cell's limit allows; the time constant is 0.1 ohm × 3600 As / 1 V.
    assert course.total_s == pytest.approx(360 * np.log(10), rel=0.1)
    assert course.socs[-1] == pytest.approx(0.38, abs=5e-3)


def test_a_step_beyond_the_limits_is_told_with_its_place() -> None:
    course = forecast(
        CELL, [Step(step="constant_current", rate_C=1.0, until_time_s=7200)], Environment()
    )
    (found,) = course.findings
    assert found.place == ("protocol", 0)
    assert found.refuses
    assert "above its limit of 4 V after about 0.7 h of 2 h" in found.what


def test_a_step_that_ends_at_once_is_told() -> None:
    course = forecast(
        CELL,
        [Step(step="constant_current", rate_C=1.0, until_voltage_V=3.1), rest(10)],
        Environment(),
    )
    (found,) = course.findings
    assert not found.refuses
    assert "ends at once" in found.what
    assert course.socs[-1] == pytest.approx(0.2, abs=1e-5)


def test_a_hold_without_end_is_told() -> None:
    hold = Step(step="constant_voltage", voltage_V=3.9, until_current_mA=1e-12)
    course = forecast(CELL.model_copy(update={"resistance_ohm": 1e4}), [hold], Environment())
    assert "does not end within 48 h" in course.findings[0].what


def test_the_chamber_moves_with_its_ramp() -> None:
    surroundings = Environment(
        temperature_C=20,
        ramp_K_per_min=1,
        changes=(TemperatureFrom(tag="warm", temperature_C=30),),
    )
    course = forecast(
        CELL, [rest(300), Step(step="tag", tag="warm"), rest(300), rest(600)], surroundings
    )
    ends_C = {reading.step: reading.temperature_C for reading in course.readings}
    assert ends_C[0] == pytest.approx(20)
    assert ends_C[2] == pytest.approx(25, abs=1e-3)
    assert ends_C[3] == pytest.approx(30)


def test_times_rise_and_cycles_count_charges_after_discharges() -> None:
    steps = [
        Step(step="tag", tag="a"),
        Step(step="constant_current", rate_C=1.0, until_voltage_V=3.9),
        Step(step="constant_current", rate_C=-1.0, until_voltage_V=3.1),
        Step(step="loop", loop_to="a", cycle_count=3),
    ]
    course = forecast(CELL, steps, Environment())
    assert np.all(np.diff(course.times_s) > 0)
    assert course.readings[0].cycle == 0
    assert course.readings[-1].cycle == 2


def test_the_shipped_forecast_agrees_with_the_virtual_cell() -> None:
    experiment = load_experiment(SHIPPED / "experiment.yml")
    charge, discharge = experiment.protocol[2:4]
    course = forecast(experiment.cell, [charge, discharge], experiment.environment)
    turned_s = max(reading.time_s for reading in course.readings if reading.step == 0)
    cell = CellModel(soc=experiment.cell.soc)
    took_s = 0.0
    while cell.voltage_V < 4.15:
        cell.advance(charge.current_A(experiment.cell.capacity_Ah), 10.0)
        took_s += 10.0
    assert turned_s == pytest.approx(took_s, rel=0.01)
    while cell.voltage_V > 3.0:
        cell.advance(discharge.current_A(experiment.cell.capacity_Ah), 10.0)
        took_s += 10.0
    assert course.total_s == pytest.approx(took_s, rel=0.01)
