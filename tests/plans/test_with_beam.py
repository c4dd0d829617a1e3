"""Stock plans with beam: no photon without a lease, and none left on, whatever happens."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from bluesky import Msg
from bluesky import plans as bp
from bluesky.simulators import RunEngineSimulator
from bluesky.utils import FailedStatus, RequestAbort

from tests.plans.points import STOCK, Point, PointLease, at_points
from tests.plans.scripted import Driver, without_origins
from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import BeamNeed, Snapshot, SnapshotSetup
from voltomo.plans.tomography import tomography
from voltomo.plans.with_beam import with_beam
from voltomo.plans.words import ScanFailed, ScanRefused

DECLARED: dict[str, Any] = {"sample": "cell", "exposure_s": 0.05, "points": 40}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    without_origins(monkeypatch)


class PointDriver(Driver):
    """Answers `read` as the devices do."""

    def _answer(self, message: Msg) -> Any:
        if message.command == "read":
            if message.obj.name == "snapshots":
                return {"camera": {"value": next(self.counts), "timestamp": 0.0}}
            if hasattr(message.obj, "read"):
                return message.obj.read()
        if message.command == "set" and isinstance(message.obj, PointLease):
            message.obj.owed += int(message.args[0] is None and message.obj.value is not None)
        if message.command == "set" and isinstance(message.obj, Point):
            message.obj.value = message.args[0]
        return super()._answer(message)

    counts = itertools.cycle([1.0, 1.3, 2.0, 1.1])


def lit(messages: list[Msg]) -> list[bool]:
    """Whether a lease may be held at each message."""
    held, found = False, []
    for message in messages:
        if message.command == "set" and message.obj.name == "lease":
            held = message.args[0] is not None
        found.append(held)
    return found


def driven(name: str, **declared: Any) -> PointDriver:
    driver = PointDriver()
    devices = at_points()
    driver.run(with_beam(devices, STOCK[name](devices), **(DECLARED | declared)))
    return driver


@pytest.mark.parametrize("name", STOCK)
def test_detectors_are_triggered_in_the_light_and_all_else_is_dark(name: str) -> None:
    driver = driven(name)
    messages = driver.messages
    light = lit(messages)
    detectors = ("snapshots", "diode")
    triggered = [
        n for n, m in enumerate(messages) if m.command == "trigger" and m.obj.name in detectors
    ]
    assert triggered
    assert all(light[n] for n in triggered)
    dark = ("set", "read", "create", "save", "open_run", "close_run", "stage", "unstage")
    for number, message in enumerate(messages):
        if message.command in dark and not (message.command == "set" and light[number]):
            assert not light[number]
    moved = [n for n, m in driver.of("set") if m.obj.name in ("x", "y")]
    assert not any(light[n] for n in moved)
    assert not light[-1]
    bundles = [m.command for m in messages if m.command in ("create", "save")]
    assert bundles == ["create", "save"] * (len(bundles) // 2)
    asked = [m.args[0] for _, m in driver.of("set", "lease") if m.args[0] is not None]
    assert (
        len({request.purpose for request in asked})
        == len(asked)
        == len([m for _, m in driver.of("create") if m.kwargs["name"] == "beam"])
    )
    assert {r.gate for r in asked} == {"lease" if "diode alone" in name else "trigger_window"}


@pytest.mark.parametrize("name", STOCK)
def test_the_camera_is_armed_and_proven_before_beam_is_asked_for(name: str) -> None:
    driver = driven(name)
    (run,) = driver.of("open_run")
    (need,) = [m.args[0] for _, m in driver.of("prepare", "lease")]
    assert isinstance(need, BeamNeed)
    asked = [(n, m.args[0]) for n, m in driver.of("set", "lease") if m.args[0] is not None]
    assert sum(request.seconds for _, request in asked) <= need.seconds
    assert all(request.stops_seen == 3 for _, request in asked)
    assert run[1].kwargs["sample"] == "cell"
    assert run[1].kwargs["beam"]["points"] == 40
    if name == "a diode alone":
        assert not driver.of("prepare", "camera")
        assert [m.args[0] for _, m in driver.of("prepare", "shutter")] == ["Open"] * len(asked)
        return
    prepared = [(n, m.args[0]) for n, m in driver.of("prepare", "snapshots")]
    assert isinstance(prepared[0][1], SnapshotSetup)
    assert prepared[0][1].points == 40
    armed = [n for n, word in prepared if isinstance(word, Snapshot)]
    assert len(armed) == len(asked)
    assert all(a < n for a, (n, _) in zip(armed, asked, strict=True))
    assert not [m for m in driver.messages if getattr(m.obj, "name", "") == "camera"]


@pytest.mark.parametrize("error", ["failure", "abort"])
@pytest.mark.parametrize("name", STOCK)
def test_whatever_fails_at_whatever_message_the_beam_is_off(name: str, error: str) -> None:
    def thrown() -> Exception:
        if error == "abort":
            return RequestAbort()
        failed = FailedStatus("status")
        failed.__cause__ = RuntimeError("the stage stuck")
        return failed

    whole = driven(name).messages
    for at in range(len(whole)):
        driver = PointDriver(lambda number, _, at=at: thrown() if number == at else None)
        devices = at_points()
        with contextlib.suppress(ScanFailed, ScanRefused, FailedStatus, RequestAbort):
            driver.run(with_beam(devices, STOCK[name](devices), **DECLARED))
        asked = driver.of("set", "lease")
        assert not asked or asked[-1][1].args[0] is None, f"message {at}: {whole[at]}"
        assert not lit(driver.messages)[-1]
        assert devices.watch.released == 1
        rested = [m for _, m in driver.of("prepare", "snapshots") if m.args[0] is None]
        assert rested, f"message {at}: {whole[at]}"
        assert len(driver.of("close_run")) <= len(driver.of("open_run")) <= 1


def test_the_engine_s_own_simulator_finds_all_leases_settled() -> None:
    for name, make in STOCK.items():
        simulator, answers, devices = RunEngineSimulator(), PointDriver(), at_points()
        for command in ("open_run", "read", "wait"):
            simulator.add_handler(command, answers._answer)
        messages = simulator.simulate_plan(with_beam(devices, make(devices), **DECLARED))
        leases = [m.args[0] for m in messages if m.command == "set" and m.obj.name == "lease"]
        assert [isinstance(word, LeaseRequest) for word in leases[:-1]] == (
            [True, False] * ((len(leases) - 1) // 2)
        ), name
        assert leases[-1] is None


def test_more_exposures_than_declared_get_no_beam() -> None:
    driver, devices = PointDriver(), at_points()
    words: dict[str, Any] = DECLARED | {"points": 2}
    with pytest.raises(ScanFailed, match="at most 2 exposures, as declared"):
        driver.run(with_beam(devices, STOCK["count"](devices), **words))
    assert len([m for _, m in driver.of("set", "lease") if m.args[0] is not None]) == 2
    assert driver.of("close_run")[0][1].kwargs["exit_status"] == "fail"


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [({"points": None}, "say points="), ({"exposure_s": 0.0}, "expected an exposure above 0 s")],
)
def test_what_is_not_declared_is_refused_before_a_run(
    declared: dict[str, Any], sentence: str
) -> None:
    driver, devices = PointDriver(), at_points()
    words: dict[str, Any] = DECLARED | declared
    with pytest.raises(ScanRefused, match=sentence):
        driver.run(with_beam(devices, STOCK["tune_centroid"](devices), **words))
    assert not driver.of("open_run")
    assert not [m for _, m in driver.of("set", "lease") if m.args[0] is not None]


def test_how_many_exposures_a_plan_takes_need_not_be_said_where_it_says_so_itself() -> None:
    assert driven("grid_scan", points=None).of("open_run")[0][1].kwargs["beam"]["points"] == 4


def test_a_plan_that_asks_for_beam_itself_is_refused() -> None:
    from tests.plans.kinds import small

    driver, devices = PointDriver(), at_points()
    with pytest.raises((ScanRefused, ScanFailed), match="asks for its beam itself"):
        driver.run(with_beam(devices, tomography(devices, small()), **DECLARED))


def test_a_recorded_point_is_behind_a_checkpoint() -> None:
    messages = driven("count with delay").messages
    saved = [
        n
        for n, m in enumerate(messages)
        if m.command == "save" and messages[n - 1].obj.name != "beam"
    ]
    assert saved
    assert all(messages[n + 1].command == "checkpoint" for n in saved)


def test_an_open_shutter_or_an_absent_device_is_refused() -> None:
    devices = at_points()
    devices.shutter.state.value = "Open"
    with pytest.raises(ScanRefused, match="shutter: expected Closed, saw Open"):
        PointDriver().run(with_beam(devices, bp.count([devices.camera]), **DECLARED))
