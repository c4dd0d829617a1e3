"""What a scan is refused for: blind sectors, cables, limits, lenses, shutters, late answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import Msg

from tests.plans.scripted import Driver, Named, beamline, spec
from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import TriggerTrain
from voltomo.model.rotation_range import RotationRange
from voltomo.plans.tomography import tomography
from voltomo.plans.words import ScanRefused

BLIND = RotationRange(blind_sectors=((85.0, 95.0),))


def with_range(allowed: RotationRange) -> Any:
    made = beamline()
    made.rotation_range = allowed
    return made


def refused(devices: Any, driver: Driver | None = None, **changes: Any) -> str:
    driver = driver or Driver()
    with pytest.raises(ScanRefused) as caught:
        driver.run(tomography(devices, spec(**changes)))
    assert not driver.of("open_run")
    return str(caught.value)


def started(driver: Driver) -> dict[str, Any]:
    return driver.of("open_run")[0][1].kwargs


def test_the_beam_is_given_back_before_a_blind_sector() -> None:
    driver = Driver()
    driver.run(tomography(with_range(BLIND), spec()))
    leases = [
        None if message.args[0] is None else message.args[0].purpose
        for _, message in driver.of("set", "lease")
        if message.args[0] is None or isinstance(message.args[0], LeaseRequest)
    ]
    first = leases.index("sweep_0_part_0")
    assert leases[first : first + 3] == ["sweep_0_part_0", None, "sweep_0_part_1"]
    assert started(driver)["missing_wedge_deg"][0][0] < 85
    # The shutter travels for 15 ms and is open 10 ms early, while the stage turns at 72 deg/s.
    margin_deg = started(driver)["scan_spec"]["blind_margin_deg"]
    assert margin_deg == pytest.approx(72 * 0.025)
    trains = [
        message.args[0].block
        for _, message in driver.of("prepare", "trigger")
        if isinstance(message.args[0], TriggerTrain) and message.args[0].block.kind == "sweep"
    ]
    angles = [angle for train in trains for angle in train.asked_deg.tolist()]
    assert not [angle for angle in angles if 85 - 1.8 - margin_deg < angle < 95 + margin_deg]
    assert len(angles) == 100 - 8


def test_a_scan_that_wants_its_whole_range_is_refused() -> None:
    assert "saw a blind sector across it (85 to 95 deg)" in refused(
        with_range(BLIND), whole_range=True
    )
    everywhere = RotationRange(blind_sectors=((-10.0, 200.0),))
    assert "saw all of sweep 0 in blind sectors" in refused(with_range(everywhere))


def test_a_stage_with_cables_unwinds_to_where_they_reach() -> None:
    devices = with_range(RotationRange(wired=True, low_deg=-60, high_deg=600))
    devices.rotation.value = 580.0
    driver = Driver()
    driver.run(tomography(devices, spec()))
    assert started(driver)["scan_spec"]["geometry"]["start_deg"] == 360.0
    targets = [message.args[0] for _, message in driver.of("set", "rotation")]
    assert min(targets) > 300
    assert max(targets) <= 600


def test_cables_without_a_range_or_with_too_short_a_one_are_refused() -> None:
    devices = with_range(RotationRange(wired=True))
    devices.rotation.limits = (0.0, 0.0)
    assert "saw none in its motor record" in refused(devices)
    assert "saw -90.0 to 90.0 deg" in refused(
        with_range(RotationRange(wired=True, low_deg=-90, high_deg=90))
    )


def test_an_axis_that_nothing_would_stop_is_refused() -> None:
    devices = beamline()
    devices.sample_stage.x.limits = (0.0, 0.0)
    assert "sample x: expected limits, saw none set" in refused(devices)


def test_another_lens_and_a_closed_photon_shutter_are_refused() -> None:
    devices = beamline()
    devices.lens = SimpleNamespace(pixel_um=Named("lens_pixel_um", 0.65))
    assert "expected pixels of 2.5 um for this scan, saw a lens with 0.65 um" in refused(devices)
    devices.lens.pixel_um.value = float("nan")
    assert "lens: expected one in its place" in refused(devices)
    devices.photon_shutter = SimpleNamespace(
        state=Named("state", "Closed"), assumed=Named("assumed", True)
    )
    assert "saw Closed (assumed from its last command" in refused(devices)


def test_a_pv_that_answers_late_is_named() -> None:
    class Late(Driver):
        def _answer(self, message: Msg) -> Any:
            if getattr(message.obj, "name", "") == "acceleration" and message.command == "read":
                raise TimeoutError("Failed to read XF99:Rot:m1.ACCL within 3.00 sec")
            return super()._answer(message)

    class Throwing(Late):
        def run(self, plan: Any) -> Any:
            answer: Any = None
            failure: Exception | None = None
            while True:
                try:
                    message = plan.send(answer) if failure is None else plan.throw(failure)
                except StopIteration as end:
                    return end.value
                self.messages.append(message)
                failure = None
                try:
                    answer = self._answer(message)
                except TimeoutError as error:
                    failure = error

    sentence = refused(beamline(), Throwing())
    assert "XF99:Rot:m1.ACCL" in sentence
    assert "answers late" in sentence
    assert "no beam was used" in sentence


def test_further_devices_stand_in_the_baseline() -> None:
    devices = beamline()
    devices.further = {"distance": Named("distance", 42.0)}
    driver = Driver()
    driver.run(tomography(devices, spec()))
    assert len(driver.of("read", "distance")) == 2
