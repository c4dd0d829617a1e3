"""The integral of what passed the shutter, against sums done by hand."""

from pathlib import Path

import numpy as np
import pytest

from voltomo.twin.truth import fluence, open_intervals, open_seconds
from voltomo.twin.world import Segment, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Open from 1.0 to 3.0 s with ramps of 0.1 s; flux falling; the sample leaves at 2 s."""
    made = World.create(tmp_path / "world.bin", seed=1)
    made.channel("shutter").put(
        [
            Segment(0.0, 0.0, 0.0),
            Segment(1.0, 1.1, 0.0, 10.0),
            Segment(1.1, 1.1, 1.0),
            Segment(3.0, 3.1, 1.0, -10.0),
            Segment(3.1, 3.1, 0.0),
        ]
    )
    made.channel("flux").put([Segment(0.0, 10.0, 1e11, -1e9)])
    made.channel("sample_x").put([Segment(0.0, 0.0, 0.0), Segment(2.0, 3.0, 0.0, 8.0, 0.0)])
    for name in ("shutter", "flux", "sample_x"):
        made.channel(name).beat_s = 100.0
    return made


def test_fluence_counts_ramps_decay_and_where_the_sample_was(world: World) -> None:
    time_s = np.linspace(0, 5, 500_001)
    open_part = world.channel("shutter").at(time_s)
    flux = world.channel("flux").at(time_s)
    inside = np.abs(world.channel("sample_x").at(time_s)) < 4.0
    expected = np.sum(open_part * flux * inside) * (time_s[1] - time_s[0])
    assert fluence(world, 0.0, 5.0, 4.0) == pytest.approx(expected, rel=1e-4)
    assert fluence(world, 0.0, 5.0, 100.0) > 1.3 * expected
    parts = [fluence(world, begin, begin + 0.5, 4.0) for begin in np.arange(0, 5, 0.5)]
    assert sum(parts) == pytest.approx(fluence(world, 0.0, 5.0, 4.0), rel=1e-12)


def test_closed_slits_let_nothing_through(world: World) -> None:
    for side, at_mm in {"left": -1, "right": 1, "bottom": -1, "top": 1}.items():
        world.channel(f"slit_{side}").put([Segment(0.0, 0.0, float(at_mm))])
        world.channel(f"slit_{side}").beat_s = 100.0
    whole = fluence(world, 1.2, 1.8)
    assert fluence(world, 1.2, 1.8) == pytest.approx(0.6 * (1e11 - 1.5e9), rel=1e-6)
    world.channel("slit_right").put([Segment(1.2, 1.8, 1.0, -4.0)])
    world.channel("slit_right").beat_s = 100.0
    # It passes the left blade half a second later.
    assert fluence(world, 1.2, 1.8) == pytest.approx(whole * 5 / 6, rel=0.01)


def test_open_time_and_open_spans(world: World) -> None:
    assert open_seconds(world, 0.0, 5.0) == pytest.approx(2.0)
    assert open_seconds(world, 2.0, 2.25) == pytest.approx(0.25)
    assert open_intervals(world, 0.0, 5.0) == [(1.0, 3.1)]
    assert open_intervals(world, 0.0, 2.0) == [(1.0, 2.0)]
    assert open_intervals(world, 4.0, 5.0) == []


def test_a_dead_shutter_lets_nothing_through(world: World) -> None:
    world.channel("shutter").beat_s = 1.8
    assert open_intervals(world, 0.0, 5.0) == [(1.0, 2.0)]
    assert open_seconds(world, 0.0, 5.0) == pytest.approx(0.95)


def test_a_world_without_beam_has_no_fluence(tmp_path: Path) -> None:
    empty = World.create(tmp_path / "world.bin", seed=1)
    assert fluence(empty, 0.0, 5.0) == 0
    assert open_intervals(empty, 0.0, 5.0) == []
