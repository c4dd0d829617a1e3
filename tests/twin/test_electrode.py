"""The electrode of the virtual beamline: truth, projections and slices are of one sample."""

from __future__ import annotations

import numpy as np
import pytest

from voltomo.twin.grain_kernels import place_apart
from voltomo.twin.grains import Grains, Kind
from voltomo.twin.phantom import Phantom
from voltomo.twin.shapes import Shapes

NONE = np.empty((0, 5))


def bare(grains: Grains) -> Phantom:
    shapes = Shapes(
        NONE, NONE[:, :2], NONE, NONE[:, :2], NONE[:, :4], np.empty(0), (0.0, 0.0), grains
    )
    return Phantom(48, 48, 1.0, 40.0, 23.5, shapes)


def cracked(crossed: bool) -> Grains:
    """A ball of radius 15 with a slab of width 4 right through it, or two crossed ones."""
    normals = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)][: 2 if crossed else 1]
    return Grains(
        spheres=np.array([[0.0, 0.0, 0.0, 15.0]]),
        values=np.array([[1.0, 0.0]]),
        kinds=np.array([int(Kind.ACTIVE)]),
        voids=np.array([(0, 0, 0, 40, *normal, 2.0) for normal in normals]),
        hosts=np.zeros(len(normals), np.int64),
        void_kinds=np.full(len(normals), int(Kind.CRACK)),
        void_values=(-1.0, 0.0),
        core_radius=20.0,
    )


@pytest.fixture(scope="module")
def electrode() -> Phantom:
    return Phantom.make(3, 96, 40, 1.0, 40.0, sample="electrode")


def test_all_classes_are_there(electrode: Phantom) -> None:
    labels = np.stack([electrode.labels(row) for row in range(0, 40, 4)])
    assert set(np.unique(labels)) == {int(kind) for kind in Kind}


def test_the_same_seed_gives_the_same_electrode(electrode: Phantom) -> None:
    again = Phantom.make(3, 96, 40, 1.0, 40.0, sample="electrode")
    other = Phantom.make(4, 96, 40, 1.0, 40.0, sample="electrode")
    assert np.array_equal(again.labels(20), electrode.labels(20))
    assert not np.array_equal(other.labels(20), electrode.labels(20))


def test_labels_are_those_of_what_the_slice_shows(electrode: Phantom) -> None:
    labels, image = electrode.labels(20), electrode.slice_attenuation(20)
    typical = {kind: float(np.median(image[labels == kind])) for kind in Kind if kind}
    order = (Kind.GAS, Kind.PORE, Kind.BINDER, Kind.ACTIVE, Kind.METAL)
    values = [typical[kind] for kind in order]
    assert values == sorted(values)
    assert typical[Kind.CRACK] == pytest.approx(typical[Kind.PORE], rel=0.5)


@pytest.mark.parametrize("tilt_deg", [0.0, 25.0])
@pytest.mark.parametrize("angle_deg", [0.0, 37.0])
def test_a_slice_and_a_projection_hold_the_same_mass(
    electrode: Phantom, angle_deg: float, tilt_deg: float
) -> None:
    inner = electrode.shapes.grains
    whole = (np.abs(inner.spheres[:, 2]) < 12) & (np.hypot(*inner.spheres[:, :2].T) < 25)
    held = np.isin(inner.hosts, np.flatnonzero(whole))
    numbers = np.cumsum(whole) - 1
    phantom = bare(
        Grains(
            inner.spheres[whole],
            inner.values[whole],
            inner.kinds[whole],
            inner.voids[held],
            numbers[inner.hosts[held]],
            inner.void_kinds[held],
            inner.void_values,
            30.0,
        )
    )
    wide = Phantom(96, 96, 1.0, 40.0, 47.5, phantom.shapes)
    volume = np.stack([wide.slice_attenuation(row) for row in range(24, 72)])
    seen = wide.projection(angle_deg, tilt_deg=tilt_deg)[0]
    assert seen.sum() == pytest.approx(volume.sum(), rel=0.01)


def test_a_crack_takes_its_part_of_the_way() -> None:
    along = bare(cracked(False)).projection(0.0)[0]
    across = bare(cracked(False)).projection(90.0)[0]
    # Along the slab the rays in its middle meet nothing; across it they lose its width.
    assert along[23, 23] == pytest.approx(0.0, abs=1e-5)
    assert across[23, 23] == pytest.approx(30 - 4, abs=0.1)


def test_crossed_cracks_take_nothing_away_twice() -> None:
    phantom = bare(cracked(True))
    volume = np.stack([phantom.slice_attenuation(row) for row in range(48)])
    assert phantom.projection(30.0)[0].sum() == pytest.approx(volume.sum(), rel=0.01)
    assert float(volume.min()) >= -1e-6
    assert float(phantom.projection(30.0)[0].min()) >= -1e-4


def test_finer_pixels_see_the_same_electrode(electrode: Phantom) -> None:
    finer = electrode.seen_with(0.5)
    coarse, fine = electrode.projection(10.0)[0], finer.projection(10.0)[0]
    assert fine[20, 47] == pytest.approx(coarse[20, 47], rel=0.15)
    assert finer.labels(20)[47, 47] == electrode.labels(20)[47, 47]


def test_grains_can_be_left_out(electrode: Phantom) -> None:
    grains = electrode.shapes.grains
    without = grains.without(Kind.GAS)
    before, after = without.labels(96, 0.5), grains.labels(96, 0.5)
    gone = after == Kind.GAS
    assert gone.any()
    assert (before[gone] == Kind.PORE).all()
    assert np.array_equal(before[~gone], after[~gone])


def test_each_grain_is_placed_once_and_apart() -> None:
    random = np.random.default_rng(0)
    places = random.uniform(-10, 10, (90, 4))
    places[:, 3] = 2.0
    kept = place_apart(places, 9, 0.5)
    found = places[kept]
    assert kept.reshape(10, 9).sum(axis=1).max() == 1
    gaps = np.linalg.norm(found[:, None, :3] - found[None, :, :3], axis=2)
    assert gaps[~np.eye(len(found), dtype=bool)].min() >= 4.5
