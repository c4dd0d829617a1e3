"""A volume as OME-Zarr 0.5, written slab by slab with its smaller copies."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = "0.5"
# Slices of a slab come in multiples of this: whole chunks, and whole steps of every copy.
SLAB_STEP = 16
_CHUNK = (SLAB_STEP, 128, 128)
# Several chunks a file: a volume of 2048³ has two thousand files instead of thirty thousand.
_CHUNKS_IN_FILE = 4
# The smallest copy is about so wide, and copies are at most so many that slabs stay whole.
_SMALLEST = 256
_LEVELS_AT_MOST = 5


@dataclass(frozen=True)
class Layout:
    """Sizes of a volume and of its copies.

    Attributes
    ----------
    shape : (int, int, int)
        Slices, rows and columns.
    pixel_um : float or None
        Size of a voxel; None where the recording does not say.
    """

    shape: tuple[int, int, int]
    pixel_um: float | None

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """Shape of each copy, the volume itself first."""
        halvings = max(0, math.ceil(math.log2(max(self.shape[1:]) / _SMALLEST)))
        # Along the axis, too, a copy must have something left.
        halvings = min(halvings, _LEVELS_AT_MOST - 1, int(math.log2(self.shape[0])))
        return [
            (self.shape[0] >> k, self.shape[1] >> k, self.shape[2] >> k)
            for k in range(halvings + 1)
        ]

    @property
    def bytes_at_most(self) -> int:
        """Room on the disk if nothing can be compressed; float32."""
        voxels = sum(math.prod(level) for level in self.levels)
        return math.ceil(4 * voxels * 1.01) + (1 << 20)

    def metadata(self, name: str) -> dict[str, Any]:
        """The group's attribute ``ome``."""
        unit = {} if self.pixel_um is None else {"unit": "micrometer"}
        pixel = self.pixel_um or 1.0
        datasets: list[dict[str, Any]] = []
        for level in range(len(self.levels)):
            # A voxel of a copy is the mean of several: its centre lies between theirs.
            scale = [pixel * 2**level] * 3
            shift = [pixel * (2**level - 1) / 2] * 3
            transformations = [
                {"type": "scale", "scale": scale},
                {"type": "translation", "translation": shift},
            ]
            datasets.append({"path": str(level), "coordinateTransformations": transformations})
        axes = [{"name": axis, "type": "space", **unit} for axis in "zyx"]
        multiscale = {
            "name": name,
            "axes": axes,
            "datasets": datasets,
            "type": "mean",
            "metadata": {"method": "mean of 2 × 2 × 2 voxels", "voltomo": "voltomo.recon.ome_zarr"},
        }
        return {"version": VERSION, "multiscales": [multiscale]}


class VolumeStore:
    """One volume on the disk.

    Parameters
    ----------
    path : Path
        Folder of the volume, as a rule ending in ``.ome.zarr``.
    layout : Layout
        What it holds.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = Path(path)
        self.layout = layout
        self._arrays: list[Any] = []

    def create(self, record: dict[str, Any]) -> None:
        """Make it anew, in place of what was there.

        Parameters
        ----------
        record : dict
            How it is made, stored as attribute ``voltomo``.
        """
        import zarr
        from zarr.codecs import BloscCodec, BloscShuffle

        if self.path.exists():
            shutil.rmtree(self.path)
        root = zarr.create_group(self.path, zarr_format=3)
        for level, shape in enumerate(self.layout.levels):
            chunks = tuple(min(most, length) for most, length in zip(_CHUNK, shape, strict=True))
            depth = max(1, SLAB_STEP >> level)
            chunks = (min(depth, shape[0]), *chunks[1:])
            across = [min(_CHUNKS_IN_FILE, -(-shape[i] // chunks[i])) * chunks[i] for i in (1, 2)]
            root.create_array(
                str(level),
                shape=shape,
                dtype="float32",
                chunks=chunks,
                shards=(chunks[0], *across),
                compressors=BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle),
                dimension_names=("z", "y", "x"),
                fill_value=0.0,
            )
        # Readers take a group with this attribute for whole: it comes last.
        root.attrs.update({"voltomo": record, "ome": self.layout.metadata(self.path.name)})
        self.open()

    def open(self) -> None:
        """Take up what is there.

        Raises
        ------
        ValueError
            It is not the volume of this layout.
        """
        import zarr

        root: Any = zarr.open_group(self.path, mode="r+", zarr_format=3)
        levels = self.layout.levels
        arrays = [root[str(level)] for level in range(len(levels))]
        if [tuple(array.shape) for array in arrays] != levels:
            raise ValueError(f"{self.path} holds another volume than is to be written")
        self._arrays = arrays

    def write(self, first: int, slices: NDArray[np.float32]) -> None:
        """Write a slab and its part of every copy.

        Parameters
        ----------
        first : int
            Number of its first slice, a multiple of `SLAB_STEP`.
        slices : float32 (slices, rows, columns)
            A multiple of `SLAB_STEP`, but for the last of the volume.
        """
        if first % SLAB_STEP or slices.shape[1:] != self.layout.shape[1:]:
            raise ValueError(
                f"A slab must begin at a multiple of {SLAB_STEP} and have slices of "
                f"{self.layout.shape[1:]}; this one begins at {first} with {slices.shape[1:]}."
            )
        part = slices
        for level, array in enumerate(self._arrays):
            if level:
                part = _halved(part)
            if part.shape[0] == 0:
                break
            start = first >> level
            array[start : start + part.shape[0]] = part

    def note(self, more: dict[str, Any]) -> None:
        """Add to the attribute ``voltomo``, when all is written."""
        import zarr

        root = zarr.open_group(self.path, mode="r+", zarr_format=3)
        known: Any = root.attrs["voltomo"]
        root.attrs.update({"voltomo": {**known, **more}})


def _halved(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 × 2 × 2 voxels; what is left over at an end is dropped."""
    z, y, x = (length // 2 for length in part.shape)
    whole = part[: 2 * z, : 2 * y, : 2 * x].reshape(z, 2, y, 2, x, 2)
    return whole.mean(axis=(1, 3, 5), dtype=np.float32)
