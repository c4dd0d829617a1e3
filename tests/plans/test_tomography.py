"""Order of a scan's messages: beam only behind proof, and off on every path."""

from __future__ import annotations

from typing import Any

import pytest
from bluesky import Msg
from bluesky.simulators import RunEngineSimulator, assert_message_and_return_remaining
from bluesky.utils import FailedPause, FailedStatus, RequestAbort

from tests.plans.scripted import Driver, beamline, spec
from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import FrameBlock, TriggerTrain
from voltomo.model.geometry import Region
from voltomo.plans.tomography import tomography
from voltomo.plans.words import ScanFailed, ScanRefused


def lease_words(driver: Driver) -> list[tuple[int, LeaseRequest | None]]:
    return [(number, message.args[0]) for number, message in driver.of("set", "lease")]


def test_a_scan_takes_its_blocks_in_order_and_returns_its_uid() -> None:
    driver = Driver()
    asked = spec()
    uid = driver.run(tomography(beamline(), asked))
    assert uid == "0123456789abcdef"
    trains = [
        message.args[0].block.name
        for _, message in driver.of("prepare", "trigger")
        if isinstance(message.args[0], TriggerTrain)
    ]
    assert trains == [block.name for block in asked.blocks()]
    assert driver.of("close_run")[0][1].kwargs["exit_status"] is None


def test_beam_is_asked_for_only_when_camera_trigger_and_stage_are_proven() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec(sweeps=2, order="alternate")))
    for number, request in lease_words(driver):
        if request is None:
            continue
        before = driver.messages[:number]
        armed = [m for m in before if m.command == "prepare"]
        frames = [m for m in armed if isinstance(m.args[0], FrameBlock)]
        trains = [m for m in armed if isinstance(m.args[0], TriggerTrain)]
        assert frames[-1].args[0].block.name == request.purpose
        assert trains[-1].args[0].block.name == request.purpose
        waited = [m for m in before if m.command == "wait"]
        assert waited[-1].kwargs["group"] == frames[-1].kwargs["group"]
        assert request.gate == "trigger_window"


def test_the_stage_starts_its_sweep_only_with_a_lease() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec()))
    (request,) = [n for n, r in lease_words(driver) if r is not None and r.purpose == "sweep_0"]
    early, approach, run_down = driver.of("set", "rotation")
    assert early[1].args == approach[1].args
    assert early[0] < approach[0] < request < run_down[0]
    assert approach[1].args[0] < 0 < 178.2 < run_down[1].args[0]


def test_the_stage_turns_to_its_start_meanwhile_and_stands_when_the_sample_is_shifted() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec()))
    early = driver.of("set", "rotation")[0]
    stands = next(n for n, m in driver.of("wait") if m.kwargs["group"] == early[1].kwargs["group"])
    prepared = [(n, m.args[0]) for n, m in driver.of("prepare")]
    trains = [(n, word) for n, word in prepared if isinstance(word, TriggerTrain)]
    darks = next(n for n, train in trains if train.block.kind == "darks")
    shifted = driver.of("set", "sample_x")[0][0]
    assert early[0] < darks < stands < shifted


def test_every_lease_is_given_back_before_the_next_is_asked_for() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec(sweeps=3)))
    held = False
    for _, request in lease_words(driver):
        if request is not None:
            assert not held
        held = request is not None
    assert not held


def test_every_request_says_how_often_the_beam_had_been_stopped_when_the_scan_began() -> None:
    driver, at = Driver(), beamline()
    seen = at.lease.stops.value

    def stopped_meanwhile(_number: int, message: Msg) -> None:
        if message.command == "open_run":
            at.lease.stops.value += 1

    driver = Driver(stopped_meanwhile)
    driver.run(tomography(at, spec()))
    asked = [request for _, request in lease_words(driver) if request is not None]
    assert [request.stops_seen for request in asked] == [seen] * 3


def test_the_start_document_says_the_energy_that_was_read() -> None:
    driver, at = Driver(), beamline()
    at.energy.value = 25.5
    driver.run(tomography(at, spec()))
    assert driver.of("open_run")[0][1].kwargs["energy_keV"] == 25.5


@pytest.mark.parametrize("energy_keV", [0.0, -8.0, float("nan")])
def test_an_energy_that_cannot_be_is_refused_before_a_run(energy_keV: float) -> None:
    driver, at = Driver(), beamline()
    at.energy.value = energy_keV
    with pytest.raises(ScanRefused, match="photon energy above 0 keV"):
        driver.run(tomography(at, spec()))
    assert not driver.of("open_run")


