"""Denoising that cannot be mistaken for data: with a control of noise alone, and marked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.disc import disc
from voltomo.analysis.typed_skimage import non_local_means, total_variation

Image = NDArray[np.float32]
Method = Literal["total variation", "non-local means"]


@dataclass(frozen=True)
class Denoised:
    """A denoised slice, with what the same treatment makes of noise that holds no sample.

    Attributes
    ----------
    image : float32 (N, N)
        The denoised slice.
    control : float32 (N, N)
        The noise of the same slice, treated alike: all that shows in it was invented.
    method : str
        How, with its strength; goes into the file beside the slice.
    noise_left : float
        Standard deviation of the control over that of the noise before.
    invented : float
        99.9 % of the control lies within ± this. Differences in the slice that are smaller may
        be made of noise.
    denoised : bool
        Always true: whoever stores the slice stores the mark.
    """

    image: Image
    control: Image
    method: str
    noise_left: float
    invented: float
    denoised: bool = True


def noise_of_halves(one: Image, other: Image) -> Image:
    """Noise of the slice of all views, from the slices of every other view each.

    The sample cancels in half their difference, and the noise of that has the strength and the
    grain of the noise of their mean.

    Parameters
    ----------
    one, other : float32 (N, N)
        Slices from the even and from the odd views, each scaled as if it were whole.
    """
    if one.shape != other.shape:
        raise ValueError(f"The two halves must have one shape, not {one.shape} and {other.shape}.")
    return ((one - other) / 2).astype(np.float32)


def denoise(
    image: Image, noise: Image, method: Method = "total variation", strength: float = 1.0
) -> Denoised:
    """Denoise a slice, and its noise as the control.

    Parameters
    ----------
    image : float32 (N, N)
        The slice.
    noise : float32 (N, N)
        From `noise_of_halves`.
    method : {"total variation", "non-local means"}
        Chambolle's total variation keeps edges and flattens what is between; non-local means
        keeps textures that recur.
    strength : float
        In units of what suits the noise; 1 is usual.

    Raises
    ------
    ValueError
        If shapes differ, values are not finite, or there is no noise.
    """
    if image.shape != noise.shape or image.ndim != 2:
        raise ValueError(
            f"A slice and its noise must have one shape; they have {image.shape}, {noise.shape}."
        )
    if not (np.isfinite(image).all() and np.isfinite(noise).all()):
        raise ValueError("The slice to denoise, or its noise, has values that are not finite.")
    if not strength > 0:
        raise ValueError(f"The strength of denoising must be above zero, not {strength}.")
    mask = disc(image.shape[0]) if image.shape[0] == image.shape[1] else np.ones(image.shape, bool)
    sigma = float(noise[mask].std(dtype=np.float64))
    if not sigma > 0:
        raise ValueError("There is no noise to take away: are the two halves the same slice?")
    run = total_variation if method == "total variation" else non_local_means
    clean, control = run(image, sigma, strength), run(noise, sigma, strength)
    return Denoised(
        image=clean,
        control=control,
        method=f"{method}, strength {strength:g}",
        noise_left=float(control[mask].std(dtype=np.float64)) / sigma,
        invented=float(np.quantile(np.abs(control[mask]), 0.999)),
    )
