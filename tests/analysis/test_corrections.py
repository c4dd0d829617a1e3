"""Zingers, rings, flats that drift, monitor and air: what they take away, and what they leave."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis import phantom
from voltomo.analysis.beam_monitor import level_air, monitor_factors
from voltomo.analysis.flats import EigenFlats, FlatsInTime, brighter_than_flats, flats_that_differ
from voltomo.analysis.normalise import mean_field
from voltomo.analysis.ramp_filter import RampFilter
from voltomo.analysis.rings import RunningRings, bad_columns, remove_rings
from voltomo.analysis.zingers import remove_zingers

Image = NDArray[np.float32]
ROWS, COLUMNS = 96, 128


def _stripes(shift: float) -> Image:
    """A beam with the stripes of a multilayer, moved up by some rows."""
    row = np.arange(ROWS)[:, None] - shift
    stripes = 1 + 0.15 * np.sin(row / 3.1) + 0.1 * np.sin(row / 7.7 + 1) + 0.05 * np.sin(row / 1.7)
    return (2e4 * stripes * (1 - 1e-5 * (np.arange(COLUMNS) - 60.0) ** 2)).astype(np.float32)


def _sample() -> Image:
    column, row = np.arange(COLUMNS)[None, :] - 64, np.arange(ROWS)[:, None] - 48
    ball = np.sqrt(np.maximum(40.0**2 - column**2 - 0.8 * row**2, 0)) / 40
    return (0.8 * ball + 0.3 * (np.abs(column - 8) < 5)).astype(np.float32)


def _error(found: Image) -> float:
    return float(np.sqrt(np.mean((found - _sample()) ** 2)))


def test_eigenflats_beat_mean_flats_where_the_beam_drifts() -> None:
    random = np.random.default_rng(1)
    dark = np.full((ROWS, COLUMNS), 100, np.float32)
    flats = random.poisson([_stripes(s) + 100 for s in random.normal(0, 0.6, 20)])
    eigen = EigenFlats.of(flats, dark)
    assert 1 <= len(eigen.patterns) <= 3
    in_time = FlatsInTime.of(flats)
    level = float(in_time.brightness(dark)[0])
    for shift in (-0.9, -0.3, 0.5, 1.0):
        beam = _stripes(shift)
        frame = random.poisson(beam * np.exp(-_sample()) + 100)
        flat = eigen.flat(eigen.shares(frame, dark), dark, level)
        by_eigen, by_mean = np.log((flat - dark) / beam), np.log((in_time.mean - dark) / beam)
        assert by_eigen.std() < 0.3 * by_mean.std()
        assert _error(-np.log((frame - 100) / (flat - dark))) < 0.017


def test_flats_that_do_not_drift_have_no_patterns() -> None:
    random = np.random.default_rng(2)
    dark = np.full((ROWS, COLUMNS), 100, np.float32)
    eigen = EigenFlats.of(random.poisson(np.stack([_stripes(0)] * 12) + 100), dark)
    assert len(eigen.patterns) == 0
    flat = eigen.flat(eigen.shares(_stripes(0), dark), dark, float(np.log(_stripes(0)).mean()))
    np.testing.assert_allclose(flat - 100, _stripes(0), rtol=0.02)
    with pytest.raises(ValueError, match="four or more flats"):
        EigenFlats.of(np.stack([_stripes(0)] * 3), dark)


def test_flats_before_and_after_are_joined_by_a_line_in_time() -> None:
    field = np.full((4, 5), 1000, np.float32)
    flats = np.stack([field, field, field, 2 * field, 2 * field])
    in_time = FlatsInTime.of(flats, [0, 1, 2, 103, 104])
    assert in_time.places.tolist() == [1, 103.5]
    np.testing.assert_allclose(in_time.at(52.25), 1500)
    np.testing.assert_allclose(in_time.at(-7), 1000)
    np.testing.assert_allclose(in_time.at(200), 2000)
    np.testing.assert_allclose(in_time.mean, 1500)
    assert len(FlatsInTime.of(flats).places) == 1
    with pytest.raises(ValueError, match="do not ascend"):
        FlatsInTime.of(flats, [0, 1, 1, 2, 3])


def test_a_sample_in_the_flats_is_noticed() -> None:
    dark = np.zeros((ROWS, COLUMNS), np.float32)
    flats = np.stack([_stripes(0.1 * i) for i in range(10)])
    assert flats_that_differ(flats, dark) == []
    flats[3] *= np.exp(-_sample())
    assert flats_that_differ(flats, dark) == [3]
    view = np.exp(-np.roll(_sample(), 20, axis=1)).astype(np.float32)
    assert brighter_than_flats(np.stack([view])) == 0
    assert brighter_than_flats(np.stack([view * np.exp(_sample())])) > 0.05


@pytest.mark.parametrize("gain", [1.0, 7.5])
def test_zingers_are_removed_and_nothing_else(gain: float) -> None:
    random = np.random.default_rng(3)
    sample = [np.roll(_sample(), s, axis=1) for s in (-2, -1, 0, 1, 2, 3)]
    frames = (gain * random.poisson(5e3 * np.exp(-np.stack(sample)))).astype(np.float32)
    hit = frames.copy()
    where = random.random(frames.shape) < 0.0005
    where[:, :3] = False
    where[:, 40, 41:43] = True  # two neighbours at once, in the first frame only
    where[1:, 40, 41:43] = False
    hit[where] += gain * random.uniform(1500, 30000, int(where.sum())).astype(np.float32)
    clean, count = remove_zingers(hit)
    assert count == where.sum() > 20
    np.testing.assert_array_equal(clean[~where], frames[~where])
    expected = 5e3 * gain * np.exp(-np.stack(sample))
    assert np.abs(clean[where] / expected[where] - 1).max() < 0.35


def test_zingers_of_a_single_frame_and_of_a_single_row() -> None:
    random = np.random.default_rng(4)
    frame = random.poisson(1e4, (1, 40, 50)).astype(np.float32)
    frame[0, 20, 20] = 3e4
    clean, count = remove_zingers(frame)
    assert count == 1
    assert clean[0, 20, 20] < 1.1e4
    rows = random.poisson(1e4, (30, 1, 50)).astype(np.float32)
    rows[12, 0, 7] = 3e4
    rows[0, 0, 9] = 3e4
    clean, count = remove_zingers(rows)
    assert count == 2
    assert clean.max() < 1.1e4
    with pytest.raises(ValueError, match="Below 4 sigma"):
        remove_zingers(rows, 2)
    with pytest.raises(ValueError, match="views, rows, columns"):
        remove_zingers(rows[0])


BODY = np.concatenate([[[0.05, 0.05, 0.85, 0.75, 0.3, 1.0]], phantom.jelly_roll(120, 5)[16:]])
WOUND = phantom.jelly_roll()
WOUND[:, 0] += 0.05  # layers a few pixels off the axis, as a cell is mounted
VIEWS, WIDTH = 240, 257


def _clean(shapes: phantom.Ellipses) -> Image:
    return phantom.sinogram(shapes, WIDTH, np.arange(VIEWS) * 180 / VIEWS)


def _striped(clean: Image) -> Image:
    random = np.random.default_rng(5)
    gain, offset = 1 + random.normal(0, 0.01, WIDTH), random.normal(0, 0.01, WIDTH)
    noise = random.normal(0, 0.005, clean.shape)
    return (clean * gain + offset + noise).astype(np.float32)


def _seen(rows: Image) -> float:
    """Root mean square after the ramp: what shows in a slice."""
    return float(RampFilter(WIDTH).apply(rows)[:, 10:-10].std())


def _rings(found: Image, clean: Image) -> float:
    return _seen((found - clean).mean(axis=0, keepdims=True))


@pytest.mark.parametrize(("shapes", "left"), [(BODY, 0.3), (WOUND, 0.5)])
def test_the_offline_filter_lowers_rings_and_leaves_the_phantom(
    shapes: phantom.Ellipses, left: float
) -> None:
    clean = _clean(shapes)
    striped = _striped(clean)
    assert _rings(remove_rings(striped), clean) < left * _rings(striped, clean)
    assert _seen(remove_rings(clean) - clean) < 0.05 * _seen(clean)
    striped[:, 100] = 0.7  # does not respond
    assert _rings(remove_rings(striped), clean) < (left + 0.1) * _rings(_striped(clean), clean)


@pytest.mark.parametrize(("shapes", "hurt"), [(BODY, 0.1), (WOUND, 0.15)])
def test_the_live_filter_lowers_rings_and_hardly_hurts_the_phantom(
    shapes: phantom.Ellipses, hurt: float
) -> None:
    clean = _clean(shapes)
    order = np.random.default_rng(6).permutation(VIEWS)

    def run(sinogram: Image) -> Image:
        live = RunningRings(WIDTH)
        rows = np.empty_like(sinogram)
        for view in order:
            rows[view] = live.apply(sinogram[view])
        return rows

    striped, late = _striped(clean), order[50:]
    after = _rings(run(striped)[late], clean[late])
    assert after < 0.4 * _rings(striped[late], clean[late])
    assert _seen(run(clean) - clean) < hurt * _seen(clean)


def test_columns_that_do_not_respond_are_found() -> None:
    random = np.random.default_rng(7)
    clean = _clean(WOUND)
    sinogram = clean + random.normal(0, 0.01, clean.shape).astype(np.float32)
    assert not bad_columns(sinogram).any()
    sinogram[:, 77] = 1.0
    sinogram[:, 150] += random.normal(0, 2, len(sinogram))
    assert np.flatnonzero(bad_columns(sinogram)).tolist() == [77, 150]
    with pytest.raises(ValueError, match="span 5 to"):
        remove_rings(sinogram, 1)


def test_the_beam_is_levelled_by_its_monitor() -> None:
    np.testing.assert_allclose(monitor_factors([90, 100, 50], [100, 100]), [10 / 9, 1, 2])
    with pytest.raises(ValueError, match="1 of 3 projections it does not"):
        monitor_factors([90, 0, 50], [100])


def test_the_beam_is_levelled_by_the_air() -> None:
    passed = np.exp(-_sample())[None] * np.array([0.9, 1.2])[:, None, None]
    passed = (passed * np.linspace(1, 1.1, COLUMNS)).astype(np.float32)
    np.testing.assert_allclose(level_air(passed, 10)[1], np.exp(-_sample()), rtol=0.01)
    with pytest.raises(ValueError, match="leave air_columns out"):
        level_air(passed * np.float32(0.4), 10)
    with pytest.raises(ValueError, match="may have 1 to 42"):
        level_air(passed, 60)


def test_mean_flats_are_those_of_before() -> None:
    flats = np.random.default_rng(8).poisson(1e3, (5, 6, 7))
    np.testing.assert_array_equal(FlatsInTime.of(flats).mean, mean_field(flats))
