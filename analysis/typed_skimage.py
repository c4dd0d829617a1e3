"""The few functions of scikit-image that the numerics use, with their types."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def total_variation(
    image: NDArray[np.float32], sigma: float, strength: float
) -> NDArray[np.float32]:
    """Chambolle's total variation; the weight follows the noise `sigma` of the image."""
    import skimage.restoration

    restoration = cast(Any, skimage.restoration)
    # In units of the noise, so that strength means the same for every slice.
    scaled = (image / np.float32(sigma)).astype(np.float32)
    clean = restoration.denoise_tv_chambolle(scaled, weight=2.0 * strength, eps=1e-4)
    return (clean * sigma).astype(np.float32)


def non_local_means(
    image: NDArray[np.float32], sigma: float, strength: float
) -> NDArray[np.float32]:
    """Non-local means over patches of 5 × 5 pixels."""
    import skimage.restoration

    restoration = cast(Any, skimage.restoration)
    clean = restoration.denoise_nl_means(
        image / np.float32(sigma), patch_size=5, patch_distance=6, h=0.8 * strength, sigma=1.0
    )
    return (clean * sigma).astype(np.float32)


def whole_shift(earlier: NDArray[np.float32], later: NDArray[np.float32]) -> tuple[float, ...]:
    """By how many pixels the later image lies farther on, to half a pixel: phase correlation."""
    import skimage.registration

    registration = cast(Any, skimage.registration)
    back, _, _ = registration.phase_cross_correlation(earlier, later, upsample_factor=2)
    return tuple(-float(one) for one in back)
