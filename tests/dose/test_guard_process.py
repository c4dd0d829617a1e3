"""The guard's process over Channel Access: leases, refusals, and whatever else a client sends."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.dose.guard_bench import GuardBench, Remote

pytestmark = pytest.mark.twin


def test_a_lease_over_channel_access_opens_settles_and_is_in_the_log(
    bench: GuardBench, client: Remote
) -> None:
    begun_s = bench.world.now_s()
    lease = client.take(seconds=5.0, scan_uid="abc")
    bench.wait_open()
    bench.wait(lambda: client.get("Guard:LeaseId") == lease, 1)
    assert client.get("Guard:State") == 1
    time.sleep(1.5)
    assert client.get("Guard:DoseRate") > 0
    settlement = client.give_back(lease)
    assert bench.open_part == 0
    [(opened_s, closed_s)] = bench.intervals(begun_s)
    assert settlement["open_s"] == pytest.approx(closed_s - opened_s, abs=0.05)
    truth_Gy = bench.truth_Gy(begun_s)
    assert truth_Gy <= settlement["dose_Gy"] <= 1.05 * truth_Gy
    assert settlement["dose_central_Gy"] == pytest.approx(truth_Gy, rel=0.02)
    entries = bench.of_lease(lease)
    kinds = [entry.kind for entry in entries]
    assert kinds[0] == "reserve"
    assert kinds[-2:] == ["exposure", "settle"]
    assert entries[0].utc_s <= bench.world.utc_s(opened_s)
    assert entries[0].data["request"]["scan_uid"] == "abc"
    assert entries[-1].data == settlement
    bench.assert_logged()
    assert client.ask("renew", lease_id=lease)["error"].startswith("the lease is lost")
    assert client.ask("settle", lease_id=lease)["settlement"] == settlement


@pytest.mark.parametrize(
    ("sample", "wanted"),
    [
        ("short-lived", {"seconds": 30.0}),
        ("delicate", {"seconds": 30.0}),
        ("delicate", {"seconds": 0.1, "dose_Gy": 16.0}),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_photon_with_what_would_fit(
    bench: GuardBench, client: Remote, sample: str, wanted: dict[str, float]
) -> None:
    begun_s, known = bench.world.now_s(), len(bench.entries("reserve"))
    answer = client.request(sample, **wanted)
    assert not answer["ok"]
    found = re.search(r"; ([\d.]+) s or ([\d.e+]+) Gy would fit", answer["error"])
    assert found is not None
    assert bench.entries("refuse")[-1].data["error"] == answer["error"]
    time.sleep(0.3)
    assert bench.intervals(begun_s) == []
    assert len(bench.entries("reserve")) == known
    lease = client.take(sample, seconds=0.9 * float(found[1]))
    assert client.give_back(lease)["dose_Gy"] < 5.0


def test_the_limit_closes_a_lease_that_would_pass_it(bench: GuardBench, client: Remote) -> None:
    left_s = client.ask("status", sample="short-lived")["seconds_left"]
    begun_s = bench.world.now_s()
    lease = client.take("short-lived", seconds=left_s - 0.2)
    bench.wait_open()
    bench.wait_closed(begun_s, left_s + 0.5)
    client.do("let_go")
    assert "used up" in client.ask("settle", lease_id=lease)["settlement"]["reason"]
    assert bench.account("short-lived").open_s <= 4.0
    assert "does not fit" in client.request("short-lived", seconds=0.1)["error"]


def test_two_clients_at_once_get_one_lease(bench: GuardBench, client: Remote) -> None:
    other = bench.remote()
    wanted = {"sample": "cell", "seconds": 10.0, "gate": "lease"}
    for one in (client, other):
        one.begin("ask", "request", request=wanted | {"purpose": "both"})
    answers = [one.end() for one in (client, other)]
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    first = answers.index(next(answer for answer in answers if answer["ok"]))
    holder, refused = (client, other) if first == 0 else (other, client)
    lease = answers[first]["lease_id"]
    holder.do("hold", lease)
    assert lease in answers[1 - first]["error"]
    assert "both" in answers[1 - first]["error"]
    bench.wait_open()
    for _ in range(30):
        assert refused.ask("status", sample="cell")["ok"]
        assert not refused.ask("renew", lease_id="mine")["ok"]
        assert not refused.ask("settle", lease_id="mine")["ok"]
    assert bench.open_part == 1
    assert holder.give_back(lease)["reason"] == "done"


LONG = "x" * 16000


GARBAGE: dict[str, str | list[int]] = {
    "nothing": "",
    "prose": "open the shutter",
    "braces": "{" * 16000,
    "brackets": "[" * 16000,
    "no unicode": [255, 254, 128, 0, 65],
    "too long": LONG * 2,
    "long id": json.dumps({"id": LONG, "op": "status"}),
    "long op": json.dumps({"id": "a", "op": LONG}),
    "long sample": json.dumps({"id": "b", "op": "status", "sample": LONG}),
    "long lease": json.dumps({"id": "c", "op": "settle", "lease_id": LONG}),
    "nested op": json.dumps({"id": "d", "op": {"op": "request"}}),
    "not a number": '{"id": "e", "op": "request", "request": {"sample": "cell", "seconds": NaN}}',
    "long purpose": json.dumps(
        {"id": "f", "op": "request", "request": {"sample": "cell", "seconds": 1, "purpose": LONG}}
    ),
    "half characters": json.dumps({"id": "\ud800", "op": "\udfff"}),
}


def test_garbage_disturbs_neither_guard_nor_lease(bench: GuardBench, client: Remote) -> None:
    other = bench.remote()
    # Long enough for all of it on a slow machine.
    lease = client.take(seconds=300.0)
    bench.wait_open()
    for name, garbage in GARBAGE.items():
        for wait in (True, False, True):
            other.put("Guard:Command", garbage, wait=wait)
        answer = other.ask("open the shutter")
        assert answer["error"].startswith("the command 'open the shutter'"), name
        json.loads(other.get("Guard:Reply"))
        assert bench.open_part == 1, name
    assert client.give_back(lease)["reason"] == "done"
    assert bench.processes["guard"].poll() is None
    assert "Traceback" not in bench.log("guard")


def test_long_reasons_fit_everywhere(bench: GuardBench, client: Remote) -> None:
    lease = client.take(purpose="ü" * 100, scan_uid="ü" * 100)
    bench.wait_open()
    client.do("let_go")
    settlement = client.ask("settle", lease_id=lease, reason="ü" * 2500)["settlement"]
    assert settlement["reason"].startswith("ü" * 100)
    assert len(settlement["reason"]) < 300
    client.put("Guard:Reset", "ü" * 2000, wait=True)
    assert client.ask("status", sample="cell")["ok"]


def test_stop_beam_by_plain_caput_closes_at_once_whoever_has_it(
    bench: GuardBench, client: Remote
) -> None:
    other = bench.remote()
    lease = client.take()
    bench.wait_open()
    stopped_s = bench.world.now_s()
    other.put("Guard:StopBeam", 1)
    # Sooner than a silent counter would close it.
    bench.wait_closed(stopped_s, 0.4)
    bench.wait(lambda: "StopBeam" in other.get("Guard:Reason"), 1)
    assert "by hand (StopBeam)" in client.ask("renew", lease_id=lease)["error"]
    assert "by hand (StopBeam)" in client.ask("settle", lease_id=lease)["settlement"]["reason"]
    assert [entry.kind for entry in bench.entries("stop_beam", "lost")][-2:] == [
        "stop_beam",
        "lost",
    ]
    other.put("Guard:StopBeam", 1, wait=True)
    assert bench.entries("stop_beam")[-1].data["lease_id"] is None


def test_triggers_that_do_not_come_end_the_lease(bench: GuardBench, client: Remote) -> None:
    begun_s = bench.world.now_s()
    lease = client.take(trigger_deadline_s=0.3)
    bench.wait_open()
    bench.wait_closed(begun_s, 3.0)
    assert "no trigger came" in client.ask("settle", lease_id=lease)["settlement"]["reason"]


def test_a_controller_that_would_close_too_late_gets_no_lease(
    bench: GuardBench, client: Remote
) -> None:
    lease = client.take()
    bench.wait_open()
    changed_s = bench.world.now_s()
    client.put("Shutter:StaleTime", 2.0, wait=True)
    bench.wait_closed(changed_s, 0.4)
    assert "waits 2 s for a silent guard" in client.ask("renew", lease_id=lease)["error"]
    assert "reservations count on 0.5 s" in client.request()["error"]
    client.put("Shutter:StaleTime", 0.5, wait=True)
    bench.wait(lambda: client.try_beam(), 3)


def test_a_gate_mode_changed_by_somebody_ends_the_lease(bench: GuardBench, client: Remote) -> None:
    lease = client.take(gate="trigger_window")
    changed_s = bench.world.now_s()
    client.put("Shutter:GateMode", "Lease", wait=True)
    time.sleep(0.3)
    assert "gate mode" in client.ask("renew", lease_id=lease)["error"]
    assert sum(end - begin for begin, end in bench.intervals(changed_s)) < 0.2
    assert client.ask("settle", lease_id=lease)["ok"]
    bench.assert_logged()
