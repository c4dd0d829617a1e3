"""Estimates of an alignment on synthetic radiographs, against what they were made with."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voltomo.analysis.alignment import (
    displacement_of,
    focus_of,
    look_round,
    no_contrast,
    pixel_size_um,
)
from voltomo.analysis.best_focus import best_focus
from voltomo.analysis.common_lines import line_angle, pitch_of_views
from voltomo.analysis.displacement import shift_between
from voltomo.analysis.normalise import line_integrals, mean_field
from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.frame_source import Exposure
from voltomo.twin.image_formation import PhantomCamera
from voltomo.twin.standing import Standing

PIXEL_UM = 2.5
MIDDLE = 127.5
TURN = np.arange(6) * 60.0
FLUX = 1e11
Views = NDArray[np.float32]


@lru_cache(maxsize=4)
def camera(seed: int) -> PhantomCamera:
    return PhantomCamera(CameraSettings(counts=45_000), seed, FLUX)


def frame(seed: int, number: int, angle_deg: float, **more: Any) -> NDArray[np.uint16]:
    values: dict[str, Any] = {
        "fluence_per_cm2": 0.02 * FLUX,
        "sample_x_mm": 0.0,
        "sample_z_mm": 0.0,
    } | more
    return camera(seed).frame(
        Exposure(
            number=number, start_s=0.0, end_s=0.02, angles_deg=np.array([angle_deg]),
            weights=np.ones(1), open_part=1.0, mid_angle_deg=angle_deg,
            energy_keV=math.nan, **values,
        )
    )  # fmt: skip


def radiographs(
    seed: int,
    angles_deg: Any,
    first: int = 0,
    x_mm: float = 0.0,
    z_mm: float = 0.0,
    mount_mm: tuple[float, float] = (0.0, 0.0),
    **standing: Any,
) -> Views:
    """Line integrals with noise, of a stage and a camera that stand like this."""
    flat = mean_field(np.stack([frame(seed, 900 + k, 0.0, sample_x_mm=5.0) for k in range(4)]))
    dark = mean_field(np.stack([frame(seed, 950 + k, 0.0, fluence_per_cm2=0.0) for k in range(4)]))
    made: list[Views] = []
    for number, angle in enumerate(angles_deg):
        turn, lean = math.radians(angle), math.radians(standing.get("tilt_deg", 0.0))
        across = mount_mm[0] * math.cos(turn) + mount_mm[1] * math.sin(turn)
        along = mount_mm[1] * math.cos(turn) - mount_mm[0] * math.sin(turn)
        at = Standing(error_x_mm=across, error_z_mm=along * math.sin(lean), **standing)
        seen = frame(
            seed, first + number, float(angle), sample_x_mm=x_mm, sample_z_mm=z_mm, standing=at
        )
        made.append(line_integrals(seen, flat, dark))
    return np.stack(made)


@pytest.mark.parametrize("seed", range(8))
def test_axis_roll_pitch_and_place_from_six_radiographs(seed: int) -> None:
    random = np.random.default_rng(seed)
    x_mm, roll = float(random.uniform(-0.04, 0.04)), float(random.uniform(-1, 1))
    pitch, focus = float(random.uniform(-0.6, 0.6)), float(random.uniform(-0.05, 0.05))
    mount = (float(random.uniform(-0.01, 0.01)), float(random.uniform(-0.01, 0.01)))
    views = radiographs(
        seed, TURN, x_mm=x_mm, mount_mm=mount, roll_deg=roll, tilt_deg=pitch, focus_mm=focus
    )
    found = look_round(views, TURN)
    axis = MIDDLE + 1e3 * x_mm / PIXEL_UM / math.cos(math.radians(roll))
    assert abs(found.axis_column.value - axis) < 0.05
    assert abs(found.roll_deg.value - roll) < 0.01
    assert abs(found.pitch_deg.value - pitch) < 0.03
    assert found.axis_column.sigma < 0.05
    assert found.roll_deg.sigma < 0.02
    assert found.pitch_deg.sigma < 0.05
    # The sample itself is mounted a little off its own middle.
    assert abs(found.off_axis_columns.value - 1e3 * math.hypot(*mount) / PIXEL_UM) < 2.6
    assert not found.middle_row.known
    assert "beyond the field" in found.middle_row.why_not


@pytest.mark.parametrize("tilt_deg", [15.0, 30.0])
def test_the_tilt_of_a_laminography_from_lines_in_common(tilt_deg: float) -> None:
    views = radiographs(3, TURN, tilt_deg=tilt_deg + 0.4)
    found = pitch_of_views(views, TURN, MIDDLE, 0.0, tilt_deg)
    assert abs(found.value - tilt_deg - 0.4) < 0.05
    beyond = pitch_of_views(views, TURN, MIDDLE, 0.0, tilt_deg + 3.0)
    assert not beyond.known


def test_opposite_views_alone_tell_no_pitch() -> None:
    views = np.zeros((2, 64, 64), np.float32)
    assert "50 to 140 deg" in pitch_of_views(views, [0.0, 180.0], 31.5, 0.0).why_not
    assert line_angle(0.0, 90.0) == 0.0
    assert line_angle(1.0, 90.0) == pytest.approx(math.radians(1.0), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_focus_from_two_radiographs_at_five_places(seed: int) -> None:
    sharp = float(np.random.default_rng(seed).uniform(-0.15, 0.15))
    places = np.array([-0.3, -0.15, 0.0, 0.15, 0.3], np.float64)
    views = np.concatenate(
        [
            radiographs(seed, [30.0, 30.0], 10 * n, roll_deg=0.4, focus_mm=float(place) - sharp)
            for n, place in enumerate(places)
        ]
    )
    found = focus_of(places, views, np.repeat(np.arange(5), 2))
    assert abs(found.value - sharp) < 0.02
    assert found.sigma < 0.05


def test_a_focus_beyond_the_places_is_told_and_not_guessed() -> None:
    places = np.array([-0.3, -0.15, 0.0, 0.15, 0.3], np.float64)
    views = np.stack(
        [
            radiographs(1, [30.0, 30.0], 10 * n, focus_mm=float(p) - 0.6)
            for n, p in enumerate(places)
        ]
    )
    assert "above the places that were tried" in best_focus(places, views).why_not
    alike = np.stack([radiographs(1, [30.0, 30.0], 10 * n) for n in range(5)])
    assert "as sharp at every place" in best_focus(places, alike).why_not


@pytest.mark.parametrize("seed", range(4))
def test_the_pixel_size_from_a_known_shift(seed: int) -> None:
    angles = [20.0, 20.0]
    before = radiographs(seed, angles, 0, x_mm=-0.0256, roll_deg=0.7)
    after = radiographs(seed, angles, 10, x_mm=0.0256, roll_deg=0.7)
    views, sweep = np.concatenate([before, after]), np.array([0, 0, 1, 1])
    found = pixel_size_um(views, sweep, 0.0512)
    assert abs(found.value / PIXEL_UM - 1) < 2e-3
    assert found.sigma / PIXEL_UM < 2e-3
    backwards = pixel_size_um(views, 1 - sweep, 0.0512)
    assert "count the other way round" in backwards.why_not


def test_a_drift_below_the_rotation_and_one_upon_it_are_told_apart() -> None:
    before = radiographs(2, TURN)
    after = radiographs(2, TURN[:4], 20, x_mm=0.02, z_mm=-0.01, mount_mm=(0.005, -0.003))
    found = displacement_of(before, TURN, after, TURN[:4])
    assert found.across.value == pytest.approx(20 / PIXEL_UM, abs=0.05)
    assert found.up.value == pytest.approx(-10 / PIXEL_UM, abs=0.05)
    assert found.x.value == pytest.approx(5 / PIXEL_UM, abs=0.05)
    assert found.y.value == pytest.approx(-3 / PIXEL_UM, abs=0.05)
    few = displacement_of(before, TURN, after[:2], TURN[:2])
    assert few.up.known
    assert "three angles" in few.across.why_not
    other = displacement_of(before, TURN + 30, after, TURN[:4])
    assert "no reference radiograph" in other.across.why_not


def test_another_sample_shows_nothing_in_common() -> None:
    one = radiographs(5, [0.0])[0]
    random = np.random.default_rng(0)
    other = random.normal(0, 1, one.shape).astype(np.float32)
    with pytest.raises(ValueError, match="nothing in common"):
        shift_between(one, other)


def test_an_empty_beam_is_no_sample() -> None:
    empty = radiographs(1, TURN, x_mm=5.0)
    assert "no sample" in no_contrast(empty)
    found = look_round(empty, TURN)
    for estimate in (found.axis_column, found.roll_deg, found.pitch_deg, found.middle_row):
        assert "no sample" in estimate.why_not
        assert not estimate.known
    partly = np.concatenate([empty[:3], radiographs(1, TURN[3:])])
    assert "out of the field at some angles" in no_contrast(partly)
    assert not pixel_size_um(empty, np.array([0, 0, 0, 1, 1, 1]), 0.05).known
    assert not displacement_of(partly, TURN, empty[:4], TURN[:4]).across.known
