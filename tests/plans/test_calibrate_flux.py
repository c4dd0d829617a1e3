"""Readings of monitor and diode: whom a stopped beam stops, what is brought back, what counts."""

from __future__ import annotations

from typing import Any

import pytest
from bluesky import Msg

from tests.plans.scripted import Driver, Named, beamline
from voltomo.dose.flux_detectors import Photodiode
from voltomo.plans.calibrate_flux import POINT, calibrate_flux
from voltomo.plans.words import ScanFailed, ScanRefused
from voltomo.profiles.flux import _Events

DIODE = Named("flux_detector", 1e-6)


def calibrated(devices: Any, driver: Driver) -> None:
    driver.run(calibrate_flux(devices, DIODE, "cell", 5.0, energies_keV=(18, 22), readings=3))


def places(driver: Driver, name: str) -> list[float]:
    return [message.args[0] for _, message in driver.of("set", name)]


def test_each_point_is_a_way_back_and_asks_for_beam_as_often_as_it_was_not_stopped() -> None:
    driver = Driver()
    calibrated(beamline(), driver)
    asked = [m.args[0] for _, m in driver.of("set", "lease") if m.args[0] is not None]
    assert [request.stops_seen for request in asked] == [3, 3]
    assert len(driver.of("checkpoint")) == 4
    # A stream has the same objects in all its events.
    assert len({id(message.obj) for _, message in driver.of("read", POINT)}) == 1
    assert places(driver, "sample_x") == [5.5, 0.5]
    assert places(driver, "energy") == [18, 22, 20]
    # Once, with no way back to a lease while the sample comes home.
    home = driver.of("set", "sample_x")[-1][0]
    assert driver.of("clear_checkpoint")[-1][0] < home


def test_the_sample_stays_out_of_a_beam_that_may_be_on() -> None:
    devices = beamline()

    def stuck(_number: int, message: Msg) -> Exception | None:
        if message.command == "set" and message.obj is devices.lease and message.args[0]:
            devices.shutter.state.value = "Open"
        return None

    driver = Driver(stuck)
    with pytest.raises(ScanFailed, match="sample x was not brought back"):
        calibrated(devices, driver)
    assert places(driver, "sample_x") == [5.5]
    assert places(driver, "energy") == [18, 22]


def test_a_closed_front_end_is_told_before_any_beam() -> None:
    devices = beamline()
    front_end: Any = Named("photon_shutter")
    front_end.state, front_end.assumed = Named("state", "Closed"), Named("assumed", 0)
    devices.photon_shutter = front_end
    driver = Driver()
    with pytest.raises(ScanRefused, match="photon shutter: expected Open"):
        calibrated(devices, driver)
    assert not driver.of("set", "lease")


def test_of_a_point_that_was_taken_again_the_later_readings_count() -> None:
    events = _Events()
    streams = {"dark": "d", "primary": "p"}
    for name, uid in streams.items():
        events("descriptor", {"uid": uid, "name": name})

    def read(stream: str, number: int, readings: int, ampere: float) -> None:
        for n in range(readings):
            flux = 1e6 * (1 + 1e-3 * n)
            data = {POINT: number, "flux_detector": ampere * (1 + 1e-3 * n), "energy": 20.0,
                    "beam_monitor_flux": flux}  # fmt: skip
            events("event", {"descriptor": streams[stream], "data": data})

    for number, readings in ((0, 5), (1, 1), (1, 5)):
        read("dark", number, 3, 1e-12)
        read("primary", number, readings, 1e-6)
    found = events.points(Photodiode(), 0.25, None)
    assert [point.readings for point in found] == [5, 5]
