"""Paths through cells against a march along the ray."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.dose.beam_frame import beam_directions, on_detector
from voltomo.dose.layers import plain, porous
from voltomo.dose.materials import MaterialError, material
from voltomo.dose.shapes import Shape, Sheets, Shells

LAYERS = (
    plain(material("Al"), 300.0),
    plain(material("LP57"), 900.0),
    plain(material("Cu"), 500.0),
)
SHAPES: dict[str, Shape] = {
    "pouch": Sheets(LAYERS, 0.7),
    "pouch lying": Sheets(LAYERS, 0.7, "flat"),
    "coin": Sheets(LAYERS, 0.7, "upright", disc=True),
    "coin lying": Sheets(LAYERS, 0.7, "flat", disc=True),
    "cylinder": Shells(LAYERS),
}


def layer_at(name: str, points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    edges = np.array([0.0, 0.03, 0.12, 0.17])
    if name == "cylinder":
        depth, inside = 0.17 - np.hypot(x, y), np.ones(x.shape, dtype=bool)
    else:
        across, other, depth = (x, y, -z) if "lying" in name else (x, z, y)
        depth = depth + 0.085
        inside = (np.abs(across) <= 0.35) & (np.abs(other) <= 0.35)
        if "coin" in name:
            inside = np.hypot(across, other) <= 0.35
    found = np.searchsorted(edges, depth, side="right") - 1
    return np.where(inside & (depth >= 0) & (depth < edges[-1]), found, -1)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("tilt_deg", [0.0, 30.0])
def test_paths_are_those_of_a_march(name: str, tilt_deg: float) -> None:
    shape, rng = SHAPES[name], np.random.default_rng(3)
    step = 2e-4
    back = (np.arange(6000) + 0.5) * step
    points = rng.uniform(-0.3, 0.3, (400, 3))
    points = points[layer_at(name, points) >= 0][:6]
    assert points.shape[0] == 6
    for angle in (0.0, 37.0, 90.0, 155.0, 250.0):
        (direction,) = beam_directions(np.array([angle]), tilt_deg)
        paths = shape.upstream_cm(points, direction)
        for point, path in zip(points, paths, strict=True):
            way = layer_at(name, point - back[:, None] * direction)
            marched = np.bincount(way[way >= 0], minlength=3) * step
            assert path == pytest.approx(marched, abs=3 * step)


@given(st.floats(-400, 400), st.floats(0, 80), st.tuples(*[st.floats(-5, 5)] * 3))
def test_the_frame_of_the_beam_is_rigid(
    angle_deg: float, tilt_deg: float, point: tuple[float, float, float]
) -> None:
    x, y, z = point
    u, v = on_detector(np.array(x), np.array(y), np.array(z), angle_deg, tilt_deg)
    (direction,) = beam_directions(np.array([angle_deg]), tilt_deg)
    s = float(direction @ np.array(point))
    assert float(u) ** 2 + float(v) ** 2 + s**2 == pytest.approx(x * x + y * y + z * z, abs=1e-9)


def test_the_upper_end_of_the_axis_leans_towards_the_source() -> None:
    (direction,) = beam_directions(np.array([0.0]), 30.0)
    assert direction == pytest.approx([0.0, math.cos(math.radians(30)), -0.5])
    # As the geometry has it: the column is x cos + y sin.
    u, v = on_detector(np.array(2.0), np.array(1.0), np.array(0.5), 90.0, 0.0)
    assert (float(u), float(v)) == pytest.approx((1.0, 0.5))


def test_slices_share_out_each_layer() -> None:
    for shape in SHAPES.values():
        slices = shape.slices(0.1)
        assert set(slices.layer.tolist()) == {0, 1, 2}
        assert slices.points_cm.shape[1] == slices.layer.size


@pytest.mark.parametrize("thickness_um", [-1.0, 0.0, math.nan, math.inf])
def test_impossible_thicknesses_are_refused(thickness_um: float) -> None:
    with pytest.raises(MaterialError, match="layer 'foil': the thickness must be a number above 0"):
        plain(material("Al"), thickness_um, "foil")


def test_pores_are_filled_by_volume() -> None:
    graphite, liquid = material("graphite"), material("LP57")
    wet = porous("anode", 70.0, {graphite: 5.0}, 0.3, liquid)
    assert wet.material.density_g_cm3 == pytest.approx(0.7 * 2.26 + 0.3 * 1.20)
    assert dict(wet.parts)[liquid] == pytest.approx(0.36 / (0.7 * 2.26 + 0.36))
    dry = porous("anode", 70.0, {graphite: 5.0}, 0.3)
    assert dry.material.density_g_cm3 == pytest.approx(0.7 * 2.26)
    assert sum(share for _, share in wet.parts) == pytest.approx(1.0)


def test_a_porosity_in_per_cent_is_noticed() -> None:
    with pytest.raises(MaterialError, match=r"from 0 to below 1; got 30.0 \(per cent\?\)"):
        porous("anode", 70.0, {material("graphite"): 1.0}, 30.0)
    with pytest.raises(MaterialError, match=r"from 0 to below 1; got -0.1$"):
        porous("anode", 70.0, {material("graphite"): 1.0}, -0.1)
