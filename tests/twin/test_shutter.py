"""The shutter's controller: two permissions, a stale time, a stuck blade, death."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from tests.twin.conftest import Bench
from voltomo.twin.shutter_controller import ShutterController
from voltomo.twin.truth import open_intervals
from voltomo.twin.world import GRACE_S, Fault, Segment, World

STALE_S, TRAVEL_S = 0.5, 0.015

SETUP = """
import json, sys, time
from epics import PV
states = []
def pv(name, **options):
    made = PV("VT:" + name, **options); made.wait_for_connection(timeout=10)
    return made
NAMES = ("Closed", "Opening", "Open", "Closing", "Fault")
def seen(timestamp, value, **_):
    states.append((NAMES[value], timestamp, time.time() - timestamp))
state = pv("Shutter:State_RBV", form="time", auto_monitor=True, callback=seen)
enable, mode = pv("Shutter:Enable"), pv("Shutter:GateMode")
def beat(seconds, number=[0]):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number[0] += 1
        enable.put(number[0]); time.sleep(0.05)
"""


class Rig:
    """A controller in a world of its own, stepped by hand in real time."""

    def __init__(self, folder: Path) -> None:
        self.world = World.create(folder / "world.bin", seed=1)
        self.gate = self.world.channel("gate")
        self.set_gate(0.0)
        self.controller = ShutterController(self.world, 0.2, 0.01)
        self.states: list[str] = []

    def set_gate(self, value: float) -> None:
        self.gate.put([Segment(self.world.now_s(), self.world.now_s(), value)])

    def run(self, seconds: float, *, enable: bool) -> None:
        """Step, with a counting enable or without."""
        end_s = self.world.now_s() + seconds
        while self.world.now_s() < end_s:
            if enable:
                self.controller.put_enable(int(self.world.now_s() * 1000) + 1)
            self.gate.beat()
            self.states += [c.state for c in self.controller.step(self.world.now_s())]
            time.sleep(0.001)

    @property
    def position(self) -> float:
        return self.controller.position(self.world.now_s())


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_it_needs_both_enable_and_gate_and_a_lease_needs_enable_alone(rig: Rig) -> None:
    rig.run(0.05, enable=True)
    assert rig.position == 0
    rig.set_gate(1.0)
    rig.run(0.05, enable=True)
    assert rig.position == 1
    rig.set_gate(0.0)
    rig.run(0.05, enable=True)
    assert rig.position == 0
    rig.controller.gate_mode = "Lease"
    rig.run(0.05, enable=True)
    assert rig.position == 1
    rig.controller.put_enable(0)
    rig.run(0.05, enable=False)
    assert rig.position == 0
    assert rig.states == ["Opening", "Open", "Closing", "Closed"] * 2


def test_a_counter_that_stands_still_is_no_permission(rig: Rig) -> None:
    rig.controller.gate_mode = "Lease"
    rig.controller.put_enable(7)
    rig.run(0.1, enable=False)
    assert rig.position == 1
    rig.controller.put_enable(7)
    rig.run(0.2, enable=False)
    assert rig.position == 0


def test_by_hand_it_opens_without_any_permission(rig: Rig) -> None:
    rig.controller.manual = True
    rig.run(0.05, enable=False)
    assert rig.position == 1
    rig.controller.manual = False
    rig.run(0.05, enable=False)
    assert rig.position == 0


@pytest.mark.parametrize(
    ("kind", "stays"), [("shutter_stuck_open", 1), ("shutter_stuck_closed", 0)]
)
def test_a_stuck_blade_is_a_fault_until_it_comes_free(rig: Rig, kind, stays) -> None:
    rig.controller.manual = kind == "shutter_stuck_open"
    rig.run(0.05, enable=False)
    rig.world.inject(Fault(kind))
    rig.controller.manual = not rig.controller.manual
    rig.run(0.1, enable=False)
    assert rig.position == stays
    assert rig.controller.state == "Fault"
    assert "switch says" in rig.controller.fault
    rig.world.heal()
    rig.run(0.05, enable=False)
    assert rig.position == 1 - stays
    assert rig.controller.fault == ""


def test_a_travel_that_is_turned_round_goes_on_from_where_it_is(rig: Rig) -> None:
    values, steepest, ended_at = np.ones(1), 0.0, 1.0
    # On a busy machine the blade may have arrived before it is told to turn round.
    while values.max() == 1:
        since_s = rig.world.now_s()
        rig.controller.manual = True
        rig.run(0.004, enable=False)
        rig.controller.manual = False
        rig.run(0.05, enable=False)
        pieces = rig.world.channel("shutter").history()
        around = np.linspace(since_s, rig.world.now_s(), 20001)
        values = np.nan_to_num(rig.world.channel("shutter").at(around))
        steepest = np.abs(np.diff(values)).max() / (around[1] - around[0])
        ended_at = pieces["x0"][-1]
    assert 0 < values.max() < 1
    assert steepest <= 1.01 / 0.01
    assert ended_at == 0


def test_a_silent_controller_lets_the_blade_fall_and_a_new_one_begins_closed(rig: Rig) -> None:
    rig.controller.manual = True
    rig.run(0.05, enable=False)
    time.sleep(0.3)
    shutter = rig.world.channel("shutter")
    assert float(shutter.at(rig.world.now_s())) == 0
    silent_s = rig.world.now_s()
    late = ShutterController(rig.world, 0.2, 0.01)
    late.step(rig.world.now_s())
    assert late.state == "Closed"
    assert float(shutter.at(silent_s)) == 0
    assert float(shutter.at(rig.world.now_s())) == 0


def test_a_controller_that_begins_with_the_blade_open_closes_it(rig: Rig) -> None:
    rig.controller.manual = True
    rig.run(0.05, enable=False)
    rig.controller = ShutterController(rig.world, 0.2, 0.01)
    assert rig.controller.state == "Closing"
    rig.run(0.05, enable=False)
    assert rig.position == 0
    assert rig.controller.state == "Closed"


def test_it_is_looked_after_when_something_is_due(rig: Rig) -> None:
    controller = rig.controller
    now_s = rig.world.now_s()
    # Closed and not enabled: its heartbeat alone, well within the grace of the world.
    assert now_s < controller.next_look_s(now_s) <= now_s + GRACE_S / 4
    controller.put_enable(1)
    now_s = rig.world.now_s()
    rise_s = now_s + 0.003
    rig.gate.put([Segment(now_s, now_s, 0.0), Segment(rise_s, rise_s + 1, 1.0)])
    # A planned gate is followed on the dot, a fall that nobody planned within milliseconds.
    assert controller.next_look_s(now_s) == rise_s
    assert controller.next_look_s(rise_s) <= rise_s + 0.005
    controller.gate_mode = "Lease"
    controller.step(rig.world.now_s())
    now_s = rig.world.now_s()
    assert controller.state == "Opening"
    assert controller.next_look_s(now_s) <= max(controller._ends_s, now_s + 0.001)
    stale_s = (controller._enabled_s or 0.0) + controller.stale_s
    assert controller.next_look_s(stale_s - 1e-4) <= stale_s + 0.001
    # Long after the last enable it must not spin.
    controller.state = "Closed"
    assert controller.next_look_s(stale_s + 1) > stale_s + 1.01


@pytest.fixture(scope="module")
def shutter(shared_bench: Bench) -> Bench:
    shared_bench.start("shutter")
    return shared_bench


def test_clients_see_it_open_and_close_when_the_enable_goes_stale(shutter: Bench) -> None:
    begun_s = shutter.world.now_s()
    script = SETUP + (
        "mode.put('Lease', wait=True); beat(0.4)\n"
        "stopped = time.time(); time.sleep(1.0)\n"
        "sys.stdout.write(json.dumps([states, stopped]))\n"
    )
    states, stopped = json.loads(shutter.client(script))
    names = [name for name, _, _ in states]
    assert names == ["Closed", "Opening", "Open", "Closing", "Closed"]
    stamps = dict(zip(names[1:], [stamp for _, stamp, _ in states[1:]], strict=True))
    assert max(late for _, _, late in states[1:]) < 0.5
    assert stamps["Open"] - stamps["Opening"] == pytest.approx(TRAVEL_S, abs=1e-4)
    assert stamps["Closed"] - stopped <= STALE_S + TRAVEL_S + 0.05
    [(opened_s, closed_s)] = open_intervals(shutter.world, begun_s, shutter.world.now_s())
    assert shutter.world.utc_s(opened_s) == pytest.approx(stamps["Opening"], abs=1e-4)
    assert shutter.world.utc_s(closed_s) == pytest.approx(stamps["Closed"], abs=1e-4)


def test_clients_see_a_stuck_shutter_by_name(shutter: Bench) -> None:
    shutter.world.inject(Fault("shutter_stuck_closed"))
    script = SETUP + (
        "mode.put('Lease', wait=True); beat(0.3)\n"
        "sys.stdout.write(json.dumps([states[-1][0], pv('Shutter:FaultText').get()]))\n"
        "enable.put(0, wait=True)\n"
    )
    assert json.loads(shutter.client(script)) == ["Fault", "told to be open, switch says closed"]
    shutter.world.heal()


@pytest.mark.kill
def test_when_motion_is_killed_its_gate_closes_the_shutter(bench: Bench) -> None:
    bench.start("motion")
    bench.start("shutter")
    script = SETUP + (
        "mode.put('TriggerWindow', wait=True)\n"
        "for k, v in dict(Mode='Time', Number=1000, Period=0.02).items():\n"
        "    pv('Trigger:' + k).put(v, wait=True)\n"
        "beat(0.2); closed = state.get()\n"
        "pv('Trigger:Arm').put(1, wait=True); pv('Trigger:Fire').put(1, wait=True)\n"
        "beat(0.3); opened = state.get()\n"
        "import os, signal; os.kill(int(sys.argv[2]), signal.SIGKILL); killed = time.time()\n"
        "beat(0.6)\n"
        "sys.stdout.write(json.dumps([closed, opened, killed, states[-1]]))\n"
    )
    pid = str(bench.processes["motion"].pid)
    closed, opened, killed, (last, stamp, _) = json.loads(bench.client(script, pid))
    assert (closed, opened, last) == (0, 2, "Closed")
    assert stamp - killed < 0.3 + TRAVEL_S


def test_it_ends_when_asked_and_leaves_no_complaint(bench: Bench) -> None:
    bench.start("shutter")
    assert bench.end("shutter") == 0
    assert "Traceback" not in bench.log("shutter")
    assert "ERROR" not in bench.log("shutter")
