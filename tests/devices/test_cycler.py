"""The cycler's device on the virtual cycler's process: it cycles, holds, trips, falls silent."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.twin.conftest import Bench
from voltomo.model.cycler_records import CYCLER_RECORDS
from voltomo.model.device_entries import CyclerEntry
from voltomo.runtime.launch import give_addresses
from voltomo.runtime.ports import lock_ports

SETTINGS = {"twin": {"cell": {"soc": 0.5, "acceleration": 200, "poll_s": 0.3}}}

CLIENT = """
import json, logging, os, signal, sys, time
from pathlib import Path
logging.disable(logging.ERROR)
from voltomo.devices import timeouts
timeouts.use_everywhere()
from voltomo.devices.registry import make_device
from voltomo.model.cell_cycler import CellCycler
from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import *
from voltomo.model.device_entries import CyclerEntry
from voltomo.twin.world import Fault, World
world = World.open(Path(sys.argv[1]) / "world.bin")
cycler = make_device("cycler", CyclerEntry(kind="Cycler", prefix="VT:Cycler:"))
cycler.wait_for_connection(timeout=20)
assert isinstance(cycler, CellCycler)
LIMITS = cycler.limits
def refusal(action):
    try:
        status = action()
        if hasattr(status, "wait"): status.wait(20)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"
def until(reached, seconds=10):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, (cycler.cycler_state, cycler.last_error.get())
        time.sleep(0.02)
def protocol(*steps):
    return CellProtocol(capacity_Ah=0.005, steps=steps)
charge = ConstantCurrent(rate_C=1, until_voltage_V=3.9)
hold = ConstantVoltage(voltage_V=3.9, until_rate_C=0.5)
long = ConstantCurrent(rate_C=0.02, until_time_s=100_000)
until(lambda: cycler.stale() is None)
seen = {"first": cycler.cycler_state}

# Nothing is begun that was not loaded; nothing is loaded that leaves the limits.
seen["not loaded"] = refusal(cycler.start)
high = protocol(ConstantCurrent(rate_C=1, until_voltage_V=4.5))
seen["here"] = refusal(lambda: cycler.load(high, LIMITS))
seen["there"] = refusal(lambda: cycler.load(high))

# It charges to the end, and the readings say so with both clocks.
first = protocol(charge, hold)
below = LIMITS.model_copy(update={"max_voltage_V": 4.0})
seen["digest"] = [cycler.load(first, below), first.digest]
seen["held to"] = cycler.limits.max_voltage_V
cycler.start().wait(10)
done = cycler.until_finished()
rows = []
while not done.done:
    if not rows or rows[-1].number != cycler.reading().number: rows.append(cycler.reading())
    time.sleep(0.02)
done.wait(1)
seen["end"] = cycler.cycler_state
until(lambda: cycler.mode.get() == "OCV" and cycler.reading().cell.current_A == 0)
last = cycler.reading()
seen["rows"] = [[r.number, r.cell.voltage_V, r.cell.current_A, r.cell.charge_Ah, r.cell.step,
                 r.cycler_utc_s - r.cell.time_s, r.test_time_s] for r in rows]
seen["charged"] = [last.cell.charge_Ah, last.cell.soc, last.cell.soc_sigma]
seen["kinds"] = sorted(cycler.read()) == sorted(cycler.describe())

# A pause lets the cell and its step wait; bluesky's own pause and stop leave it alone.
cycler.load(protocol(long), LIMITS); cycler.start().wait(10); cycler.start().wait(10)
cycler.pause_cell("cv").wait(10); seen["cv"] = cycler.cycler_state
cycler.pause_cell().wait(10); seen["paused"] = cycler.cycler_state
row = cycler.reading().number
until(lambda: cycler.reading().number > row + 1)
before = cycler.reading()
until(lambda: cycler.reading().number > before.number)
after = cycler.reading()
seen["waits"] = [after.cell.current_A, after.step_time_s - before.step_time_s]
cycler.resume_cell().wait(10)
cycler.pause(); cycler.stop(success=True); cycler.resume()
seen["bluesky"] = cycler.cycler_state
seen["busy"] = refusal(lambda: cycler.load(first))
cycler.stop().wait(10); cycler.stop().wait(10)
seen["stopped"] = [cycler.cycler_state, str(cycler.last_error.get())]

# A limit trips it; the trip is latched with its reason, and nothing starts again by itself.
tight = cycler.reading().cell.voltage_V + 0.02
cycler.load(protocol(ConstantCurrent(rate_C=1, until_time_s=3000)),
            LIMITS.model_copy(update={"max_voltage_V": tight}))
cycler.start().wait(10)
seen["tripped"] = refusal(lambda: cycler.until_finished(20))
seen["latched"] = [cycler.cycler_state, refusal(cycler.start)]
cycler.reset().wait(10)
world.inject(Fault("cycler_trip"))
cycler.load(protocol(long)); cycler.start_command.put(1, wait=True)
until(lambda: cycler.cycler_state == "fault")
seen["own trip"] = str(cycler.last_error.get())
world.heal(); cycler.reset().wait(10)

