"""An independent look at an exported file: scikit-image's filtered back-projection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voltomo.runtime.recorded_scan import RecordedScan


def reconstruct_offline(path: Path, row: int, axis_column: float) -> NDArray[np.float32]:
    """One slice of an exported scan, in voltomo's frame, by another program's method.

    scikit-image puts the axis on column N // 2 and lets rows point the other way; every
    projection is shifted by Fourier interpolation so that its slice lies on our pixels.

    Parameters
    ----------
    path : Path
        NXtomo or DataExchange file.
    row : int
        Detector row.
    axis_column : float
        Column of the rotation axis.

    Returns
    -------
    float32, shape (columns, columns)
        Attenuation per pixel.
    """
    from skimage.transform import iradon

    scan = RecordedScan.read(path)
    flat = scan.flats[:, row].mean(axis=0)
    dark = scan.darks[:, row].mean(axis=0)
    transmission = (scan.projections[:, row] - dark) / np.maximum(flat - dark, 1e-6)
    sinogram = -np.log(np.clip(transmission, 1e-5, None))
    columns = sinogram.shape[1]
    half = (columns // 2) - (columns - 1) / 2
    angles = np.deg2rad(scan.angles_deg)
    shift = axis_column + half * (np.cos(angles) + np.sin(angles)) - columns // 2
    padded = np.pad(sinogram, ((0, 0), (columns // 2, columns // 2)), mode="edge")
    frequency = np.fft.rfftfreq(padded.shape[1])
    moved = np.fft.irfft(
        np.fft.rfft(padded, axis=1) * np.exp(2j * np.pi * frequency * shift[:, None]),
        padded.shape[1],
        axis=1,
    )
    centred = moved[:, columns // 2 : columns // 2 + columns]
    image = iradon(
        centred.T, -scan.angles_deg, output_size=columns, filter_name="ramp", circle=False
    )
    return np.asarray(image, dtype=np.float32)
