"""Projections of a leaning axis, of a rolled camera, of other lenses: where and how long."""

import math
from dataclasses import replace

import numpy as np
import pytest

from voltomo.twin.phantom import Phantom
from voltomo.twin.shapes import Shapes

NONE = np.empty((0, 5))
BALL = np.array([[20.0, -12.0, 50.0, 5.0]])
DISC = np.array([[6.0, -9.0, 8.0, 21.0, 3.0]])
VALUE = np.array([[0.1, 0.0]])


def phantom(**shapes) -> Phantom:
    empty = Shapes(NONE, NONE[:, :2], NONE, NONE[:, :2], NONE[:, :4], np.empty(0), (0.01, 0.0))
    return Phantom(91, 101, 2.0, 20.0, 47.5, replace(empty, **shapes))


def fall(x: float, y: float, z: float, angle_deg: float, tilt_deg: float, roll_deg: float):
    """Column and row by the drawing: about −x the axis leans, about the beam the camera rolls."""
    turn, lean, roll = np.radians([angle_deg, tilt_deg, roll_deg])
    across, along, up = (
        x * math.cos(turn) + y * math.sin(turn),
        y * math.cos(turn) - x * math.sin(turn),
        z,
    )
    up = up * math.cos(lean) + along * math.sin(lean)
    return (
        47.5 + across * math.cos(roll) + up * math.sin(roll),
        45 + up * math.cos(roll) - across * math.sin(roll),
    )


@pytest.mark.parametrize("pose", [(0, 0, 0), (70, 0, 0), (70, 30, 0), (200, 45, 3), (10, 0, -2)])
def test_a_ball_falls_where_the_geometry_says(pose) -> None:
    angle_deg, tilt_deg, roll_deg = pose
    ball = phantom(spheres=BALL, signs=np.ones(1))
    image = ball.projection(angle_deg, tilt_deg=tilt_deg, roll_deg=roll_deg)[0].astype(float)
    rows, columns = np.indices(image.shape)
    seen = [float((image * places).sum() / image.sum()) for places in (columns, rows)]
    assert seen == pytest.approx(fall(20, -12, 5, *pose), abs=0.02)
    assert image.sum() == pytest.approx(0.01 * 4 / 3 * math.pi * 5**3, rel=0.01)


def test_the_upper_end_of_the_axis_leans_towards_the_source() -> None:
    """What lies downstream of the axis goes up when the axis leans."""
    downstream = phantom(spheres=np.array([[0.0, 20.0, 45.0, 4.0]]), signs=np.ones(1))
    rows = np.arange(91)
    heights = [
        float(rows @ downstream.projection(0, tilt_deg=tilt)[0].sum(1))
        / float(downstream.projection(0, tilt_deg=tilt)[0].sum())
        for tilt in (0, 30)
    ]
    assert heights[1] - heights[0] == pytest.approx(20 * math.sin(math.radians(30)), abs=0.05)


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0, 60.0])
def test_a_disc_is_as_long_as_its_points_are_many(tilt_deg: float) -> None:
    disc = phantom(discs=DISC, disc_values=VALUE)
    image = disc.projection(40.0, 3.0, -2.0, tilt_deg=tilt_deg, roll_deg=1.5)[0]
    assert image.sum() == pytest.approx(0.1 * math.pi * 21**2 * 6, rel=5e-3)
    # Points all over the disc, and where they fall.
    random = np.random.default_rng(1)
    count = 400_000
    distance, direction = 21 * np.sqrt(random.random(count)), random.uniform(0, 2 * np.pi, count)
    x, y = 6 + distance * np.cos(direction), -9 + distance * np.sin(direction)
    z = 8 + random.uniform(-3, 3, count)
    turn, lean, roll = np.radians([40.0, tilt_deg, 1.5])
    u = x * np.cos(turn) + y * np.sin(turn) + 3
    v = z * np.cos(lean) + (y * np.cos(turn) - x * np.sin(turn)) * np.sin(lean) - 2
    column, row = (
        47.5 + u * np.cos(roll) + v * np.sin(roll),
        45 + v * np.cos(roll) - u * np.sin(roll),
    )
    bins = [np.arange(n + 1) - 0.5 for n in image.shape]
    seen = np.histogram2d(row, column, bins)[0] * float(image.sum()) / count
    coarse = [a[:90, :100].reshape(9, 10, 10, 10).sum((1, 3)) for a in (seen, image)]
    assert np.abs(coarse[0] - coarse[1]).max() < 0.02 * coarse[1].max()


def test_leaning_cylinders_are_crossed_on_a_longer_way() -> None:
    cylinder = phantom(
        cylinders=np.array([[5.0, 3.0, 12.0, 8.0, 0.4]]), cylinder_values=np.array([[0.02, 0.0]])
    )
    upright = cylinder.projection(25)[0]
    leaning = cylinder.projection(25, tilt_deg=30)[0]
    assert np.allclose(leaning, upright / math.cos(math.radians(30)), rtol=1e-6)


def test_a_rolled_camera_sees_the_same_turned() -> None:
    from scipy.ndimage import affine_transform

    cell = Phantom.make(3, 101, 91, 4.0, 20.0, 50.0)
    upright, rolled = (cell.projection(30, roll_deg=roll)[0] for roll in (0.0, 4.0))
    cos, sin = math.cos(math.radians(4)), math.sin(math.radians(4))
    # Rows, columns: back from where a point falls to where it fell.
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = np.array([45.0, 50.0])
    wanted = affine_transform(upright, turn, list(middle - turn @ middle), order=1)  # pyright: ignore[reportArgumentType]
    inner = np.s_[15:-15, 15:-15]
    assert np.corrcoef(rolled[inner].ravel(), wanted[inner].ravel())[0, 1] > 0.996
    assert abs(float((rolled - wanted)[inner].mean())) < 1e-3


def test_another_lens_shows_the_same_sample_larger() -> None:
    cell = Phantom.make(3, 100, 60, 4.0, 20.0, 52.0)
    near = cell.seen_with(2.0)
    assert near.axis_column == 49.5 + 2 * 2.5
    far, close = cell.projection(33)[0], near.projection(33)[0]
    # Two by two pixels of the finer image are one of the coarser, about the same middle.
    pairs = close.reshape(30, 2, 50, 2).mean((1, 3))
    assert np.abs(pairs - far[15:45, 25:75]).max() < 0.03 * far.max()
    assert near.shapes.sphere_values[1] == cell.shapes.sphere_values[1]


def test_a_pouch_fills_the_field_and_lets_light_through_when_it_leans() -> None:
    pouch = Phantom.make(7, 96, 96, 4.0, 20.0, sample="pouch")
    for angle_deg in range(0, 360, 60):
        attenuation = pouch.projection(angle_deg, tilt_deg=30)[0]
        assert np.exp(-attenuation[40:56]).min() > 0.05
        assert attenuation[:, [0, -1]].max() > 0.2
    truth = pouch.slice_attenuation(47.5 - 0.12 * 48)
    assert np.ptp(truth) > 0
    # Beyond the layers there is nothing.
    assert not pouch.slice_attenuation(90).any()
