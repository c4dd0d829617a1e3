"""Order of messages of every kind of scan: beam behind proof, off on every path."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from bluesky import Msg
from bluesky.simulators import RunEngineSimulator, assert_message_and_return_remaining
from bluesky.utils import FailedStatus, RequestAbort

from tests.plans.kinds import KINDS, at_kind, geometry, small
from tests.plans.scripted import Driver, Named, beamline, without_origins
from tests.plans.test_tomography import lease_words
from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import BeamNeed, FrameBlock, TriggerTrain
from voltomo.model.beam_window import beam_window
from voltomo.model.place import Place
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.plans.arithmetic import Pace, lease_groups, steps_beam_seconds
from voltomo.plans.laminography import laminography
from voltomo.plans.radiography import flats_and_darks, radiography
from voltomo.plans.scan import scan
from voltomo.plans.tomography import tomography, tomography_step
from voltomo.plans.words import ScanFailed, ScanRefused


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    without_origins(monkeypatch)


def driven(name: str, spec: ScanSpec | None = None) -> Driver:
    driver = Driver()
    driver.run(scan(at_kind(name), spec or KINDS[name]))
    return driver


def trains_of(driver: Driver) -> list[Block]:
    prepared = [m.args[0] for _, m in driver.of("prepare", "trigger")]
    return [word.block for word in prepared if isinstance(word, TriggerTrain)]


@pytest.mark.parametrize("name", KINDS)
def test_every_trigger_is_armed_once_and_in_order(name: str) -> None:
    driver, spec = driven(name), KINDS[name]
    trains = trains_of(driver)
    assert trains[0].first == 0
    assert all(a.last == b.first for a, b in pairwise(trains))
    assert trains[-1].last == spec.triggers
    files = [m.args[0] for _, m in driver.of("prepare", "camera")]
    names = [word.block.name for word in files if isinstance(word, FrameBlock)]
    assert names == [block.name for block in spec.blocks()]
    assert driver.of("open_run")[0][1].kwargs["plan_name"] == spec.plan_name


@pytest.mark.parametrize("name", KINDS)
def test_beam_is_asked_for_behind_arming_and_given_back_before_the_next(name: str) -> None:
    driver = driven(name)
    held = False
    for number, request in lease_words(driver):
        if request is not None:
            assert not held
            trains = [
                n for n, m in driver.of("prepare", "trigger") if m.args[0] is not None
                and n < number
            ]  # fmt: skip
            fired = [n for n, _ in driver.of("kickoff") if n < number]
            assert trains[-1] > max(fired, default=-1), "the next train is armed and not fired"
            assert request.stops_seen == 3
        held = request is not None
    assert not held
    # Nothing is fired in the light but with a lease.
    asked = [request for _, request in lease_words(driver) if request is not None]
    need = next(
        m.args[0] for _, m in driver.of("prepare", "lease") if isinstance(m.args[0], BeamNeed)
    )
    assert sum(request.seconds for request in asked) == pytest.approx(need.seconds)


@pytest.mark.parametrize("error", ["failure", "abort"])
@pytest.mark.parametrize("name", KINDS)
def test_whatever_fails_at_whatever_message_the_beam_is_off_and_all_rest(
    name: str, error: str
) -> None:
    def thrown() -> Exception:
        if error == "abort":
            return RequestAbort()
        failed = FailedStatus("status")
        failed.__cause__ = RuntimeError("the stage stuck")
        return failed

    messages = driven(name).messages
    commands = [m.command for m in messages]
    opened, closed = commands.index("open_run"), commands.index("close_run")
    for at in range(len(messages)):
        driver = Driver(lambda number, _, at=at: thrown() if number == at else None)
        devices = at_kind(name)
        with contextlib.suppress(ScanFailed, ScanRefused, FailedStatus, RequestAbort):
            driver.run(scan(devices, KINDS[name]))
        words = [request for _, request in lease_words(driver)]
        assert not words or words[-1] is None, f"message {at}: {messages[at]}"
        if not opened < at < closed:
            continue
        assert words, f"message {at}: {messages[at]}"
        # Of what a person aborts the engine closes the run.
        assert len(driver.of("close_run")) in ((1,) if error == "failure" else (0, 1))
        assert devices.watch.released == 1
        rested = {m.obj.name for _, m in driver.of("prepare") if m.args[0] is None}
        assert {"trigger", "camera", "rotation"} <= rested
        last = {m.obj.name: m.args[0] for _, m in driver.of("set")}
        assert last.get("sample_x", 0.5) == 0.5


@pytest.mark.parametrize("name", KINDS)
def test_the_engine_s_own_simulator_finds_all_leases_settled(name: str) -> None:
    simulator, answers = RunEngineSimulator(), Driver()
    for command in ("open_run", "read", "wait", "collect"):
        simulator.add_handler(command, answers._answer)
    messages = simulator.simulate_plan(scan(at_kind(name), KINDS[name]))
    asked = [m for m in messages if m.command == "set" and isinstance(m.args[0], LeaseRequest)]
    for request in asked:
        messages = assert_message_and_return_remaining(messages, lambda m, r=request: m is r)
        messages = assert_message_and_return_remaining(messages, lambda m: m.command == "kickoff")
        messages = assert_message_and_return_remaining(
            messages,
            lambda m: m.command == "set" and m.obj.name == "lease" and m.args[0] is None,
        )
    assert not any(m.command == "kickoff" for m in messages)


def moves(driver: Driver, name: str) -> list[float]:
    return [m.args[0] for _, m in driver.of("set", name)]


def test_steps_stand_still_while_they_are_exposed() -> None:
    driver = driven("step by step")
    there = [0.0, 60.0, 120.0]
    turns = moves(driver, "rotation")[1:]
    assert turns == pytest.approx([*there, *reversed(there)])
    asked = [r for _, r in lease_words(driver) if r is not None and r.purpose == "sweep_0"]
    assert [r.gate for r in asked] == ["trigger_window"]
    assert all(m.args[0] is None for _, m in driver.of("prepare", "rotation"))
    for number, _ in driver.of("set", "rotation")[2:]:
        before = [m.command for m in driver.messages[:number]]
        assert before[-1] == "sleep" or "kickoff" not in before[-6:]


def test_a_lease_for_some_steps_keeps_the_beam_off_between_its_groups() -> None:
    driver = driven("steps by leases")
    words = lease_words(driver)
    (block,) = [b for b in KINDS["steps by leases"].blocks() if b.kind == "sweep"]
    asked = [(n, r) for n, r in words if r is not None and r.purpose == "sweep_0"]
    assert len(asked) == len(lease_groups(block, 2)) == 2
    assert {r.gate for _, r in asked} == {"lease"}
    # The first move of each group comes before its lease.
    for number, _ in asked:
        set_before = [n for n, _ in driver.of("set", "rotation") if n < number]
        settled = [n for n, r in words if r is None and n < number]
        assert set_before[-1] > settled[-1]


def test_an_open_beam_between_steps_is_asked_for_and_no_other() -> None:
    window, pace = beam_window(0.02, 0.015), Pace(90.0, 0.3)
    gated, leased = (small(motion="step", gate=gate) for gate in ("trigger_window", "lease"))
    (block,) = [b for b in gated.blocks() if b.kind == "sweep"]
    closed_s = steps_beam_seconds(gated, block.stops, window, pace)
    open_s = steps_beam_seconds(leased, block.stops, window, pace)
    moving_s = 2 * pace.move_s(60.0)
    assert open_s > closed_s + moving_s
    assert closed_s > 3 * (0.02 + 2 * 0.015)


def test_radiographs_are_one_train_at_one_angle() -> None:
    driver = driven("radiographs")
    assert set(moves(driver, "rotation")) == {30.0}
    assert [b.count for b in trains_of(driver) if b.kind == "sweep"] == [3]


def test_flats_and_darks_turn_nothing() -> None:
    assert moves(driven("flats and darks"), "rotation") == []


def test_with_stored_flats_the_sample_stays_and_the_run_says_so() -> None:
    driver = driven("stored flats")
    assert set(moves(driver, "sample_x")) == {0.5}
    start = driver.of("open_run")[0][1].kwargs
    assert start["stored_flats"] == start["scan_spec"]["stored_flats"] == "f00"


def test_the_sample_is_carried_to_every_place_and_home() -> None:
    driver = driven("mosaic")
    out, home = 5.5, 0.5
    x = moves(driver, "sample_x")
    assert x == pytest.approx([out, 0.46, 0.54, 0.46, out, home, home])
    z = moves(driver, "sample_z")
    assert z == pytest.approx([1.99, 2.01, 2.0, 2.0])


def test_a_time_series_waits_for_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("voltomo.plans.scan.time.monotonic", lambda: clock[0])
    begun: list[float] = []

    def tick(_number: int, message: Msg) -> None:
        if message.command == "sleep":
            clock[0] += message.args[0]
        if message.command == "set" and isinstance(message.args[0], LeaseRequest):
            begun.append(clock[0])
            clock[0] += 3.0

    Driver(tick).run(scan(beamline(), small(sweeps=4, every_s=20.0, flats_after=0)))
    assert np.diff(begun[1:]) == pytest.approx([20.0] * 3, abs=0.6)
    begun.clear()
    # Where a round takes longer than it should, the next begins at once.
    Driver(tick).run(scan(beamline(), small(sweeps=4, every_s=1.0, flats_after=0)))
    assert np.diff(begun[1:]) == pytest.approx([3.0] * 3, abs=0.6)


def test_laminography_leans_the_axis_before_any_run_and_leaves_it_there() -> None:
    driver = Driver()
    devices = at_kind("laminography")
    driver.run(laminography(devices, KINDS["laminography"]))
    assert moves(driver, "tilt") == [30.0]
    (leant,) = [n for n, _ in driver.of("set", "tilt")]
    assert leant < driver.of("open_run")[0][0]
    assert driver.of("read", "tilt")[-1][0] > driver.of("open_run")[0][0], "it is in the baseline"


@pytest.mark.parametrize(
    ("tilt", "spec", "sentence"),
    [
        (None, small(geometry=geometry(tilt_deg=30)), "expected a tilt stage .* has none"),
        (Named("tilt", 30.0), small(geometry=geometry(tilt_deg=60)), "tilt: .*saw 60 deg"),
        (Named("tilt", 29.0), small(geometry=geometry(tilt_deg=30)), "expected 30 .*saw 29 deg"),
        (Named("tilt", 12.0), small(), "tilt: expected 0 .* saw 12 deg"),
    ],
)
def test_a_tilt_that_cannot_be_is_refused_before_any_run(tilt: Any, spec, sentence: str) -> None:
    devices = beamline()
    if tilt is not None:
        tilt.limits = (0.0, 45.0)
        devices.tilt = tilt
    driver = Driver()
    with pytest.raises(ScanRefused, match=sentence):
        driver.run(scan(devices, spec))
    assert not driver.of("open_run")
    assert not driver.of("set", "lease")


def test_places_without_a_stage_for_them_are_refused() -> None:
    devices = beamline()
    devices.sample_stage.z = None
    with pytest.raises(ScanRefused, match=r"sample z: .*the beamline has none"):
        Driver().run(scan(devices, small(places=(Place(z_mm=0.1),))))
    devices = beamline()
    devices.sample_stage.x.limits = (-2.0, 6.0)
    with pytest.raises(ScanRefused, match=r"sample x: expected a path within the limits"):
        Driver().run(scan(devices, small(places=(Place(x_mm=-3.0),))))


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (tomography, "mosaic"),
        (tomography_step, "golden frames"),
        (radiography, "radiographs"),
        (flats_and_darks, "flats and darks"),
        (laminography, "laminography"),
    ],
)
def test_a_plan_takes_its_own_kind_and_refuses_others(plan: Any, name: str) -> None:
    assert Driver().run(plan(at_kind(name), KINDS[name])) == "0123456789abcdef"
    other = "one sweep" if name != "mosaic" else "radiographs"
    with pytest.raises(ScanRefused, match=r"run it as \w+\(beamline, spec\)"):
        Driver().run(plan(at_kind(other), KINDS[other]))
