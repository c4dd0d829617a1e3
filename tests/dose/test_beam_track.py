"""Where the beam went is written down as far as the stages tell, and not beyond."""

from __future__ import annotations

import math

import pytest

from tests.dose.guard_rig import Rig
from voltomo.dose.beam_place import BeamPlace
from voltomo.dose.beam_track import BeamTrack
from voltomo.dose.dose_map import DoseMapProjection
from voltomo.dose.guard_settings import GuardSettings
from voltomo.runtime.append_log import Entry

BEAM = {"beam_width_mm": 1.0, "beam_height_mm": 0.5, "beam_off_mm": (0.1, 0.0), "tilt_deg": 30.0}


def track(**more: object) -> BeamTrack:
    """Stages that stand at 2 mm, turning by 10 degrees a second."""
    made = BeamTrack(GuardSettings.model_validate(BEAM | more))
    made.read("sample_x_mm", 2.0, 0.0)
    for k in range(200):
        made.read("rotation_deg", k * 0.5, k * 0.05)
    return made


def test_a_place_names_beam_axis_and_turn() -> None:
    place = BeamPlace.model_validate(track().place(2.0, 4.0))
    assert (place.width_mm, place.height_mm, place.tilt_deg) == (1.0, 0.5, 30.0)
    assert place.beam_off_mm == (-1.9, 0.0)
    times = [time_s for time_s, _ in place.track]
    assert times[0] <= 2.0
    assert times[-1] >= 4.0
    assert len(place.track) <= 65
    assert all(angle == pytest.approx(10 * time_s) for time_s, angle in place.track)


def test_a_stage_that_stands_has_one_angle() -> None:
    made = track()
    made.read("rotation_deg", 99.5, 10.0)
    made.forget_before(50.0)
    place = BeamPlace.model_validate(made.place(50.0, 60.0))
    assert [angle for _, angle in place.track] == [99.5]


@pytest.mark.parametrize("name", ["beam_width_mm", "beam_height_mm"])
def test_without_a_size_of_the_beam_no_place_is_known(name: str) -> None:
    assert track(**{name: None}).place(2.0, 4.0) is None


@pytest.mark.parametrize("axis", ["rotation_deg", "sample_x_mm", "sample_z_mm"])
@pytest.mark.parametrize("value", [None, math.nan])
def test_a_stage_that_is_not_read_leaves_the_place_unknown(axis, value) -> None:
    made = track()
    made.read(axis, value, 3.0)
    assert made.place(2.0, 4.0) is None


def test_a_stage_that_moves_under_the_beam_leaves_the_place_unknown() -> None:
    made = track()
    made.read("sample_x_mm", 2.0005, 3.0)
    assert made.place(2.0, 4.0) is not None
    made.read("sample_x_mm", 2.1, 3.0)
    assert made.place(2.0, 4.0) is None
    assert made.place(3.5, 4.0) is not None


def test_the_guard_writes_places_and_the_map_takes_them() -> None:
    rig = Rig(**BEAM)
    rig.core.account.track.read("sample_x_mm", 0.0, rig.now_s)
    rig.core.account.track.read("rotation_deg", 30.0, rig.now_s)
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    rig.run(1.0, lease)
    rig.settle(lease)
    exposures = [data for kind, data in rig.disk.entries if kind == "exposure"]
    assert all(BeamPlace.model_validate(data["place"]) for data in exposures)
    assert exposures[0]["energy_keV"] == rig.settings.energy_keV
    entries = [Entry(n, 0.0, kind, data) for n, (kind, data) in enumerate(rig.disk.entries)]
    made = DoseMapProjection("cell", {"active": lambda _: (1e-10, 1e-10)}, 20.0).fold(entries)
    assert made.unplaced == 0
    hottest_Gy, where = made.hottest_Gy("active")
    assert where is not None
    assert hottest_Gy >= rig.truth_Gy
