"""Memory and disk that a reconstruction needs, said before it starts."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from voltomo.analysis.correction_settings import CorrectionSettings
from voltomo.model.sentence import SentenceError
from voltomo.recon.ome_zarr import SLAB_STEP, Layout

GB = 1e9
# Libraries, their caches and threads.
_BESIDES_BYTES = 400_000_000
# Of the memory that is free, the rest is left to others and to the system's cache of files.
_SHARE = 0.6
LARGEST_BINNING = 8
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoRoom(SentenceError):
    """Memory or disk do not suffice; the message says for what, and what was made safe."""


@dataclass(frozen=True)
class Slabs:
    """How a volume is cut.

    Attributes
    ----------
    binning : int
        Pixels of the detector that make one column and row of the sinograms.
    slices : int
        Of each slab but the last.
    promised_bytes : int
        Memory that is not exceeded.
    """

    binning: int
    slices: int
    promised_bytes: int


@dataclass(frozen=True)
class ScanSize:
    """What the memory depends on: numbers of views, flats and darks, and bytes of a count."""

    views: int
    columns: int
    fields: int
    item_bytes: int

    def bytes_of(
        self, slices: int, binning: int, settings: CorrectionSettings, halo: int, backend_bytes: int
    ) -> int:
        """Memory for one slab, from what each step holds at its worst moment."""
        columns = self.columns // binning
        size = columns * (2 if settings.half_acquisition else 1)
        volume = 4 * 3 * slices * size * size
        return self.bytes_of_sinograms(slices, binning, settings, halo) + volume + backend_bytes

    def bytes_of_sinograms(
        self, slices: int, binning: int, settings: CorrectionSettings, halo: int
    ) -> int:
        """Memory for the corrected rows of one slab, and for what the process holds anyway."""
        columns = self.columns // binning
        rows = slices + 2 * halo
        counts = self.item_bytes if binning == 1 else 4
        # Counts, the good ones in the order of their angles, without zingers, transmissions.
        data = self.views * rows * columns * (2 * counts + 12)
        raw = 64 * rows * binning * self.columns * self.item_bytes if binning > 1 else 0
        widest = 3 if settings.continue_truncated else 2 if settings.half_acquisition else 1
        filtered = settings.filter != "ram-lak" or settings.filter_cutoff < 1
        sinograms = self.views * slices * columns * widest * (8 + (20 if filtered else 0))
        fields = self.fields * rows * columns * (2 * counts + 4)
        return data + raw + sinograms + fields + _BESIDES_BYTES


def plan_slabs(
    scan: ScanSize,
    rows: int,
    settings: CorrectionSettings,
    halo: int,
    backend_bytes: int,
    binning: int | None = None,
    memory_bytes: float | None = None,
) -> Slabs:
    """The largest slabs that fit, and the smallest binning at which one fits at all.

    Parameters
    ----------
    scan : ScanSize
        Of the recording.
    rows : int
        Detector rows to reconstruct.
    settings : CorrectionSettings
        What is done to them.
    halo : int
        Rows that a slab needs on either side.
    backend_bytes : int
        What the backend holds.
    binning : int, optional
        Exactly this one.
    memory_bytes : float, optional
        At most so much; a share of what is free if not given.

    Raises
    ------
    NoRoom
        Not even the smallest slab fits.
    """
    limit = _SHARE * free_memory_bytes() if memory_bytes is None else memory_bytes
    needed = 0
    for bins in binnings(binning):
        depth = max(1, rows // bins)
        most = -(-depth // SLAB_STEP) * SLAB_STEP
        backend = backend_bytes // bins**2 + 1

        def needs(slices: int, bins: int = bins, backend: int = backend) -> int:
            return scan.bytes_of(slices, bins, settings, -(-halo // bins), backend)

        needed = needs(min(SLAB_STEP, depth))
        if needed > limit:
            continue
        slices = SLAB_STEP
        # Ten slabs or more, so that time left is known soon and little is lost by an interruption.
        while (
            slices + SLAB_STEP <= max(SLAB_STEP, most // 10) and needs(slices + SLAB_STEP) <= limit
        ):
            slices += SLAB_STEP
        return Slabs(bins, slices, needs(min(slices, depth)))
    raise NoRoom(
        f"the smallest slab needs {needed / GB:.2f} GB of memory, and {limit / GB:.2f} GB may be "
        "used; nothing was started; end other programs, name more --memory, or bin the data "
        "with --bin"
    )


def binnings(asked: int | None) -> list[int]:
    """Binnings that are tried one after the other: the one that is asked for, or all."""
    return [asked] if asked else [1, 2, 4, LARGEST_BINNING]


def memory_limit_bytes(memory_GB: float | None) -> float:
    """Memory that may be used: what is asked for, or a share of what is free."""
    return _SHARE * free_memory_bytes() if memory_GB is None else GB * memory_GB


def free_memory_bytes() -> float:
    """Memory that can be had without taking it from others."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return 1024.0 * float(line.split()[1])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))


def check_disk(path: Path, layout: Layout, done_part: float = 0.0) -> None:
    """Refuse to start what will not fit on the disk, uncompressed.

    Raises
    ------
    NoRoom
        There is less room than the volume and its copies may need.
    """
    place = next(folder for folder in [path, *path.resolve().parents] if folder.exists())
    free = shutil.disk_usage(place).free
    needed = int(layout.bytes_at_most * (1 - done_part))
    if free < needed:
        raise NoRoom(
            f"the volume may need {needed / GB:.2f} GB on the disk of {place}, where "
            f"{free / GB:.2f} GB are free; nothing was started; make room, choose another "
            "--output, fewer --rows, or --bin"
        )


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk, or what may be used of it, is full."""
    return error.errno in _FULL
