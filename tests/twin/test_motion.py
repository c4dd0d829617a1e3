"""The motion controller as clients see it: unmodified motors, triggers, gate, death."""

import json
import signal
import time

import numpy as np
import pytest

from tests.twin.conftest import Bench

MOTOR = """
import json, sys, time
from ophyd import EpicsMotor, EpicsSignal
motor = EpicsMotor("VT:Stage:Rotation", name="rotation", timeout=20)
motor.wait_for_connection(timeout=10)
seen = {"limits": motor.limits, "egu": motor.egu, "velocity": motor.velocity.get()}
readbacks = []
motor.user_readback.subscribe(lambda value, **_: readbacks.append(value))
begun = time.monotonic()
motor.move(45)
seen["moved_s"], seen["position"] = time.monotonic() - begun, motor.position
seen["readbacks"] = len(readbacks)
try:
    motor.move(2000)
    seen["beyond"] = "moved"
except Exception as error:
    seen["beyond"] = type(error).__name__
raw = EpicsSignal("VT:Stage:Rotation.VAL", name="raw")
violated = EpicsSignal("VT:Stage:Rotation.LVIO", name="violated")
raw.wait_for_connection(timeout=10); violated.wait_for_connection(timeout=10)
raw.put(2000, wait=False); time.sleep(0.3)
seen["violated"], seen["stayed"] = violated.get(), motor.position
motor.velocity.put(10, wait=True)
status = motor.move(90, wait=False)
time.sleep(0.6)
seen["violated_after"] = violated.get()
motor.stop(success=True)
status.wait(5)
while not motor.motor_done_move.get(use_monitor=False):
    time.sleep(0.01)
seen["stopped"] = motor.user_readback.get(use_monitor=False)
seen["setpoint"] = motor.user_setpoint.get(use_monitor=False)
# By plain puts: ophyd stops a motor whose motion it replaces, before or after the new one begins.
raw.put(90, wait=False); time.sleep(0.15)
motor.velocity.put(90, wait=True); raw.put(-20, wait=True, use_complete=True, timeout=10)
seen["retargeted"] = motor.user_readback.get(use_monitor=False)
motor.set_current_position(5); time.sleep(0.3)
seen["renamed"], seen["limits_renamed"] = motor.position, motor.limits
motor.user_offset.put(0, wait=True)
begun = time.monotonic()
raw.put(10, wait=True, use_complete=True, timeout=10)
seen["completed_at"] = motor.user_readback.get(use_monitor=False)
time.sleep(0.3); motor.home("forward")
time.sleep(0.3); seen["home"] = motor.position
sys.stdout.write(json.dumps(seen))
"""

FLY = """
import json, sys, time
import numpy as np
from ophyd import EpicsMotor
from epics import PV
def pv(name, **options):
    made = PV("VT:Trigger:" + name, **options); made.wait_for_connection(timeout=10)
    return made
def put(name, value):
    pv(name).put(value, wait=True, timeout=5)
rate, step, count = 40.0, 0.9, 200
motor = EpicsMotor("VT:Stage:Rotation", name="rotation", timeout=30)
motor.wait_for_connection(timeout=10)
motor.velocity.put(90, wait=True); motor.move(-20)
chunks = []
chunk = pv("Chunk", auto_monitor=True, callback=lambda value, **_: chunks.append(np.array(value)))
for name, value in dict(Reset=1, Mode="Position", Number=count, Start=0.0, Step=step,
                        GateLead=0.03, GateTail=0.04, Exposure=0.02, Arm=1).items():
    put(name, value)
armed = pv("Armed_RBV").get()
motor.velocity.put(rate * step, wait=True)
motor.move(190)
time.sleep(0.3)
latched = {}
for values in chunks:
    first, n = int(values[0]), int(values[1])
    for k in range(n):
        latched[first + k] = (values[2 + k], values[2 + n + k])
put("ReadFirst", 0)
back = np.array(pv("ReadBack").get())
put("ReadFirst", 150)
tail = np.array(pv("ReadBack").get())
sys.stdout.write(json.dumps({
    "armed": armed, "armed_after": pv("Armed_RBV").get(use_monitor=False),
    "count": pv("Count_RBV").get(use_monitor=False), "latched": sorted(latched.items()),
    "back": back.tolist(), "tail": tail[:2].tolist(), "chunks": len(chunks)}))
"""

SETUP = """
import sys, time
from epics import PV
def pv(name):
    made = PV("VT:" + name); made.wait_for_connection(timeout=10)
    return made
def put(name, value, wait=True):
    assert pv(name).put(value, wait=wait, timeout=20) is not None
"""


@pytest.fixture(scope="module")
def motion(shared_bench: Bench) -> Bench:
    shared_bench.start("motion")
    return shared_bench


