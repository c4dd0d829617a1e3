"""Denoising, and the control that shows what it invents."""

import numpy as np
import pytest

from tests.analysis import phantom
from voltomo.analysis.batch import fbp
from voltomo.analysis.denoise import Method, denoise, noise_of_halves
from voltomo.analysis.disc import disc

SIZE, VIEWS = 128, 240
BODY = np.concatenate([[[0.0, 0.0, 0.8, 0.8, 0.0, 1.0]], phantom.jelly_roll(25, 5)[16:]])


@pytest.mark.parametrize("method", ["total variation", "non-local means"])
def test_denoising_comes_nearer_to_the_truth_and_says_what_it_invents(method: Method) -> None:
    random = np.random.default_rng(1)
    angles = np.arange(VIEWS) * 180 / VIEWS
    clean = phantom.sinogram(BODY, SIZE, angles)
    rows = (clean + random.normal(0, 0.05, clean.shape)).astype(np.float32)
    whole = fbp(rows, angles)
    noise = noise_of_halves(fbp(rows[::2], angles[::2]), fbp(rows[1::2], angles[1::2]))
    alone = fbp((rows - clean).astype(np.float32), angles)
    mask = disc(SIZE)
    assert noise[mask].std() == pytest.approx(alone[mask].std(), rel=0.1)
    found = denoise(whole, noise, method)
    truth = phantom.image(BODY, SIZE)
    before, after = np.abs(whole - truth)[mask].mean(), np.abs(found.image - truth)[mask].mean()
    assert after < 0.7 * before
    assert found.denoised
    assert found.method == f"{method}, strength 1"
    assert found.noise_left < 0.6
    # What the control holds is what the slice of noise alone turns into.
    again = denoise(alone, alone, method).image
    assert np.quantile(np.abs(again[mask]), 0.999) == pytest.approx(found.invented, rel=0.35)


def test_what_cannot_be_denoised_is_refused() -> None:
    flat = np.ones((16, 16), np.float32)
    with pytest.raises(ValueError, match="same slice"):
        denoise(flat, noise_of_halves(flat, flat))
    with pytest.raises(ValueError, match="one shape"):
        denoise(flat, flat[1:])
    with pytest.raises(ValueError, match="not finite"):
        denoise(flat * np.float32(np.nan), flat)
    with pytest.raises(ValueError, match="strength"):
        denoise(flat, flat, strength=0)
    with pytest.raises(ValueError, match="two halves"):
        noise_of_halves(flat, flat[1:])