# A host that falls silent, where it said that it would beat.
cycler.load(protocol(long)); cycler.watchdog_time.put(0.5, wait=True); cycler.start().wait(10)
until(lambda: cycler.cycler_state == "fault")
seen["host"] = str(cycler.last_error.get())
cycler.watchdog_time.put(0, wait=True); cycler.reset().wait(10)

# Data that stand still are no knowledge of the cell, though all PVs answer.
cycler.load(protocol(long)); cycler.start().wait(10)
waiting = cycler.until_finished()
world.inject(Fault("cycler_frozen"))
until(lambda: cycler.cycler_state == "unknown")
seen["frozen"] = [cycler.stale(), refusal(cycler.next_step), refusal(lambda: waiting)]
world.heal(); until(lambda: cycler.cycler_state == "running")

# Its server dies: nobody knows, and records of scans are completed all the same.
os.kill(int(sys.argv[2]), signal.SIGKILL)
until(lambda: cycler.cycler_state == "disconnected")
seen["dead"] = [cycler.stale(), refusal(cycler.stop), cycler.read()["cycler_state"]["value"],
                refusal(cycler.reading)]
sys.stdout.write(json.dumps(seen))
"""


def test_the_page_of_its_records_has_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/cycler.md").read_text()
    assert [name for name in CYCLER_RECORDS.values() if f"`{name}`" not in page] == []


def test_a_file_can_give_each_record_another_name_but_no_other_record() -> None:
    entry = CyclerEntry(kind="Cycler", prefix="BT:1:", names={"voltage": "BT:DVM"})
    assert (entry.pvs["voltage"], entry.pvs["current"]) == ("BT:DVM", "BT:1:Current")
    with pytest.raises(ValidationError, match="has no volts; it has voltage, current"):
        CyclerEntry(kind="Cycler", prefix="BT:1:", names={"volts": "BT:DVM"})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    ports = lock_ports("tests")
    root: Path = tmp_path_factory.mktemp("run")
    made = Bench(root, give_addresses(ports, ("cell",), ()))
    made.folder.settings.write_text(json.dumps(SETTINGS))
    try:
        made.start("cell")
        yield made
    finally:
        for name in list(made.processes):
            made.kill(name)
        ports.release()


@pytest.mark.kill
def test_a_cell_is_cycled_held_tripped_and_never_believed_when_it_is_silent(bench: Bench) -> None:
    seen = json.loads(bench.client(CLIENT, str(bench.processes["cell"].pid)))
    assert seen["first"] == "idle"
    assert "start: expected a protocol that is loaded and not begun, saw idle" in seen["not loaded"]
    for where in ("here", "there"):
        assert seen[where].startswith("ProtocolRefused")
        assert "step 0: expected an end voltage of 2.8 to 4.2 V, saw 4.5 V" in seen[where]
    assert seen["digest"][0] == seen["digest"][1]
    assert seen["held to"] == 4.0
    _assert_charged(seen)
    assert seen["kinds"]
    assert (seen["cv"], seen["paused"], seen["waits"]) == ("holding", "paused", [0, 0])
    assert seen["bluesky"] == "running"
    assert "load: expected a cycler that is idle, ready or finished, saw running" in seen["busy"]
    assert seen["stopped"] == ["finished", "stopped in step 0; the cell was left at ocv"]
    assert "tripped in step 0: expected a voltage of 2.8 to" in seen["tripped"]
    assert seen["latched"][0] == "fault"
    assert "saw fault" in seen["latched"][1]
    assert "the instrument's own protection acted" in seen["own trip"]
    assert "expected the host's watchdog within 0.5 s" in seen["host"]
    for sentence in seen["frozen"]:
        assert "expected new data at least every 0.9 s (3 polls), saw the last" in sentence
    assert seen["dead"][2] == "disconnected"
    for sentence in (seen["dead"][0], seen["dead"][1], seen["dead"][3]):
        assert "its PVs do not answer; the cell may go on cycling" in sentence
    assert "Traceback" not in bench.log("cell")


def _assert_charged(seen: dict) -> None:
    assert seen["end"] == "finished"
    numbers, volts, amperes, charges, steps, clocks, tests = zip(*seen["rows"], strict=True)
    assert list(numbers) == sorted(set(numbers))
    # One row holds values of one moment: current and step go together.
    flows = [a for a, s in zip(amperes, steps, strict=True) if s == 0 and a]
    assert set(flows) == {0.005}
    assert max(volts) < 3.91
    assert list(charges) == sorted(charges)
    assert list(tests) == sorted(tests)
    # The cycler's clock is 1.7 s ahead; a row is on its way for a moment.
    assert all(1.0 < ahead <= 1.7 for ahead in clocks)
    charge_Ah, soc, sigma = seen["charged"]
    assert charge_Ah > 0
    # It rested before, and may have been anchored by its voltage there.
    assert 0 < sigma < 0.05
    assert soc == pytest.approx(0.5 + charge_Ah / 0.005, abs=3 * sigma)
