"""The beam: flux that decays and is attenuated, energy that takes time, a monitor with noise."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.twin.conftest import Bench
from voltomo.twin.settings import TwinSettings
from voltomo.twin.source import Source
from voltomo.twin.world import Fault, World

CLIENT = """
import json, sys, time
from epics import PV
def pv(name):
    made = PV("VT:Beam:" + name, auto_monitor=True); made.wait_for_connection(timeout=10)
    return made
energy, readback, moving = pv("Energy"), pv("Energy_RBV"), pv("Energy_Moving")
monitor, attenuator = pv("Monitor"), pv("Attenuator")
readings = []
monitor.add_callback(lambda value, **_: readings.append(value))
seen = {"energy": readback.get(), "ring": pv("RingCurrent").get(), "limits":
        [energy.lower_ctrl_limit, energy.upper_ctrl_limit]}
time.sleep(1.0)
seen["readings"] = list(readings)
energy.put(22.0, wait=True)
seen["moving"] = moving.get(use_monitor=False)
while moving.get(use_monitor=False): time.sleep(0.02)
seen["reached"] = readback.get(use_monitor=False)
energy.put(99.0, wait=True); time.sleep(0.1)
seen["kept"] = energy.get(use_monitor=False)
attenuator.put(0.1, wait=True); time.sleep(0.3)
seen["attenuated"] = monitor.get(use_monitor=False)
seen["transmission"] = pv("Attenuator_RBV").get()
seen["place"] = [pv("PositionX").get(), pv("PositionY").get(), pv("TopUpIn").get()]
front_end, state = pv("PhotonShutter"), pv("PhotonShutter_RBV")
front_end.put("Close", wait=True)
seen["front_end"] = [state.get(as_string=True, use_monitor=False)]
time.sleep(0.8)
seen["front_end"].append(state.get(as_string=True, use_monitor=False))
seen["behind"] = monitor.get(use_monitor=False)
sys.stdout.write(json.dumps(seen))
"""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    world = World.create(tmp_path / "world.bin", seed=1)
    return Source(world, TwinSettings(ring_lifetime_h=0.1, flux_per_cm2_s=2e11))


def test_flux_falls_with_the_ring_and_is_known_ahead(source: Source) -> None:
    world = source._world
    now_s = world.now_s()
    channel = world.channel("flux")
    channel.beat_s = now_s + 100
    times = now_s + np.linspace(0, 50, 11)
    wanted = 2e11 * np.exp(-times / 360)
    assert channel.at(times) == pytest.approx(wanted, rel=2e-4)


def test_a_new_source_finds_the_filters_where_they_were(source: Source) -> None:
    source.attenuate(0.25)
    world = source._world
    late_s = world.now_s() + 0.06
    while world.now_s() < late_s:
        source.beat(world.now_s())
    successor = Source(world, source._settings)
    assert successor.transmission == pytest.approx(0.25, rel=1e-3)
    assert successor.flux_per_cm2_s(world.now_s()) == pytest.approx(5e10, rel=1e-3)


def until(source: Source, late_s: float) -> float:
    """Beat until a world time; the time."""
    world = source._world
    while world.now_s() < late_s:
        source.beat(world.now_s())
    return world.now_s()


def test_a_dump_takes_the_flux_and_a_refill_brings_it_back(source: Source) -> None:
    world = source._world
    began_s = world.now_s()
    world.inject(Fault("beam_dump", value=0.3, at_s=began_s))
    now_s = until(source, began_s + 0.15)
    assert source.flux_per_cm2_s(now_s) == 0
    assert float(world.channel("ring_current").at(now_s)) == 0
    assert source.monitor_counts_s(now_s) == 0
    assert 0 < source.ring.next_top_up_s(now_s) < 0.2
    # It is known ahead when the beam comes back.
    for channel in ("flux", "ring_current"):
        world.channel(channel).beat_s = now_s + 100
    assert world.channel("flux").at(began_s + 2.3) == pytest.approx(2e11, rel=1e-3)
    assert world.channel("flux").at(began_s + 1.3) == pytest.approx(1e11, rel=1e-2)
    world.heal()
    now_s = until(source, world.now_s() + 0.05)
    assert source.flux_per_cm2_s(now_s) > 1.9e11


def test_the_photon_shutter_takes_the_beam_before_everything(source: Source) -> None:
    world = source._world
    source.open_front_end(False)
    now_s = until(source, world.now_s() + 0.6)
    assert source.flux_per_cm2_s(now_s) == source.front_end(now_s) == 0
    # Filters that move meanwhile change nothing, and count when it opens.
    source.attenuate(0.5)
    until(source, world.now_s() + 0.06)
    successor = Source(world, source._settings)
    assert not successor.front_end_open
    successor.open_front_end(True)
    now_s = until(successor, world.now_s() + 0.6)
    assert successor.flux_per_cm2_s(now_s) == pytest.approx(1e11, rel=0.02)


def test_the_beam_stands_still_unless_it_is_told_to_wander(tmp_path: Path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    source = Source(world, TwinSettings())
    assert source.position_um(5.0) == source.position_um(50.0) == (0.0, 0.0)
    wandering = Source(world, TwinSettings(beam_wander_um=4, top_up_period_s=20, top_up_kick_um=9))
    places = np.array([wandering.position_um(t) for t in np.arange(0, 120, 0.5)])
    assert 3 < np.abs(places[:, 1]).max() <= 4
    assert wandering.position_um(20.5)[0] - wandering.position_um(19.9)[0] > 8
    world.inject(Fault("beam_moved_y", value=-25.0))
    until(source, world.now_s() + 0.02)
    assert source.position_um(5.0) == (0.0, -25.0)
    assert float(world.channel("beam_y").at(world.now_s())) == -25.0


def test_the_monitor_freezes_and_dies_on_purpose(source: Source) -> None:
    world = source._world
    first = [source.monitor_counts_s(world.now_s()) for _ in range(500)]
    assert np.mean(first) == pytest.approx(2e6, rel=1e-3)
    assert np.std(first) == pytest.approx(2e6 * 0.002, rel=0.2)
    world.inject(Fault("monitor_frozen"))
    frozen = {source.monitor_counts_s(world.now_s()) for _ in range(20)}
    assert frozen == {first[-1]}
    world.inject(Fault("monitor_dead"))
    assert source.monitor_counts_s(world.now_s()) == 0
    world.heal()
    assert source.monitor_counts_s(world.now_s()) > 0


def test_clients_read_and_set_the_beam(bench: Bench) -> None:
    bench.start("beam")
    seen = json.loads(bench.client(CLIENT))
    assert seen["energy"] == 20
    assert seen["limits"] == [8, 60]
    assert seen["ring"] == pytest.approx(200, rel=1e-2)
    assert len(seen["readings"]) >= 10
    assert np.mean(seen["readings"]) == pytest.approx(1e6, rel=5e-3)
    assert len(set(seen["readings"])) == len(seen["readings"])
    assert seen["moving"] == 1
    assert seen["reached"] == pytest.approx(22)
    assert seen["kept"] == 22
    assert seen["transmission"] == pytest.approx(0.1)
    assert seen["attenuated"] == pytest.approx(1e5, rel=2e-2)
    assert seen["place"] == [0, 0, -1]
    assert seen["front_end"] == ["Moving", "Closed"]
    assert seen["behind"] == 0
    assert float(bench.world.channel("energy").at(bench.world.now_s())) == pytest.approx(22)
    assert bench.end("beam") == 0
    assert "put refused: Cannot write data 99.0. Limits are set to 8.0 and 60.0." in bench.log(
        "beam"
    )
    assert "Traceback" not in bench.log("beam")
