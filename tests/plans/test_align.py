"""Order of messages of an alignment: leases given back, axes home, nothing moved for a guess."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bluesky import Msg
from bluesky.simulators import RunEngineSimulator, assert_message_and_return_remaining
from bluesky.utils import FailedStatus

from tests.plans.scripted import Driver, Named, beamline, spec
from tests.plans.test_tomography import lease_words
from voltomo.dose.lease import LeaseRequest
from voltomo.model.alignment import (
    Alignment,
    AlignmentMode,
    Displacement,
    Estimate,
    Look,
    Radiographs,
    unknown,
)
from voltomo.model.geometry import Geometry
from voltomo.plans.align import align
from voltomo.plans.align_options import AlignOptions, next_exposure_s
from voltomo.plans.align_work import Findings
from voltomo.plans.recenter import recenter
from voltomo.plans.words import ScanFailed, ScanRefused

OPTIONS = AlignOptions(flats=2, darks=1, views=4)
ASKED = spec(
    geometry=Geometry(rows=8, columns=100, pixel_um=2.0, step_deg=1.8, projections=100),
)
SURE = Look(
    axis_column=Estimate(59.5, 0.02),
    roll_deg=Estimate(0.5, 0.002),
    pitch_deg=Estimate(-0.25, 0.005),
    off_axis_columns=Estimate(2.0, 0.1),
    off_axis_angle_deg=30.0,
    middle_row=unknown("the sample reaches beyond the field at top and bottom"),
)
LEVEL = replace(
    SURE,
    axis_column=Estimate(49.5, 0.02),
    roll_deg=Estimate(0.001, 0.002),
    pitch_deg=Estimate(0.001, 0.005),
)


class Told:
    """Estimators that say what a test wants."""

    def __init__(self, **changes: Any) -> None:
        self.looks = [SURE, LEVEL]
        self.brightest = 0.7 * 65535
        self.saturated = 0.0
        self.missing = ""
        self.focus = Estimate(0.12, 0.005)
        self.pixel = Estimate(2.02, 0.001)
        self.moved = Displacement(
            Estimate(5.0, 0.01), Estimate(-3.0, 0.01), Estimate(0.1, 0.1), Estimate(0.0, 0.1)
        )
        self.__dict__.update(changes)

    def radiographs(self, uid: str) -> Radiographs:
        views = np.zeros((4, 8, 100), np.float32)
        field = np.zeros((8, 100), np.float32)
        angles = np.array([0.0, 90.0, 180.0, 270.0], np.float64)
        return Radiographs(
            views, angles, np.zeros(4, np.int64), field + 1, field, self.brightest,
            self.saturated, 0.5, 0.1,
        )  # fmt: skip

    def no_contrast(self, seen: Radiographs) -> str:
        return self.missing

    def focus_mm(self, seen: Radiographs, places_mm: Sequence[float]) -> Estimate:
        return self.focus

    def look(self, seen: Radiographs) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def tilt_deg(self, seen: Radiographs, upright: Look, about_deg: float) -> Estimate:
        return Estimate(about_deg + 0.2, 0.01)

    def pixel_um(self, seen: Radiographs, moved_mm: float) -> Estimate:
        return self.pixel

    def displacement(self, reference: Radiographs, now: Radiographs) -> Displacement:
        return self.moved


class Aligner(Driver):
    """Answers the priming of every run."""

    def _answer(self, message: Msg) -> Any:
        if message.command == "open_run":
            self._trigger_index = 0
        if message.command == "set" and hasattr(message.obj, "value"):
            message.obj.value = message.args[0]
        if message.command == "read" and isinstance(message.obj, Findings):
            return message.obj.read()
        return super()._answer(message)


def whole_beamline() -> Any:
    made = beamline()
    for name, value in (("focus", 0.0), ("camera_roll", 0.1), ("tilt", 0.0)):
        setattr(made, name, Named(name, value))
    made.tilt.user_offset = Named("tilt_user_offset", 0.0)
    return made


def aligned(
    mode: AlignmentMode, devices: Any = None, told: Told | None = None, **changes: Any
) -> tuple[Alignment, Aligner, Any]:
    driver, devices = Aligner(), devices or whole_beamline()
    asked = ASKED.model_copy(update=changes)
    found = driver.run(align(devices, asked, told or Told(), mode=mode, options=OPTIONS))
    return found, driver, devices


def test_show_leaves_every_axis_where_it_was_and_says_what_to_move() -> None:
    found, driver, devices = aligned("show")
    assert devices.focus.value == 0.0
    assert devices.sample_stage.x.value == 0.5
    assert devices.camera_roll.value == 0.1
    assert driver.of("set", "camera_roll") == driver.of("set", "tilt_user_offset") == []
    assert found.quantity("focus").value == 0.12
    assert found.quantity("axis").value == 59.5
    assert found.quantity("centring").value == pytest.approx(10.0)
    assert not any(quantity.applied for quantity in found.quantities)
    assert "beyond the field" in found.quantity("height").sentence
    assert found.quantity("height").value is None
    # Two a place of the focus, four round the turn, two at each of two places.
    assert found.radiographs == 10 + 4 + 4
    assert found.scan_dose_Gy is not None


def test_apply_moves_what_is_off_with_the_beam_off_and_looks_again() -> None:
    found, driver, devices = aligned("apply")
    assert devices.focus.value == 0.12
    assert devices.camera_roll.value == pytest.approx(0.1 - 0.5)
    assert devices.sample_stage.x.value == pytest.approx(0.5 - 10 * 2.02e-3)
    assert (devices.tilt.user_offset.value, devices.tilt.value) == (-0.25, 0.0)
    assert found.quantity("axis").value == 49.5
    assert found.quantity("axis").applied
    assert "before: axis at 59.500" in found.quantity("axis").sentence
    held = False
    for message in driver.messages:
        if message.command == "set" and message.obj.name == "lease":
            held = message.args[0] is not None
        elif message.command == "set" and message.obj.name in ("camera_roll", "focus", "sample_x"):
            assert not held


def test_every_run_is_closed_and_the_last_one_holds_an_event_for_each_quantity() -> None:
    found, driver, _ = aligned("show")
    opened, closed = driver.of("open_run"), driver.of("close_run")
    assert len(opened) == len(closed) == len(found.runs) + 1
    plans = [m.kwargs["plan_name"] for _, m in opened]
    kinds = ["flats_and_darks", "radiography", "tomography_step", "radiography", "align"]
    assert plans == kinds
    assert opened[-1][1].kwargs["alignment"]["reference"] == found.reference
    events = [m for _, m in driver.of("create") if m.kwargs["name"] == "align"]
    assert len(events) == len(found.quantities)


def sorts_of(messages: list[Msg]) -> list[int]:
    """Numbers of messages, one of each sort."""
    sorts: dict[Any, int] = {}
    for number, message in enumerate(messages):
        word = type(message.args[0]).__name__ if message.args else ""
        sorts.setdefault((message.command, getattr(message.obj, "name", ""), word), number)
    return list(sorts.values())


def test_whatever_fails_the_beam_is_off_and_the_focus_is_home() -> None:
    messages = aligned("apply")[1].messages
    for at in sorts_of(messages):
        failed = FailedStatus("status")
        failed.__cause__ = RuntimeError("the stage stuck")
        error: Any = failed
        driver = Aligner(lambda number, _, at=at, error=error: error if number == at else None)
        devices = whole_beamline()
        with contextlib.suppress(ScanFailed, ScanRefused, FailedStatus):
            driver.run(align(devices, ASKED, Told(), mode="apply", options=OPTIONS))
        words = lease_words(driver)
        assert not words or words[-1][1] is None, f"message {at}: {messages[at]}"
        if messages[at].command not in ("open_run", "close_run"):
            assert len(driver.of("open_run")) == len(driver.of("close_run"))
        assert devices.focus.value in (0.0, 0.12), f"message {at}: {messages[at]}"


def test_the_engine_s_own_simulator_finds_all_leases_settled() -> None:
    simulator, answers = RunEngineSimulator(), Aligner()
    for command in ("open_run", "read", "wait", "collect", "set"):
        simulator.add_handler(command, answers._answer)
    plan = align(whole_beamline(), ASKED, Told(), mode="apply", options=OPTIONS)
    messages = simulator.simulate_plan(plan)
    asked = [m for m in messages if m.command == "set" and isinstance(m.args[0], LeaseRequest)]
    assert len(asked) > 4
    for request in asked:
        messages = assert_message_and_return_remaining(messages, lambda m, r=request: m is r)
        messages = assert_message_and_return_remaining(
            messages,
            lambda m: m.command == "set" and m.obj.name == "lease" and m.args[0] is None,
        )
    assert not any(m.command == "kickoff" for m in messages)


def test_without_light_no_radiograph_is_taken_and_all_is_said_to_be_unknown() -> None:
    bright = Told(brightest=65535.0, saturated=0.5)
    narrow = OPTIONS.model_copy(update={"shortest_exposure_s": 0.02, "longest_exposure_s": 0.02})
    driver = Aligner()
    found = driver.run(align(whole_beamline(), ASKED, bright, options=narrow))
    assert "saturated at 20 ms" in found.quantity("exposure").sentence
    assert "attenuator" in found.quantity("exposure").sentence
    assert all(quantity.value is None for quantity in found.quantities)
    assert found.radiographs == 0
    assert [m.args[0].purpose for _, m in driver.of("set", "lease") if m.args[0] is not None] == [
        "flats_before"
    ]


def test_a_sample_that_does_not_show_moves_nothing() -> None:
    why = "the radiographs differ from the flats by 0.1% at most, which is no sample"
    lost = Told(looks=[Look.nothing(why)], missing=why, pixel=unknown(why), focus=unknown(why))
    found, driver, devices = aligned("apply", told=lost)
    assert why in found.quantity("axis").sentence
    assert devices.sample_stage.x.value == 0.5
    assert devices.focus.value == 0.0
    assert driver.of("set", "camera_roll") == []


def test_a_stage_at_its_limit_is_told_and_not_moved() -> None:
    devices = whole_beamline()
    devices.camera_roll.limits = (0.0, 1.0)
    found, driver, _ = aligned("apply", devices, Told(looks=[SURE]))
    sentence = found.quantity("roll").sentence
    assert "camera roll cannot go to -0.4, which is beyond its limit" in sentence
    assert driver.of("set", "camera_roll") == []


def test_a_beamline_without_further_axes_is_told_what_to_do_by_hand() -> None:
    found, _, _ = aligned("apply", beamline(), Told(looks=[SURE]))
    assert "no axis of focus" in found.quantity("focus").sentence
    assert "turn it by hand" in found.quantity("roll").sentence
    assert "level the rotation by hand" in found.quantity("pitch").sentence


def test_a_laminography_learns_the_tilt_that_the_stage_really_has() -> None:
    leaning = ASKED.geometry.model_copy(update={"tilt_deg": 30.0})
    devices = whole_beamline()
    found, driver, _ = aligned("show", devices, geometry=leaning)
    tilt = found.quantity("laminography tilt")
    assert tilt.value == pytest.approx(30.2)
    assert [m.args[0] for _, m in driver.of("set", "tilt")] == [30.0, 0.0]
    without, _, _ = aligned("show", beamline(), geometry=leaning)
    assert "no tilt stage" in without.quantity("laminography tilt").sentence


def test_a_sample_is_brought_back_below_the_rotation_and_told_of_upon_it() -> None:
    driver, devices = Aligner(), whole_beamline()
    found = driver.run(recenter(devices, ASKED, Told(), "0123", mode="apply", options=OPTIONS))
    assert found.radiographs == 4
    assert devices.sample_stage.x.value == pytest.approx(0.5 - 5 * 2e-3)
    assert devices.sample_stage.z.value == pytest.approx(2.0 + 3 * 2e-3)
    assert found.quantity("across").value == pytest.approx(10.0)
    assert found.quantity("x on the stage").value == pytest.approx(0.2)
    assert lease_words(driver)[-1][1] is None


def test_the_exposure_aims_at_the_middle_and_stays_within_its_range() -> None:
    assert next_exposure_s(0.02, 20100, 100, False, OPTIONS) == pytest.approx(0.02 * 2.2887, 1e-4)
    assert next_exposure_s(0.02, 65535, 100, True, OPTIONS) == pytest.approx(0.003)
    assert next_exposure_s(0.02, 101, 100, False, OPTIONS) == OPTIONS.longest_exposure_s


def test_a_beam_that_was_stopped_between_two_small_scans_is_not_asked_for_again() -> None:
    devices = whole_beamline()

    class Stopped(Told):
        """Somebody stops the beam while the first radiographs are read back."""

        def radiographs(self, uid: str) -> Any:
            devices.lease.stops.value = 4
            return super().radiographs(uid)

    driver = Aligner()
    with pytest.raises(ScanFailed, match="the beam was stopped by hand"):
        driver.run(align(devices, ASKED, Stopped(), options=OPTIONS))
    asked = [m.args[0].purpose for _, m in driver.of("set", "lease") if m.args[0] is not None]
    assert asked == ["flats_before"]
