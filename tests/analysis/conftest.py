"""One phantom and its sinogram for all tests of this folder."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis import phantom

SIZE = 257
VIEWS = 300


@dataclass(frozen=True)
class Scan:
    """The slice as it is, and its noiseless projections over half a turn."""

    shapes: NDArray[np.float64]
    truth: NDArray[np.float32]
    sinogram: NDArray[np.float32]
    angles_deg: NDArray[np.float64]


@pytest.fixture(scope="session")
def scan() -> Scan:
    shapes = phantom.jelly_roll()
    angles_deg = np.arange(VIEWS) * 180.0 / VIEWS
    sinogram = phantom.sinogram(shapes, SIZE, angles_deg)
    return Scan(shapes, phantom.image(shapes, SIZE), sinogram, angles_deg)
