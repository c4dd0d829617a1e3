"""From counts to line integrals."""

import numpy as np
import pytest

from voltomo.analysis.normalise import (
    SMALLEST_TRANSMISSION,
    dead_pixels,
    line_integrals,
    mean_field,
    mean_transmission,
)

SHAPE = (3, 50)
DARK = np.full(SHAPE, 100, np.uint16)
FLAT = np.full(SHAPE, 20100.0, np.float32)


@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.float64])
def test_beer_and_lambert(kind: type) -> None:
    expected = np.linspace(0.0, 3.0, 150).reshape(SHAPE)
    frame = np.round(20000 * np.exp(-expected) + 100).astype(kind)
    result = line_integrals(frame, FLAT, DARK)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_counts_below_the_dark_are_clipped_and_dead_pixels_are_clear() -> None:
    frame = np.full(SHAPE, 20100, np.uint16)
    frame[0, 0] = 90
    flat = FLAT.copy()
    flat[1, 1] = 100
    result = line_integrals(frame, flat, DARK)
    assert result[0, 0] == pytest.approx(-np.log(SMALLEST_TRANSMISSION), rel=1e-5)
    assert result[1, 1] == 0
    assert dead_pixels(flat, DARK).sum() == 1
    assert np.isfinite(result).all()


def test_the_result_can_go_into_an_array_of_the_caller() -> None:
    out = np.empty(SHAPE, np.float32)
    assert line_integrals(DARK + 10000, FLAT, DARK, out) is out
    np.testing.assert_allclose(out, np.log(2), rtol=1e-5)
    with pytest.raises(ValueError, match="contiguous float32"):
        line_integrals(DARK, FLAT, DARK, out[:, ::2])


def test_rows_of_a_frame_need_not_be_contiguous() -> None:
    frame = np.repeat(DARK + 5000, 2, axis=1)[:, ::2]
    np.testing.assert_allclose(line_integrals(frame, FLAT, DARK), np.log(4), rtol=1e-5)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"one shape.*\(2, 50\)"):
        line_integrals(DARK[:2], FLAT, DARK)
    frame = FLAT.copy()
    frame[0, :2] = np.inf
    with pytest.raises(ValueError, match="frame has 2 of 150 values that are not finite"):
        line_integrals(frame, FLAT, DARK)
    with pytest.raises(ValueError, match="must be numbers"):
        line_integrals(FLAT.astype(complex), FLAT, DARK)


def test_mean_transmission_leaves_dead_pixels_out() -> None:
    flat = FLAT.copy()
    flat[0] = 100
    assert mean_transmission(DARK + 5000, flat, DARK) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="shutter closed"):
        mean_transmission(DARK, DARK, DARK)


def test_a_mean_field_is_the_mean_without_zingers() -> None:
    random = np.random.default_rng(5)
    frames = random.poisson(10000, (20, 8, 40)).astype(np.uint16)
    plain = frames.mean(axis=0)
    frames[3, 2, 7] = 65000
    field = mean_field(frames)
    assert field.dtype == np.float32
    clean = np.ones((8, 40), bool)
    clean[2, 7] = False
    np.testing.assert_allclose(field[clean], plain[clean], rtol=2e-3)
    assert field[2, 7] == pytest.approx(10000, rel=0.02)


def test_one_frame_is_its_own_mean_and_none_is_refused() -> None:
    np.testing.assert_array_equal(mean_field(DARK[None]), DARK)
    with pytest.raises(ValueError, match="1 or more"):
        mean_field(DARK[None][:0])
    with pytest.raises(ValueError, match="not finite"):
        mean_field(np.full((2, 3), np.nan))
