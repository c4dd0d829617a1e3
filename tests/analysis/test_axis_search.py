"""Axis, roll and tilt from the views of a scan: right, and right about how sure it is."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from tests.analysis.balls import Balls, Stage, in_cylinder, project, seen
from voltomo.analysis.axis_picture import OFF, TILE, axis_picture
from voltomo.analysis.axis_search import find_axis, opposite_pairs, views_needed
from voltomo.analysis.moments import centre_path
from voltomo.analysis.ramp_filter import RampFilter
from voltomo.analysis.reflection import mirror_of
from voltomo.analysis.tilt_search import find_tilt

ROWS, COLUMNS = 40, 144
BALLS = in_cylinder(55, 36, 40)
INTERLACED = np.array([int(f"{i:08b}"[::-1], 2) for i in range(256)]) * 180 / 256
SCANS = {
    "half turn": np.arange(160) * 180 / 160,
    "full turn": np.arange(100) * 3.6,
    "interlaced": INTERLACED[:40],
    "few": INTERLACED[:12],
}


def _views(
    angles: NDArray[np.float64], counts: float, seed: int, balls: Balls = BALLS
) -> tuple[NDArray[np.float32], NDArray[np.float64], Stage]:
    random = np.random.default_rng(100 + seed)
    axis, roll = COLUMNS / 2 + random.uniform(-6, 6), random.uniform(-0.4, 0.4)
    stage = Stage(ROWS, COLUMNS, axis, roll)
    chosen = angles[views_needed(angles, 24)]
    return seen(project(balls, stage, chosen), counts, seed), chosen, stage


@pytest.mark.parametrize("name", SCANS)
def test_the_axis_is_found_to_a_tenth_of_a_column(name: str) -> None:
    for seed in range(3):
        views, angles, stage = _views(SCANS[name], 1e4, seed)
        found = find_axis(views, angles)
        off = found.axis_column - stage.axis_column
        assert abs(off) < 0.1
        assert abs(off) < 4 * found.sigma
        assert found.sigma < 0.1
        assert abs(found.roll_deg - stage.roll_deg) < 4 * found.roll_sigma_deg + 0.02
        if name in ("half turn", "full turn"):
            assert found.roll_sigma_deg < 0.1
            assert "opposite pairs" in found.estimates[0].method


def test_the_deviation_covers_what_few_counts_do_to_it() -> None:
    pulls: list[float] = []
    for seed in range(8):
        views, angles, stage = _views(SCANS["full turn"], 300, seed)
        found = find_axis(views, angles)
        pulls.append((found.axis_column - stage.axis_column) / found.sigma)
        assert abs(found.axis_column - stage.axis_column) < 0.2
    assert 0.2 < math.sqrt(np.mean(np.square(pulls))) < 2


@pytest.mark.parametrize("turn_deg", [180, 360])
def test_the_deviation_covers_few_views_of_few_counts(turn_deg: int) -> None:
    angles = np.arange(75) * turn_deg / 75
    pulls: list[float] = []
    shared: list[float] = []
    for seed in range(5):
        axis = COLUMNS / 2 + np.random.default_rng(seed).uniform(-6, 6)
        views = seen(project(BALLS, Stage(24, COLUMNS, axis), angles), 500, seed)
        found = find_axis(views, angles)
        assert abs(found.axis_column - axis) < 0.1
        pulls.append((found.axis_column - axis) / found.sigma)
        shared += [
            (one.axis_column - axis) / one.sigma
            for one in found.estimates
            if "contrast" in one.method
        ]
    assert math.sqrt(np.mean(np.square(pulls))) < 1.5
    assert math.sqrt(np.mean(np.square(shared))) < 1.5


def test_a_sample_wider_than_the_frames_shows_its_axis_by_pairs() -> None:
    wide = in_cylinder(100, 60, 60)
    views, angles, stage = _views(SCANS["half turn"], 1e4, 5, wide)
    found = find_axis(views, angles)
    assert abs(found.axis_column - stage.axis_column) < max(0.1, 3 * found.sigma)
    assert any("beyond the sides" in note for note in found.notes)
    assert math.isinf(found.tilt_sigma_deg)
    assert "±" in found.words


def test_a_tilt_of_nothing_reads_as_nothing() -> None:
    angles = np.arange(30) * 12.0
    small = in_cylinder(40, 30, 30)
    for seed in range(4):
        stage = Stage(112, COLUMNS, 70.3)
        found = find_axis(seen(project(small, stage, angles), 1e4, seed), angles)
        assert abs(found.tilt_deg) < 4 * found.tilt_sigma_deg
        assert found.tilt_sigma_deg < 0.2


@pytest.mark.parametrize("tilt", [5.0, 30.0])
def test_the_tilt_is_read_from_the_centre_of_mass(tilt: float) -> None:
    angles = np.arange(40) * 9.0
    stage = Stage(144, COLUMNS, 70.3, tilt_deg=tilt)
    path = centre_path(seen(project(in_cylinder(45, 30, 30), stage, angles), 1e4), angles)
    assert abs(path.tilt_deg - tilt) < max(4 * path.tilt_sigma_deg, 0.02)
    assert path.tilt_sigma_deg < 0.2
    assert abs(path.axis_column - 70.3) < max(0.05, 4 * path.axis_sigma)


def test_axis_and_tilt_of_a_sheet_are_where_quarters_of_the_turn_agree() -> None:
    random = np.random.default_rng(4)
    place = random.uniform(-70, 70, (2, 220))
    height, radius = random.uniform(-5, 5, 220), random.uniform(2, 5, 220)
    sheet = np.stack([*place, height, radius, 0.3 / radius], axis=1)
    angles = np.arange(32) * 11.25
    stage = Stage(72, 96, 48.7, tilt_deg=30)
    views = seen(project(sheet, stage, angles), 1e4)
    smooth = np.asarray(gaussian_filter(views, (0, 1.5, 1.5)), np.float32)
    rows = RampFilter(96).apply(smooth)
    x, y = np.meshgrid(np.arange(72) - 35.5, np.arange(72) - 35.5)

    def render(axis: float, tilt_deg: float) -> NDArray[np.float32]:
        tilt = math.radians(tilt_deg)
        parts = np.zeros((4, 4, 72, 72), np.float32)
        for row, angle in zip(rows, np.radians(angles), strict=True):
            column = axis + x * np.cos(angle) + y * np.sin(angle)
            climb = (y * np.cos(angle) - x * np.sin(angle)) * math.sin(tilt)
            quarter = int(angle // (math.pi / 2))
            for number, z in enumerate((-3.4, -1.2, 1.1, 3.3)):
                at = [z * math.cos(tilt) + climb + 35.5, column]
                parts[quarter, number] += map_coordinates(row, at, order=1)
        return parts

    found = find_tilt(render, 48.0, 30.8, rounds=2)
    assert abs(found.axis_column - 48.7) < 0.1
    assert abs(found.tilt_deg - 30) < max(0.3, 3 * found.tilt_sigma_deg)
    assert found.tilt_sigma_deg < 0.6


def test_pairs_and_the_views_that_are_needed() -> None:
    assert opposite_pairs(INTERLACED[:40]) == []
    assert [pair[0] for pair in opposite_pairs(SCANS["half turn"])] == [0]
    full = opposite_pairs(SCANS["full turn"])
    assert len(full) == 8
    assert all(
        abs(SCANS["full turn"][b] - SCANS["full turn"][a] - 180) < 1e-6 for a, b, _, _ in full
    )
    needed = views_needed(SCANS["full turn"])
    assert len(set(needed.tolist())) == len(needed) <= 64 + 24


def test_a_pair_between_which_the_sample_moved_is_left_out() -> None:
    angles = SCANS["full turn"]
    stage = Stage(ROWS, COLUMNS, 70.0)
    moved = np.where((angles > 200) & (angles < 215), 3.0, 0.0)
    chosen = views_needed(angles, 24)
    views = seen(project(BALLS, stage, angles[chosen], moved[chosen]), 1e4)
    found = find_axis(views, angles[chosen])
    assert any("stand apart" in note for note in found.notes)
    assert abs(found.axis_column - 70) < max(0.1, 3 * found.sigma)


def test_the_picture_shows_five_slices_and_the_match() -> None:
    views, angles, _ = _views(SCANS["half turn"], 1e4, 1)
    picture = axis_picture(views, angles, find_axis(views, angles))
    assert picture.dtype == np.uint8
    assert picture.shape == (TILE + ROWS, TILE * len(OFF))
    below = picture[TILE + 5 : -5, 200:-200]
    assert abs(float(below.mean()) - 127) < 8
    few, angles, _ = _views(SCANS["few"], 1e4, 1)
    assert axis_picture(few, angles, find_axis(few, angles)).shape[0] == TILE


def test_what_tells_nothing_is_refused() -> None:
    views, angles, _ = _views(SCANS["few"], 1e4, 2)
    with pytest.raises(ValueError, match="with an angle each"):
        find_axis(views, angles[1:])
    with pytest.raises(ValueError, match="not finite"):
        find_axis(np.full_like(views, np.nan), angles)
    with pytest.raises(ValueError, match="cannot be found"):
        find_axis(views[:3], angles[:3])
    with pytest.raises(ValueError, match=r"do not match|no sample|not match"):
        mirror_of(views[0], np.random.default_rng(1).normal(size=views[0].shape).astype(np.float32))
    with pytest.raises(ValueError, match="too little of the turn"):
        centre_path(views[:4], [0.0, 1.0, 2.0, 3.0])