def test_priming_and_darks_take_no_lease() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec()))
    purposes = [request.purpose for _, request in lease_words(driver) if request is not None]
    assert purposes == ["flats_before", "sweep_0", "flats_after"]


def test_the_sample_leaves_for_flats_and_comes_back() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec(flats_shift_mm=4.0)))
    places = [message.args[0] for _, message in driver.of("set", "sample_x")]
    assert places[:4] == [4.5, 0.5, 4.5, 0.5]
    assert places[-1] == 0.5


def messages_of_a_scan() -> list[Msg]:
    driver = Driver()
    driver.run(tomography(beamline(), spec()))
    return driver.messages


SCAN = messages_of_a_scan()
OPENED = [m.command for m in SCAN].index("open_run")
CLOSED = [m.command for m in SCAN].index("close_run")
RESTING = [m.command for m in SCAN].index("clear_checkpoint")


@pytest.mark.parametrize("at", range(OPENED + 1, CLOSED))
def test_whatever_fails_the_beam_is_off_and_the_run_is_closed_with_the_reason(at: int) -> None:
    def interrupt(number: int, _message: Msg) -> Exception | None:
        if number != at:
            return None
        failed = FailedStatus("status")
        failed.__cause__ = RuntimeError("rotation: expected 5 deg, saw 4 deg")
        return failed

    driver = Driver(interrupt)
    devices = beamline()
    told = ""
    try:
        driver.run(tomography(devices, spec()))
    except ScanFailed as error:
        told = str(error)
    # A step of the clean-up is done again; what interrupted it is then no failure of the scan.
    ((_, closed),) = driver.of("close_run")
    assert (closed.kwargs["exit_status"] == "fail") == bool(told)
    if at < RESTING:
        assert "rotation: expected 5 deg, saw 4 deg" in told
        assert closed.kwargs["reason"] == told
    words = lease_words(driver)
    assert words[-1][1] is None
    assert words[-1][0] > max(n for n, r in [(-1, None), *words] if r is not None or n < 0)
    assert devices.watch.released == 1
    rested = {m.obj.name for _, m in driver.of("prepare") if m.args[0] is None}
    assert {"trigger", "camera", "rotation"} <= rested


def interrupted_with(error: type[Exception]) -> Driver:
    at = next(n for n, m in enumerate(SCAN) if m.command == "kickoff" and n > OPENED + 60)
    driver = Driver(lambda number, _: error() if number == at else None)
    with pytest.raises(error):
        driver.run(tomography(beamline(), spec()))
    assert lease_words(driver)[-1][1] is None
    return driver


def test_an_abort_gives_the_beam_back_and_leaves_the_reason_to_the_engine() -> None:
    assert not interrupted_with(RequestAbort).of("close_run")


def test_a_pause_that_cannot_be_resumed_closes_the_run_with_the_reason() -> None:
    ((_, closed),) = interrupted_with(FailedPause).of("close_run")
    assert closed.kwargs["exit_status"] == "abort"
    assert "cannot be resumed; the beam is off" in closed.kwargs["reason"]


def test_the_clean_up_begins_by_closing_the_way_back_to_the_beam() -> None:
    driver = Driver()
    driver.run(tomography(beamline(), spec()))
    ((cleared, _),) = driver.of("clear_checkpoint")
    assert max(number for number, _ in driver.of("checkpoint")) < cleared
    assert lease_words(driver)[-1][0] > cleared


def test_a_shutter_that_stays_open_fails_the_scan_and_keeps_the_sample_out_of_the_beam() -> None:
    devices = beamline()

    def stick(_number: int, message: Msg) -> None:
        if message.command == "clear_checkpoint":
            devices.shutter.state.value = "Fault"

    driver = Driver(stick)
    with pytest.raises(ScanFailed, match=r"is whole, but the beam may be on .*saw Fault.*by hand"):
        driver.run(tomography(devices, spec()))
    cleared = driver.of("clear_checkpoint")[0][0]
    assert all(number < cleared for number, _ in driver.of("set", "sample_x"))


