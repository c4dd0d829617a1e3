"""What the reconstruction by gridding computes once for a set of angles."""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.gridding_kernels import LANES, SIDE, WIDTH, list_runs
from voltomo.analysis.ramp_filter import ramp_gain
from voltomo.analysis.typed_scipy import fast_length

# Cells of the grid over pixels of the slice.
OVERSAMPLING = 1.25
# Entries a cell of the table of the spreading kernel; 8 KiB in all.
_ENTRIES = 512
# Length of the transform of a row over what the slice and the row span together.
_PADDING = 1.5


def spreading_kernel(z: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """The "exponential of semicircle", whose transform falls nearly as fast as any can.

    Barnett, Magland and af Klinteberg, SIAM J. Sci. Comput. 41 (2019) C479, eq. 1.8.

    Parameters
    ----------
    z : float64
        Distance over half the width of the kernel; 0 beyond 1.
    beta : float
        Its sharpness.
    """
    inside = np.maximum(1 - z * z, 0)
    return np.where(np.abs(z) <= 1, np.exp(beta * (np.sqrt(inside) - 1)), 0.0)


class GriddingPlan:
    """Lengths, places of the samples, factors and tables for one geometry.

    Parameters
    ----------
    n_columns : int
        Length of a detector row.
    axis_column : float
        Column of the rotation axis.
    size : int
        N of the slices.
    angles_deg : float64 (views,)
        Angles of the views.
    weights_rad : float64 (views,)
        Arc that each view stands for.

    Attributes
    ----------
    length : int
        Points of the transform of a row.
    grid : int
        Cells on a side of the Cartesian grid.
    pitch : int
        Cells from one row of the grid to the next.
    step_x, step_y : float64 (views,)
        Cells from one radial frequency to the next.
    runs : int32 (runs, 4)
        From `list_runs`, sorted by tile.
    factors : complex64 (views, length)
        For `turn`.
    table : float32 (entries * WIDTH,)
        For `spread`.
    correction : float32 (N,)
        For `unpack`.
    """

    def __init__(
        self,
        n_columns: int,
        axis_column: float,
        size: int,
        angles_deg: NDArray[np.float64],
        weights_rad: NDArray[np.float64],
    ) -> None:
        self.views = angles_deg.size
        # The row repeats with this period; its tails must not reach the slice from behind.
        span = max(n_columns - 1, axis_column + size / 2) - min(0, axis_column - size / 2)
        self.length = fast_length(math.ceil(max(_PADDING * n_columns, span + n_columns / 2)))
        self.grid = fast_length(math.ceil(max(OVERSAMPLING * size, SIDE)))
        # Rows that begin a multiple of a large power of two apart would share cache lines.
        self.pitch = self.grid + 1 + (3 - self.grid) % 8
        cosine = np.cos(np.radians(angles_deg))
        sine = np.sin(np.radians(angles_deg))
        self.step_x = cosine * self.grid / self.length
        self.step_y = sine * self.grid / self.length
        self.runs = self._sorted_runs()
        self.factors = self._make_factors(axis_column, size, cosine, sine, weights_rad)
        sigma = self.grid / size
        # As sharp as the oversampling allows, less a few percent (same paper, section 4).
        beta = 0.97 * math.pi * WIDTH * (1 - 1 / (2 * sigma))
        self.table = _table(beta)
        self.correction = _correction(beta, size, self.grid)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the plan, and of all that a reconstruction by it works in."""
        spectra = 4 * LANES * self.views * self.length
        grid = 4 * LANES * self.grid * self.pitch
        patch = 4 * LANES * SIDE * SIDE
        return spectra + grid + patch + self.factors.nbytes + self.runs.nbytes

    def _sorted_runs(self) -> NDArray[np.int32]:
        nothing = np.empty((0, 4), np.int32)
        count = list_runs(self.step_x, self.step_y, self.length, self.grid, nothing)
        runs = np.empty((count, 4), np.int32)
        list_runs(self.step_x, self.step_y, self.length, self.grid, runs)
        return runs[np.argsort(runs[:, 0], kind="stable")]

    def _make_factors(
        self,
        axis_column: float,
        size: int,
        cosine: NDArray[np.float64],
        sine: NDArray[np.float64],
        weights_rad: NDArray[np.float64],
    ) -> NDArray[np.complex64]:
        frequency = np.arange(self.length)
        frequency = np.where(frequency > self.length // 2, frequency - self.length, frequency)
        gain = ramp_gain(self.length) / self.length
        # The two halves of Nyquist cannot be told apart.
        gain[2 * np.abs(frequency) == self.length] = 0
        # Pixels lie at whole numbers from the middle, or half between them.
        offset = size // 2 - (size - 1) / 2
        origin = axis_column + offset * (cosine + sine)
        factors = np.empty((self.views, self.length), np.complex64)
        for view in range(self.views):
            phase = np.exp(2j * np.pi / self.length * origin[view] * frequency)
            factors[view] = weights_rad[view] * gain * phase
        return factors


def _table(beta: float) -> NDArray[np.float32]:
    fraction = (np.arange(_ENTRIES) + 0.5) / _ENTRIES
    cell = np.arange(WIDTH) - (WIDTH // 2 - 1)
    distance = (cell[None, :] - fraction[:, None]) / (WIDTH / 2)
    return spreading_kernel(distance, beta).astype(np.float32).ravel()


def _correction(beta: float, size: int, grid: int) -> NDArray[np.float32]:
    """Reciprocal of the kernel's transform at the pixels, by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(4 * WIDTH + 16)
    pixel = np.arange(size) - size // 2
    waves = np.cos(np.pi * WIDTH / grid * pixel[:, None] * nodes[None, :])
    transform = waves @ (weights * spreading_kernel(nodes, beta)) * (WIDTH / 2)
    return (1 / transform).astype(np.float32)