def rows_since(bench: Bench, number: int):
    return bench.world.edges.since(number)


def test_an_unmodified_motor_moves_stops_and_keeps_its_limits(motion: Bench) -> None:
    seen = json.loads(motion.client(MOTOR))
    assert seen["limits"] == [-720, 1080]
    assert seen["egu"] == "deg"
    assert seen["velocity"] == 90
    assert seen["position"] == pytest.approx(45, abs=1e-3)
    assert seen["readbacks"] >= 5
    assert seen["beyond"] == "LimitError"
    assert seen["violated"] == 1
    assert seen["violated_after"] == 0
    assert seen["stayed"] == pytest.approx(45, abs=1e-3)
    assert 46 < seen["stopped"] < 60
    assert seen["setpoint"] == pytest.approx(seen["stopped"], abs=1e-3)
    assert seen["retargeted"] == pytest.approx(-20, abs=1e-3)
    assert seen["renamed"] == pytest.approx(5, abs=1e-3)
    assert seen["limits_renamed"] == pytest.approx([-695, 1105], abs=1e-2)
    assert seen["completed_at"] == pytest.approx(10, abs=1e-3)
    assert seen["home"] == pytest.approx(0, abs=1e-3)


def test_every_edge_of_a_fly_is_latched_where_it_was_and_the_gate_stands_round_them(
    motion: Bench,
) -> None:
    before = len(motion.world.edges)
    seen = json.loads(motion.client(FLY))
    rows = rows_since(motion, before)
    assert (seen["armed"], seen["armed_after"], seen["count"]) == (1, 0, 200)
    assert rows["index"].tolist() == list(range(200))
    assert rows["angle_deg"] == pytest.approx(0.9 * np.arange(200), abs=1e-6)
    rotation = motion.world.channel("rotation")
    assert rotation.at(rows["time_s"]) == pytest.approx(rows["angle_deg"], abs=1e-6)
    assert np.diff(rows["time_s"])[5:] == pytest.approx(1 / 40, abs=1e-6)
    latched = dict(seen["latched"])
    assert sorted(latched) == list(range(200))
    angles = np.array([latched[k][0] for k in range(200)])
    times = np.array([latched[k][1] for k in range(200)])
    residual = angles - rows["angle_deg"]
    assert 0 < np.sqrt(np.mean(residual**2)) < 1e-4
    clock = np.array([motion.world.trigger_clock_s(float(t)) for t in rows["time_s"]])
    assert np.abs(times - clock).max() < 5e-6
    back = np.array(seen["back"])
    assert back[:2].tolist() == [0, 200]
    assert back[2:202].tolist() == angles.tolist()
    assert back[202:].tolist() == times.tolist()
    assert seen["tail"] == [150, 50]
    assert seen["chunks"] >= 10 * (times[-1] - times[0])
    first, last = rows["time_s"][0], rows["time_s"][-1]
    around = np.array([first - 0.032, first - 0.028, last, last + 0.038, last + 0.042])
    assert motion.world.channel("gate").at(around).tolist() == [0, 1, 1, 1, 0]


def test_a_timed_train_counts_on_and_keeps_its_period(motion: Bench) -> None:
    before = len(motion.world.edges)
    motion.client(
        SETUP + "put('Trigger:Reset', 1)\n"
        "for n in (10, 5):\n"
        "    for k, v in dict(Mode='Time', Number=n, Period=0.02, GateLead=0.05).items():\n"
        "        put('Trigger:' + k, v)\n"
        "    put('Trigger:Arm', 1); put('Trigger:Fire', 1)\n"
        "    while pv('Trigger:Armed_RBV').get(use_monitor=False): time.sleep(0.02)\n"
    )
    rows = rows_since(motion, before)
    assert rows["index"].tolist() == list(range(15))
    assert np.diff(rows["time_s"][:10]) == pytest.approx(0.02)
    assert np.diff(rows["time_s"][10:]) == pytest.approx(0.02)


def test_a_stop_ends_the_train_and_drops_the_gate(motion: Bench) -> None:
    before = len(motion.world.edges)
    motion.client(
        SETUP + "put('Stage:Rotation.VELO', 90); put('Stage:Rotation', -5)\n"
        "values = dict(Reset=1, Mode='Position', Number=1000, Start=0.0, Step=0.1, Arm=1)\n"
        "for k, v in values.items():\n"
        "    put('Trigger:' + k, v)\n"
        "put('Stage:Rotation.VELO', 5); put('Stage:Rotation', 300, wait=False)\n"
        "while pv('Trigger:Count_RBV').get(use_monitor=False) < 20: time.sleep(0.01)\n"
        "assert pv('Trigger:Gate_RBV').get(use_monitor=False) == 1\n"
        "put('Stage:Rotation.STOP', 1); time.sleep(0.2)\n"
        "assert pv('Trigger:Gate_RBV').get(use_monitor=False) == 0\n"
        "assert pv('Trigger:Armed_RBV').get(use_monitor=False) == 0\n"
    )
    count = len(motion.world.edges)
    now_s = motion.world.now_s()
    assert count - before < 100
    assert float(motion.world.channel("gate").at(now_s)) == 0
    assert rows_since(motion, before)["time_s"][-1] < now_s - 0.1


