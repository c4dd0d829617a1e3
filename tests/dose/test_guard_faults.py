"""Disk, blade, hand and wire: what else goes wrong, and how the guard says so."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator

import pytest

from tests.dose.guard_bench import GuardBench, Remote
from voltomo.twin.world import Fault

pytestmark = pytest.mark.twin

ODD = "tests.dose.odd_beam"
TROUBLED = "tests.dose.troubled_guard"
MAJOR = 2


def allow_file_size(bench: GuardBench, size: int) -> None:
    """Let the guard write no file beyond this size; -1 takes the limit away."""
    pid = bench.processes["guard"].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def log_size(bench: GuardBench) -> int:
    return bench.folder.exposure_log.stat().st_size


def test_a_full_disk_takes_the_beam_and_gives_none_until_it_is_reset(
    bench: GuardBench, client: Remote
) -> None:
    lease = client.take()
    bench.wait_open()
    time.sleep(0.3)
    full_s = bench.world.now_s()
    allow_file_size(bench, log_size(bench) + 10)
    # The next reservation cannot be written; it is due within a second of beam.
    bench.wait_closed(full_s, 1.5)
    bench.wait(lambda: client.get("Guard:State") == 2, 2)
    assert "the exposure log cannot be written" in client.get("Guard:Reason")
    assert client.do("severity", "Guard:Reason") == MAJOR
    assert "the exposure log cannot be written" in client.ask("renew", lease_id=lease)["error"]
    client.do("let_go")
    refused = client.request()["error"]
    assert "beam refused: the guard is latched: the exposure log cannot be written" in refused
    client.put("Guard:Reset", "please", wait=True)
    bench.wait(lambda: "not reset: the exposure log still" in client.get("Guard:Reason"), 2)
    # What is on the disk is enough even if the guard died now, and it is whole.
    bench.assert_logged()
    allow_file_size(bench, -1)
    bench.wait(lambda: bench.of_lease(lease)[-1].kind == "settle", 3)
    bench.wait(lambda: {"latch", "refuse"} <= {entry.kind for entry in bench.entries()}, 3)
    bench.assert_logged()
    assert client.get("Guard:State") == 2
    client.put("Guard:Reset", "made room", wait=True)
    bench.wait(lambda: client.get("Guard:State") == 0, 1)
    assert client.do("severity", "Guard:Reason") == 0
    assert client.try_beam()


def test_on_a_full_disk_nobody_gets_beam(bench: GuardBench, client: Remote) -> None:
    begun_s = bench.world.now_s()
    allow_file_size(bench, log_size(bench) + 10)
    assert "the exposure log cannot be written" in client.request()["error"]
    time.sleep(0.7)
    assert bench.intervals(begun_s) == []
    allow_file_size(bench, -1)
    time.sleep(1.5)
    client.put("Guard:Reset", "made room", wait=True)
    assert client.try_beam()


def test_a_shutter_opened_by_hand_is_counted_named_and_alarmed(
    bench: GuardBench, client: Remote
) -> None:
    begun_s = bench.world.now_s()
    before = bench.account()
    client.put("Shutter:Manual", 1, wait=True)
    bench.wait(lambda: "is open without a lease" in client.get("Guard:Reason"), 2)
    assert "its dose is counted on 'cell'" in client.get("Guard:Reason")
    assert client.do("severity", "Guard:State") == MAJOR
    assert "open without a lease; close it by hand first" in client.request()["error"]
    time.sleep(1.0)
    assert client.get("Guard:DoseRate") > 0
    assert bench.account().dose_Gy - before.dose_Gy >= bench.truth_Gy(begun_s)
    client.put("Shutter:Manual", 0, wait=True)
    bench.wait(lambda: "was open without a lease for" in client.get("Guard:Reason"), 3)
    assert client.do("severity", "Guard:State") == 0
    foreign = bench.entries("foreign")[-1].data
    assert foreign["sample"] == "cell"
    kinds = [entry.kind for entry in bench.of_lease(foreign["lease_id"])]
    assert kinds[0] == "foreign"
    assert kinds[-2:] == ["exposure", "settle"]
    counted_Gy = bench.account().dose_Gy - before.dose_Gy
    truth_Gy = bench.truth_Gy(begun_s)
    assert truth_Gy <= counted_Gy <= 1.1 * truth_Gy
    assert client.try_beam()


def test_a_blade_that_sticks_open_latches_and_goes_on_counting(
    bench: GuardBench, client: Remote
) -> None:
    lease = client.take()
    bench.wait_open()
    bench.world.inject(Fault("shutter_stuck_open"))
    client.give_back(lease)
    bench.wait(lambda: client.get("Guard:State") == 2, 2)
    assert "told to close and is still open" in client.get("Guard:Reason")
    bench.wait(lambda: client.get("Beam:Attenuator_RBV") == 0, 2)
    instead = "told to stop the beam instead: VT:Beam:Attenuator"
    bench.wait(lambda: instead in client.get("Guard:Reason"), 2)
    assert bench.entries("way_out")[-1].data["taken"] == {"VT:Beam:Attenuator": True}
    time.sleep(0.5)
    client.put("Guard:Reset", "hope", wait=True)
    bench.wait(lambda: "not reset: the shutter is not read closed" in client.get("Guard:Reason"), 2)
    bench.world.heal()
    bench.wait(lambda: bench.open_part == 0, 3)
    bench.wait(lambda: "was open without a lease" in client.get("Guard:Reason"), 3)
    client.put("Guard:Reset", "blade freed", wait=True)
    client.put("Beam:Attenuator", 1.0, wait=True)
    bench.wait(lambda: client.try_beam(), 3)
    bench.assert_logged()


def test_readings_that_are_none_cost_the_worst_and_never_the_guard(bench: GuardBench) -> None:
    client = bench.remote()
    bench.kill("beam")
    bench.start("beam", ODD)
    bench.wait(lambda: "reads nothing that can be used" in bench.log("guard"), 20)
    answer = client.request(seconds=5.0)
    assert "upper bound of the flux counts" in answer["note"]
    client.do("hold", answer["lease_id"])
    bench.wait_open()
    time.sleep(0.5)
    settlement = client.give_back(answer["lease_id"])
    assert "upper bound" in settlement["stamp"]
    assert "photon energy is not read" in settlement["stamp"]
    # The client library gives a monitor up that delivers what it did not expect.
    assert "the monitor of VT:Beam:Monitor had ended; it is opened again" in bench.log("guard")
    bench.kill("beam")
    bench.start("beam")


Trouble = Callable[[str], None]


@pytest.fixture
def trouble(bench: GuardBench) -> Iterator[Trouble]:
    """Sets what is wrong with the disk of the guard that runs meanwhile."""

    def set_trouble(words: str) -> None:
        (bench.folder.root / "trouble").write_text(words)

    set_trouble("")
    bench.end("guard")
    bench.start_guard(TROUBLED)
    yield set_trouble
    if "guard" in bench.processes:
        bench.end("guard")
    bench.start_guard()


def test_beam_off_goes_out_before_a_slow_disk_is_asked(bench: GuardBench, trouble: Trouble) -> None:
    client = bench.remote()
    lease = client.take()
    bench.wait_open()
    trouble("stop_beam slow 2.0")
    stopped_s = bench.world.now_s()
    client.put("Guard:StopBeam", 1)
    # A counter that just stands would close it after half a second.
    bench.wait_closed(stopped_s, 0.4)
    time.sleep(2.5)
    assert "by hand (StopBeam)" in client.ask("settle", lease_id=lease)["settlement"]["reason"]
    assert client.get("Guard:State") == 0


def test_a_disk_that_hangs_holds_the_guard_up_and_the_beam_closes_for_good(
    bench: GuardBench, trouble: Trouble
) -> None:
    client = bench.remote()
    lease = client.take()
    bench.wait_open()
    trouble("reserve slow 1.5")
    hung_s = bench.world.now_s()
    # The next reservation is due within a second of beam.
    bench.wait_closed(hung_s, 1.0 + 0.5 + 0.2)
    closed_s = bench.world.now_s()
    time.sleep(2.0)
    trouble("")
    assert bench.intervals(closed_s) == []
    assert "the guard itself was held up" in client.ask("renew", lease_id=lease)["error"]
    client.give_back(lease)
    bench.assert_logged()


def test_an_error_that_nobody_foresaw_ends_the_guard_with_the_beam_off(
    bench: GuardBench, trouble: Trouble
) -> None:
    client = bench.remote()
    client.take()
    bench.wait_open()
    trouble("stop_beam bug")
    stopped_s = bench.world.now_s()
    client.put("Guard:StopBeam", 1)
    bench.wait_closed(stopped_s, 0.4)
    assert bench.processes.pop("guard").wait(timeout=5) == 1
    assert "ZeroDivisionError: made for a test" in bench.log("guard")
    bench.assert_logged()