def test_a_step_of_the_clean_up_that_fails_skips_no_other() -> None:
    def interrupt(_number: int, message: Msg) -> Exception | None:
        resting = message.command == "prepare" and message.args[0] is None
        if resting and message.obj.name == "camera":
            return RuntimeError("the writer is gone")
        return None

    driver = Driver(interrupt)
    with pytest.raises(ScanFailed, match=r"the camera could not be stopped.*the writer is gone"):
        driver.run(tomography(beamline(), spec()))
    assert driver.of("prepare", "rotation")[-1][1].args[0] is None
    assert driver.of("set", "sample_x")[-1][1].args[0] == 0.5


def assert_refused(devices: Any, match: str, driver: Driver | None = None, **changes: Any) -> None:
    driver = driver or Driver()
    with pytest.raises(ScanRefused, match=match):
        driver.run(tomography(devices, spec(**changes)))
    assert not driver.of("open_run")
    assert not driver.of("set", "lease")


def test_a_path_beyond_a_limit_is_refused_before_any_run() -> None:
    devices = beamline()
    devices.rotation.limits = (0.0, 180.0)
    assert_refused(devices, "run-up included.*no beam was used")


def test_flats_beyond_the_sample_stage_are_refused() -> None:
    devices = beamline()
    devices.sample_stage.x.limits = (-2.0, 2.0)
    assert_refused(devices, "sample x")


def test_a_sweep_that_is_too_fast_is_refused() -> None:
    assert_refused(beamline(), "at most 180 deg/s, saw 360 deg/s", period_s=0.005, exposure_s=0.004)


def test_an_open_shutter_is_refused() -> None:
    devices = beamline()
    devices.shutter.state.value = "Open"
    assert_refused(devices, "shutter: expected Closed, saw Open")


def test_a_beamline_that_lacks_a_device_is_refused_after_a_while() -> None:
    devices = beamline()
    devices.watch.value = "camera: expected VT:Cam to answer, saw it disconnect"
    driver = Driver()
    assert_refused(devices, "camera: expected VT:Cam to answer", driver)
    assert sum(message.args[0] for _, message in driver.of("sleep")) == pytest.approx(30.0, abs=0.2)


def test_a_device_that_comes_back_is_waited_for() -> None:
    devices = beamline()
    devices.watch.value = "camera: expected VT:Cam to answer, saw it disconnect"

    def come_back(_number: int, message: Msg) -> None:
        if message.command == "sleep":
            devices.watch.value = None

    assert Driver(come_back).run(tomography(devices, spec())) == "0123456789abcdef"


def test_what_a_device_refuses_is_told_in_its_words() -> None:
    failed = FailedStatus("status")
    failed.__cause__ = RuntimeError("lease: expected 9.0 s of beam, saw 2.0 s left")
    driver = Driver(lambda _, m: failed if m.command == "wait" else None)
    assert_refused(beamline(), "expected 9.0 s of beam, saw 2.0 s left", driver)


def test_priming_frames_that_do_not_pair_end_the_scan_before_any_beam() -> None:
    devices = beamline()
    whole = devices.camera.last_frames()
    part = type(whole)(whole.time_s[:11], whole.unique_id[:11], whole.source[:11])
    devices.camera.last_frames = lambda: part
    driver = Driver()
    with pytest.raises(ScanFailed, match="12 pulses and 11 frames"):
        driver.run(tomography(devices, spec()))
    assert all(request is None for _, request in lease_words(driver))


def test_the_engine_s_own_simulator_finds_the_lease_behind_the_arming() -> None:
    simulator = RunEngineSimulator()
    answers = Driver()
    for command in ("open_run", "read", "wait", "collect"):
        simulator.add_handler(command, answers._answer)
    messages = simulator.simulate_plan(tomography(beamline(), spec()))
    messages = assert_message_and_return_remaining(
        messages, lambda m: m.command == "prepare" and isinstance(m.args[0], TriggerTrain)
    )
    assert_message_and_return_remaining(
        messages, lambda m: m.command == "set" and isinstance(m.args[0], LeaseRequest)
    )


def test_a_region_of_interest_is_refused_before_any_device_is_touched() -> None:
    asked = spec()
    region = Region(first_row=0, last_row=16, first_column=0, last_column=48)
    geometry = asked.geometry.model_copy(update={"region": region})
    driver = Driver()
    with pytest.raises(ScanRefused, match=r"rows 0 to 16, columns 0 to 48.*no beam was used"):
        driver.run(tomography(beamline(), asked.model_copy(update={"geometry": geometry})))
    assert not driver.of("prepare")
    assert not driver.of("open_run")