def test_what_cannot_be_armed_is_refused_in_a_sentence(motion: Bench) -> None:
    motion.client(
        SETUP + "put('Trigger:Number', 0); put('Trigger:Arm', 1); time.sleep(0.1)\n"
        "assert pv('Trigger:Armed_RBV').get() == 0\n"
        "put('Trigger:Fire', 1); time.sleep(0.1)\n"
    )
    log = motion.log("motion")
    assert "Number must be 1 or more, it is 0; nothing was armed" in log
    assert "Fire needs an armed train" in log
    assert "Traceback" not in log


MOVING = (
    SETUP + "put('Stage:Rotation.VELO', 20); put('Stage:X', 3.25)\n"
    "for k, v in dict(Reset=1, Mode='Position', Number=9999, Start=0.5, Step=0.1, Arm=1).items():\n"
    "    put('Trigger:' + k, v)\n"
    "put('Stage:Rotation', 400, wait=False)\n"
    "while pv('Trigger:Count_RBV').get(use_monitor=False) < 20: time.sleep(0.01)\n"
)


@pytest.mark.kill
def test_a_killed_controller_stands_and_its_successor_takes_over(bench: Bench) -> None:
    bench.start("motion")
    bench.client(MOVING)
    gate, rotation = bench.world.channel("gate"), bench.world.channel("rotation")
    assert float(gate.at(bench.world.now_s())) == 1
    bench.kill("motion")
    killed_s = bench.world.now_s()
    bench.wait(lambda: float(gate.at(bench.world.now_s())) == 0, 1.0)
    assert bench.world.now_s() - killed_s < 0.3
    where = float(rotation.at(bench.world.now_s()))
    edges = len(bench.world.edges)
    bench.start("motion")
    seen = bench.client(
        SETUP + "import json\n"
        "names = ('Stage:Rotation.RBV', 'Stage:X.RBV', 'Stage:X.DMOV', 'Trigger:Count_RBV')\n"
        "sys.stdout.write(json.dumps([pv(n).get() for n in names]))"
    )
    assert json.loads(seen) == pytest.approx([where, 3.25, 1, 0], abs=1e-4)
    now_s = bench.world.now_s()
    past = np.linspace(killed_s + 0.3, now_s, 50)
    assert rotation.at(past) == pytest.approx(where)
    assert not gate.at(past).any()
    assert len(bench.world.edges) == edges


@pytest.mark.kill
def test_a_frozen_controller_has_stopped_when_it_wakes(bench: Bench) -> None:
    process = bench.start("motion")
    bench.client(MOVING)
    process.send_signal(signal.SIGSTOP)
    bench.wait(lambda: float(bench.world.channel("gate").at(bench.world.now_s())) == 0, 1.0)
    rotation = bench.world.channel("rotation")
    where, edges = float(rotation.at(bench.world.now_s())), len(bench.world.edges)
    time.sleep(0.3)
    process.send_signal(signal.SIGCONT)
    bench.wait(lambda: rotation.alive, 2.0)
    time.sleep(0.1)
    assert float(rotation.at(bench.world.now_s())) == pytest.approx(where, abs=1e-6)
    assert float(bench.world.channel("gate").at(bench.world.now_s())) == 0
    latest = bench.world.edges.since(edges)
    assert np.all(rotation.at(latest["time_s"]) <= where + 1e-6)
    assert "stopped" in bench.log("motion")
    seen = bench.client(
        SETUP + "import json\n"
        "alarms = [pv('Stage:Rotation.RBV').get_timevars()['severity']]\n"
        "put('Stage:Rotation', 0)\n"
        "alarms.append(pv('Stage:Rotation.RBV').get_timevars()['severity'])\n"
        "sys.stdout.write(json.dumps(alarms))"
    )
    assert json.loads(seen) == [2, 0]


def test_it_ends_when_asked_and_leaves_no_complaint(bench: Bench) -> None:
    bench.start("motion")
    bench.client(SETUP + "put('Stage:Rotation', 1)")
    begun = time.monotonic()
    assert bench.end("motion") == 0
    assert time.monotonic() - begun < 2
    assert "Traceback" not in bench.log("motion")
    assert "ERROR" not in bench.log("motion")
