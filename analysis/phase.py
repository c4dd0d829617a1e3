"""Thickness from one distance: Paganin's filter."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import fast_length, irfft_image, rfft_image

# h c, so that a wavelength in metres is this over the energy in keV.
HC_KEV_M = 1.2398419843320026e-9


def wavelength_m(energy_keV: float) -> float:
    """Wavelength of X-rays, in metres."""
    return HC_KEV_M / energy_keV


class Paganin:
    """The single-distance filter of Paganin et al., Journal of Microscopy 206, 2002, 33, eq. 7.

    The sample is taken to be of one material, the beam parallel and monochromatic, the distance
    short enough for the transport-of-intensity equation. With delta/beta too large the result is
    blurred, too small it keeps bright and dark fringes at edges. Since it couples neighbours in
    both directions, part of a frame needs `halo_pixels` rows more on each side.

    Parameters
    ----------
    delta_over_beta : float
        Ratio of refraction to absorption of the material (about 10 to 100 for cathodes, some
        thousand for polymers and electrolyte).
    distance_m : float
        From sample to detector; of a diverging beam the effective one, distance / magnification.
    energy_keV : float
        Of the beam.
    pixel_um : float
        At the sample.

    Raises
    ------
    ValueError
        If one of them is not above zero.
    """

    def __init__(
        self, delta_over_beta: float, distance_m: float, energy_keV: float, pixel_um: float
    ) -> None:
        given = (delta_over_beta, distance_m, energy_keV, pixel_um)
        if not all(0 < value < math.inf for value in given):
            raise ValueError(
                "The phase filter needs delta/beta, distance, energy and pixel size above zero; "
                f"they are {delta_over_beta}, {distance_m} m, {energy_keV} keV and {pixel_um} µm."
            )
        pixel_m = 1e-6 * pixel_um
        area = delta_over_beta * distance_m * wavelength_m(energy_keV) / (4 * math.pi)
        self._length_pixels = math.sqrt(area) / pixel_m

    @property
    def halo_pixels(self) -> int:
        """How far the filter reaches; its kernel has fallen to 1 in 400 there."""
        return math.ceil(6 * self._length_pixels)

    def line_integrals(self, transmission: NDArray[np.float32]) -> NDArray[np.float32]:
        """-log of the filtered transmission: attenuation times thickness, without fringes.

        Parameters
        ----------
        transmission : float32 (..., rows, columns)
            Frames over flats.

        Returns
        -------
        float32 (..., rows, columns)

        Raises
        ------
        ValueError
            If there are values that are not finite or not positive: one would fill the frame.
        """
        if not (np.isfinite(transmission).all() and (transmission > 0).all()):
            raise ValueError(
                "The phase filter needs transmissions above zero in every pixel: it would smear "
                "a bad one over its surroundings. Normalise with a floor first."
            )
        rows, columns = transmission.shape[-2:]
        margin = self.halo_pixels
        tall, wide = fast_length(rows + margin), fast_length(columns + margin)
        frequency = self._gain(tall, wide)
        out = np.empty(transmission.shape, np.float32)
        flat_in = transmission.reshape(-1, rows, columns)
        flat_out = out.reshape(-1, rows, columns)
        for i in range(len(flat_in)):
            padded = _continue_edges(flat_in[i], tall, wide)
            smooth = irfft_image(rfft_image(padded) * frequency, (tall, wide))
            flat_out[i] = -np.log(smooth[:rows, :columns])
        return out

    def _gain(self, rows: int, columns: int) -> NDArray[np.float32]:
        v, u = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
        wave = 2 * math.pi * self._length_pixels
        return (1 / (1 + wave**2 * (u * u + v * v))).astype(np.float32)


def _continue_edges(frame: NDArray[Any], rows: int, columns: int) -> NDArray[np.float32]:
    """Frame at the origin of a larger one; the rest runs from one edge to the opposite one."""
    tall, wide = frame.shape
    out = np.empty((rows, columns), np.float32)
    out[:tall, :wide] = frame
    part = np.linspace(0, 1, columns - wide, dtype=np.float32)
    out[:tall, wide:] = frame[:, -1:] * (1 - part) + frame[:, :1] * part
    part = np.linspace(0, 1, rows - tall, dtype=np.float32)[:, None]
    out[tall:] = out[tall - 1] * (1 - part) + out[0] * part
    return out
