"""The virtual cycler: steps end where they should, limits trip, a pause repeats nothing."""

import time
from pathlib import Path

import pytest

from voltomo.model.cell_protocol import (
    CellProtocol,
    ConstantCurrent,
    ConstantVoltage,
    Loop,
    OpenCircuit,
)
from voltomo.model.protocol_check import ProtocolRefused
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.cell_memory import CellMemory
from voltomo.twin.cell_model import CellModel
from voltomo.twin.cell_settings import CellSettings
from voltomo.twin.cycler_engine import CyclerEngine, CyclerRefused
from voltomo.twin.world import World


@pytest.fixture
def engine() -> CyclerEngine:
    settings = CellSettings()
    return CyclerEngine(CellModel(settings.parameters, soc=0.5), settings.own_limits)


def begun(engine: CyclerEngine, *steps, **limits) -> CyclerEngine:
    own = engine.own_limits.model_copy(update=limits)
    engine.load(CellProtocol(capacity_Ah=0.005, steps=steps), own)
    engine.start()
    return engine


def run(engine: CyclerEngine, seconds: float, piece_s: float = 7.0) -> list[tuple[int, int, str]]:
    """Steps, cycles and modes in their order; never outside the limits."""
    seen = [(engine.step, engine.cycle, str(engine.mode))]
    while seconds > 0 and engine.state == "running":
        engine.advance(piece_s)
        seconds -= piece_s
        now = (engine.step, engine.cycle, str(engine.mode))
        if engine.state == "running" and now != seen[-1]:
            seen.append(now)
        assert engine.own_limits.breach(engine.reading()) is None
    return seen


def test_cycles_go_through_their_steps_and_no_charge_is_lost(engine: CyclerEngine) -> None:
    steps = (
        OpenCircuit(until_time_s=30),
        ConstantCurrent(rate_C=1, until_voltage_V=4.15),
        ConstantVoltage(voltage_V=4.15, until_rate_C=0.2),
        ConstantCurrent(rate_C=-1, until_voltage_V=3.2),
        Loop(to=1, cycles=2),
    )
    seen = run(begun(engine, *steps), 40_000)
    one = [(1, "CC"), (2, "CV"), (3, "CC")]
    assert seen == [(0, 0, "OCV"), *((s, c, m) for c in (0, 1) for s, m in one)]
    assert engine.state == "finished"
    assert engine.cell.current_A == 0
    assert engine.charge_Ah == pytest.approx(engine.in_Ah - engine.out_Ah)
    assert engine.cell.soc == pytest.approx(0.5 + engine.charge_Ah / 0.005)


def test_a_positive_current_charges_raises_the_voltage_and_ends_exactly(engine) -> None:
    rest_V = engine.cell.voltage_V
    begun(engine, ConstantCurrent(current_A=0.005, until_time_s=360), OpenCircuit(until_time_s=9))
    engine.advance(100)
    assert engine.cell.voltage_V > rest_V
    assert engine.reading().current_A == 0.005
    engine.advance(260)
    assert engine.step == 1
    assert engine.cell.soc == pytest.approx(0.6, abs=2e-5)
    begun_V = engine.cell.voltage_V
    run(engine, 100)
    begun(engine, ConstantCurrent(current_A=-0.005, until_voltage_V=3.6))
    run(engine, 4000)
    assert engine.state == "finished"
    assert engine.charge_Ah < 0
    assert engine.cell.voltage_V < begun_V


