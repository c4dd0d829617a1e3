"""The ramp filter of filtered back-projection, built from its spatial kernel."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import fast_length, fft_rows, ifft_rows

Window = Literal["ram-lak", "shepp-logan", "cosine", "hamming", "hann"]
"""The ramp family, from the sharpest, which is the bare ramp, to the smoothest."""


def window_gain(
    length: int, window: Window = "ram-lak", cutoff: float = 1.0
) -> NDArray[np.float64]:
    """What a member of the ramp family multiplies the bare ramp with.

    Parameters
    ----------
    length : int
        Points of the transform.
    window : {"ram-lak", "shepp-logan", "cosine", "hamming", "hann"}
        Which.
    cutoff : float
        Frequency where the window ends and beyond which nothing passes, over that of Nyquist.

    Returns
    -------
    float64 (length,)
        1 at frequency zero: a window changes noise and sharpness, never the mean.

    Raises
    ------
    ValueError
        If there is no such window, or the cut-off is not in (0, 1].
    """
    if window not in get_args(Window):
        raise ValueError(f"The filter must be one of {', '.join(get_args(Window))}, not {window}.")
    if not 0 < cutoff <= 1:
        raise ValueError(f"The cut-off of the filter must be in (0, 1] of Nyquist, not {cutoff}.")
    samples = np.arange(length)
    # Whole numbers: np.fft.fftfreq(n, 1 / n) is off by one rounding for some n.
    part = np.minimum(samples, length - samples) / (cutoff * length / 2)
    gain = {
        "ram-lak": np.ones(length),
        "shepp-logan": np.sinc(part / 2),
        "cosine": np.cos(np.pi * part / 2),
        "hamming": 0.54 + 0.46 * np.cos(np.pi * part),
        "hann": 0.5 + 0.5 * np.cos(np.pi * part),
    }[window]
    return np.where(part <= 1, gain, 0.0)


def ramp_gain(length: int) -> NDArray[np.float32]:
    """Gain of the band-limited ramp for a transform of `length` points.

    Sampling |f| itself would put its mean to zero and so falsify the low frequencies of
    the slice; the transform of the spatial kernel does not (Kak and Slaney, Principles of
    Computerized Tomographic Imaging, 1988, eq. 3.61).

    Returns
    -------
    float32 (length,)
        In cycles per pixel; a slice is the sum over views of filtered rows times pi / views.
    """
    samples = np.arange(length)
    distance = np.minimum(samples, length - samples)
    response = np.zeros(length)
    response[0] = 0.25
    odd = distance % 2 == 1
    response[odd] = -1 / (np.pi * distance[odd]) ** 2
    return np.fft.fft(response).real.astype(np.float32)


class RowFilter:
    """Filters rows with a real, even gain.

    Parameters
    ----------
    n_columns : int
        Length of a row.
    gain : callable
        From the length of the transform to the gain, (length,).
    padding : float
        Length of the transform over `n_columns`, at least.
    """

    def __init__(
        self, n_columns: int, gain: Callable[[int], NDArray[np.float32]], padding: float = 1.5
    ) -> None:
        if n_columns < 2:
            raise ValueError(f"A row to filter needs at least 2 columns, not {n_columns}.")
        if not padding >= 1.0:
            raise ValueError(f"The padding must be 1 or more times the row, not {padding}.")
        self.n_columns = n_columns
        self.length = fast_length(int(np.ceil(padding * n_columns)))
        self._gain = gain(self.length)

    def apply(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the filtered rows, in the shape of `rows`.

        Parameters
        ----------
        rows : float32 (..., n_columns)
            Line integrals.

        Raises
        ------
        ValueError
            If rows have another length.
        """
        if rows.shape[-1] != self.n_columns:
            raise ValueError(
                f"Rows to filter must have {self.n_columns} columns; these have {rows.shape[-1]}."
            )
        flat = rows.reshape(-1, self.n_columns)
        pairs = (len(flat) + 1) // 2
        # The gain is real and even, so two real rows pass as one complex row at half the cost.
        packed = np.zeros((pairs, self.length), np.complex64)
        packed.real[:, : self.n_columns] = flat[0::2]
        packed.imag[: len(flat) // 2, : self.n_columns] = flat[1::2]
        spectrum = fft_rows(packed)
        spectrum *= self._gain
        filtered_pairs = ifft_rows(spectrum)
        filtered = np.empty((len(flat), self.n_columns), np.float32)
        filtered[0::2] = filtered_pairs.real[:, : self.n_columns]
        filtered[1::2] = filtered_pairs.imag[: len(flat) // 2, : self.n_columns]
        return filtered.reshape(rows.shape)


class RampFilter(RowFilter):
    """Filters rows of line integrals with the unwindowed ramp.

    Parameters
    ----------
    n_columns : int
        Length of a row.
    padding : float
        As `RowFilter`. 1.5 is enough: the kernel falls with the square of the distance, so what
        wraps round is small.
    """

    def __init__(self, n_columns: int, padding: float = 1.5) -> None:
        super().__init__(n_columns, ramp_gain, padding)


class WindowFilter(RowFilter):
    """What a member of the ramp family does beside the ramp: for rows of any backend.

    Backends bring the bare ramp each in its own way; filtered by this before, their slices are
    those of the family's member.

    Parameters
    ----------
    n_columns : int
        Length of a row.
    window, cutoff
        See `window_gain`.
    """

    def __init__(self, n_columns: int, window: Window, cutoff: float = 1.0) -> None:
        def gain(length: int) -> NDArray[np.float32]:
            return window_gain(length, window, cutoff).astype(np.float32)

        super().__init__(n_columns, gain)
