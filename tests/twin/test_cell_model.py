"""The virtual cell keeps its charge, its voltage and its heat in order."""

import pytest

from voltomo.twin.cell_model import LFP, NMC811, CellModel


@pytest.mark.parametrize("parameters", [NMC811, LFP], ids=lambda p: p.name)
def test_a_full_charge_moves_a_capacity_between_the_limits(parameters) -> None:
    cell = CellModel(parameters, soc=0.0)
    for _ in range(3600):
        cell.advance(parameters.capacity_Ah, 1.0)
    assert cell.soc == pytest.approx(1.0)
    assert cell.charge_Ah == pytest.approx(parameters.capacity_Ah)
    assert parameters.min_V < cell.rest_V <= parameters.max_V


def test_current_lifts_the_voltage_at_once_and_then_slowly() -> None:
    cell = CellModel(NMC811, soc=0.5)
    rest_V = cell.voltage_V
    cell.advance(0.005, 0.01)
    at_once = cell.voltage_V - rest_V
    cell.advance(0.005, 100.0)
    assert at_once == pytest.approx(0.005 * 2.0, rel=0.02)
    assert cell.voltage_V - rest_V > 1.8 * at_once


def test_a_held_voltage_stands_and_the_current_falls() -> None:
    cell = CellModel(NMC811, soc=0.95)
    currents = []
    for _ in range(600):
        currents.append(cell.current_for(4.2))
        cell.advance(currents[-1], 1.0)
    assert cell.voltage_V == pytest.approx(4.2, abs=2e-3)
    assert 0 < currents[-1] < currents[0]


def test_current_warms_the_cell_and_warmth_lowers_its_resistance() -> None:
    cold, warm = CellModel(NMC811, temperature_C=0.0), CellModel(NMC811, temperature_C=50.0)
    assert cold.current_for(4.2) < warm.current_for(4.2)
    cell = CellModel(NMC811, soc=0.5)
    for _ in range(100):
        cell.advance(0.02, 1.0)
    assert cell.temperature_C > 25.0


def test_one_long_step_ends_where_many_short_ones_do() -> None:
    once, often = CellModel(NMC811, soc=0.5), CellModel(NMC811, soc=0.5)
    once.temperature_C = often.temperature_C = 60.0
    once.advance(0.0, 3600.0)
    for _ in range(3600):
        often.advance(0.0, 1.0)
    assert once.temperature_C == pytest.approx(often.temperature_C)
    assert once.temperature_C == pytest.approx(25.0, abs=0.1)