@pytest.mark.parametrize(
    ("step", "limits", "word"),
    [
        (ConstantCurrent(rate_C=1, until_time_s=3000), {"max_voltage_V": 3.9}, "voltage"),
        (ConstantCurrent(rate_C=-1, until_time_s=3000), {"min_voltage_V": 3.5}, "voltage"),
        (ConstantCurrent(rate_C=2, until_voltage_V=4.2), {"max_temperature_C": 25.02}, "temper"),
        (ConstantCurrent(rate_C=1, until_voltage_V=4.2), {"max_charge_Ah": 0.001}, "net charge"),
    ],
)
def test_a_limit_trips_at_once_and_stays_until_it_is_reset(engine, step, limits, word) -> None:
    begun(engine, step, **limits)
    run(engine, 4000)
    assert engine.state == "fault"
    assert word in engine.reason
    assert "left at ocv" in engine.reason
    assert engine.cell.current_A == 0
    for command in (engine.start, engine.resume, engine.next_step):
        with pytest.raises(CyclerRefused, match="saw fault"):
            command()
    engine.stop()
    assert engine.state == "fault"
    engine.reset()
    assert (engine.state, engine.digest) == ("idle", "")


@pytest.mark.parametrize(("hold", "state"), [("ocv", "paused"), ("zero", "paused"),
                                             ("cv", "holding")])  # fmt: skip
def test_a_pause_holds_the_cell_and_its_step_waits(engine, hold, state) -> None:
    begun(engine, ConstantCurrent(rate_C=1, until_time_s=600), OpenCircuit(until_time_s=1000))
    engine.advance(200)
    volts, charge_Ah = engine.cell.voltage_V, engine.charge_Ah
    engine.pause(hold)
    engine.pause(hold)
    assert engine.state == state
    engine.advance(500)
    if hold == "cv":
        assert engine.cell.voltage_V == pytest.approx(volts, abs=1e-9)
        assert engine.charge_Ah > charge_Ah
    else:
        assert engine.charge_Ah == charge_Ah
        assert engine.cell.voltage_V < volts
    assert engine.step_s == pytest.approx(200)
    engine.resume()
    engine.resume()
    charge_Ah = engine.charge_Ah
    engine.advance(400)
    assert engine.step == 1
    assert engine.charge_Ah - charge_Ah == pytest.approx(0.005 * 400 / 3600)


def test_commands_that_do_not_fit_change_nothing(engine) -> None:
    for command in (engine.start, engine.pause, engine.resume, engine.next_step):
        with pytest.raises(CyclerRefused, match="saw idle; nothing was changed"):
            command()
    engine.stop()
    assert engine.state == "idle"
    begun(engine, OpenCircuit(until_time_s=10), OpenCircuit(until_time_s=10))
    engine.start()
    with pytest.raises(CyclerRefused, match="load"):
        begun(engine, OpenCircuit(until_time_s=5))
    engine.next_step()
    assert engine.step == 1
    engine.stop()
    assert (engine.state, engine.cell.current_A) == ("finished", 0)
    with pytest.raises(CyclerRefused, match="start"):
        engine.start()


def test_its_own_limits_hold_whatever_a_protocol_brings(engine) -> None:
    wide = engine.own_limits.model_copy(update={"max_voltage_V": 5.0, "max_charge_current_A": 1})
    protocol = CellProtocol(
        capacity_Ah=0.005, steps=(ConstantCurrent(rate_C=1, until_voltage_V=4.5),)
    )
    with pytest.raises(ProtocolRefused, match=r"2\.8 to 4\.2 V, saw 4\.5 V"):
        engine.load(protocol, wide)
    assert engine.state == "idle"


def test_the_cell_is_what_it_was_when_its_process_begins_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path).create()
    world = World.create(folder.world, seed=1)
    cell = CellModel(soc=0.2)
    cell.advance(0.005, 600)
    memory = CellMemory(folder, world)
    assert not memory.recall(CellModel(), 100)
    memory.keep(cell)
    found = CellModel()
    assert memory.recall(found, 100)
    assert (found.soc, found.charge_Ah, found.current_A) == (cell.soc, cell.charge_Ah, 0)
    assert found.polarisation_V <= cell.polarisation_V
    time.sleep(0.01)
    later = World.create(folder.world, seed=1)
    assert not CellMemory(folder, later).recall(CellModel(), 100)
