"""The compared methods, each called as its own documentation has it, and as fast as it goes.

All filter with their own unwindowed ramp and turn sinograms (slices, views, columns) over half a
turn into slices (slices, N, N). Imports come late: a peer is there only in the environment of
peers, our own code only in that of the product.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Slices = Callable[[np.ndarray], np.ndarray]
Setup = Callable[[Any, int, np.ndarray], Slices]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    module : str
        What must be importable; if it is not, the method is absent.
    setup : callable
        From module, columns and angles_deg to a function of sinograms; what is computed once.
    own : bool
        Lives in the product's environment.
    whole_axis : bool
        Its axis must lie at column N / 2, where the others have theirs in the middle,
        (N - 1) / 2. It gets exact sinograms of such a detector.
    """

    module: str
    setup: Setup
    own: bool = False
    whole_axis: bool = False

    def available(self) -> Any:
        """The imported module; ImportError where there is none."""
        return importlib.import_module(self.module)


@dataclass(frozen=True)
class _Row:
    columns: int
    axis: float
    roll_deg: float = 0.0
    tilt_deg: float = 0.0


def _voltomo(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    backend = module.GriddingReconstructor()
    backend.prepare(_Row(columns, (columns - 1) / 2), angles_deg)
    return backend.recon_slices


def _voltomo_live(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    backend = module.SliceReconstructor(columns, (columns - 1) / 2)
    backend.prepare(_Row(columns, (columns - 1) / 2), angles_deg)
    return backend.recon_slices


def _algotom_fbp(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    def one(sinogram: np.ndarray) -> np.ndarray:
        return module.fbp_reconstruction(
            sinogram,
            (columns - 1) / 2,
            angles=np.radians(angles_deg),
            ratio=None,
            filter_name=None,
            apply_log=False,
            gpu=False,
            ncore=1,
        )

    return _one_by_one(one)


def _algotom_dfi(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    # It counts on the view at 180 degrees, which is the first one mirrored.
    angles_rad = np.radians(np.append(angles_deg, 180.0))

    def one(sinogram: np.ndarray) -> np.ndarray:
        last = np.roll(sinogram[0, ::-1], 1)
        return module.dfi_reconstruction(
            np.vstack((sinogram, last)),
            columns / 2,
            angles=angles_rad,
            ratio=None,
            filter_name=None,
            apply_log=False,
            ncore=1,
        )

    return _one_by_one(one)


def _astra(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    astra = module
    volume = astra.create_vol_geom(columns, columns)
    beam = astra.create_proj_geom("parallel", 1.0, columns, np.radians(angles_deg))
    projector = astra.create_projector("linear", beam, volume)

    def one(sinogram: np.ndarray) -> np.ndarray:
        data = astra.data2d.create("-sino", beam, sinogram)
        image = astra.data2d.create("-vol", volume)
        settings = astra.astra_dict("FBP")
        settings["ProjectorId"] = projector
        settings["ProjectionDataId"] = data
        settings["ReconstructionDataId"] = image
        settings["option"] = {"FilterType": "ram-lak"}
        algorithm = astra.algorithm.create(settings)
        astra.algorithm.run(algorithm)
        made = astra.data2d.get(image)
        astra.algorithm.delete(algorithm)
        astra.data2d.delete([data, image])
        return made

    return _one_by_one(one)


def _skimage(module: Any, _columns: int, angles_deg: np.ndarray) -> Slices:
    def one(sinogram: np.ndarray) -> np.ndarray:
        return module.iradon(sinogram.T, theta=angles_deg, filter_name="ramp", circle=True)

    return _one_by_one(one)


def _finufft(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    """The same mathematics as ours, with the library's spreading: two slices as one complex."""
    import scipy.fft

    pairs = 8
    views = angles_deg.size
    length = int(scipy.fft.next_fast_len(int(1.5 * columns)) or 0)
    frequency = np.fft.fftfreq(length, 1 / length)
    distance = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.where(distance % 2 == 1, -1 / (np.pi * np.maximum(distance, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    gain = np.fft.fft(kernel).real * np.pi / views / length
    gain[2 * np.abs(frequency) == length] = 0
    cosine, sine = np.cos(np.radians(angles_deg)), np.sin(np.radians(angles_deg))
    middle = (columns - 1) / 2 + 0.5 * (cosine + sine)
    phase = np.exp(2j * np.pi / length * middle[:, None] * frequency[None, :])
    factors = (gain * phase).astype(np.complex64)
    omega = 2 * np.pi / length * frequency[None, :]
    # The library's first axis is the slow one of the result: rows, y.
    y = (omega * sine[:, None]).ravel().astype(np.float32)
    x = (omega * cosine[:, None]).ravel().astype(np.float32)
    plan = module.Plan(
        1,
        (columns, columns),
        n_trans=pairs,
        eps=1e-2,
        isign=1,
        dtype="complex64",
        nthreads=1,
        upsampfac=1.25,
    )
    plan.setpts(y, x)
    packed = np.zeros((pairs, views, length), np.complex64)

    def many(sinograms: np.ndarray) -> np.ndarray:
        slices = np.empty((len(sinograms), columns, columns), np.float32)
        for first in range(0, len(sinograms), 2 * pairs):
            block = sinograms[first : first + 2 * pairs]
            even, odd = block[0::2], block[1::2]
            packed[...] = 0
            packed.real[: len(even), :, :columns] = even
            packed.imag[: len(odd), :, :columns] = odd
            spectra: Any = scipy.fft.fft(packed, axis=-1)
            spectra *= factors
            images = plan.execute(spectra.reshape(pairs, -1))
            slices[first : first + 2 * pairs : 2] = images.real[: len(even)]
            slices[first + 1 : first + 2 * pairs : 2] = images.imag[: len(odd)]
        return slices

    return many


def _gridrec(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    return _tomopy(module, columns, angles_deg, 0)


def _gridrec_padded(module: Any, columns: int, angles_deg: np.ndarray) -> Slices:
    return _tomopy(module, columns, angles_deg, columns // 2)


def _tomopy(module: Any, columns: int, angles_deg: np.ndarray, padding: int) -> Slices:
    def many(sinograms: np.ndarray) -> np.ndarray:
        made = module.recon(
            np.pad(sinograms, ((0, 0), (0, 0), (padding, padding))),
            np.radians(angles_deg),
            center=(columns - 1) / 2 + padding,
            sinogram_order=True,
            algorithm="gridrec",
            filter_name="ramlak",
            ncore=1,
        )
        return made[:, padding : padding + columns, padding : padding + columns]

    return many


def _one_by_one(one: Slices) -> Slices:
    def many(sinograms: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(one(sinogram), np.float32) for sinogram in sinograms])

    return many


METHODS: dict[str, Method] = {
    "voltomo": Method("voltomo.analysis.gridding", _voltomo, own=True),
    "voltomo_live": Method("voltomo.analysis.sheared_rows", _voltomo_live, own=True),
    "algotom_fbp": Method("algotom.rec.reconstruction", _algotom_fbp),
    "algotom_dfi": Method("algotom.rec.reconstruction", _algotom_dfi, whole_axis=True),
    "astra": Method("astra", _astra),
    "skimage": Method("skimage.transform", _skimage, whole_axis=True),
    "finufft": Method("finufft", _finufft),
    "gridrec": Method("tomopy", _gridrec),
    "gridrec_padded": Method("tomopy", _gridrec_padded),
}
