"""The core of the live path: frames and latches in, one growing slice out. No EPICS, no files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.normalise import line_integrals
from voltomo.analysis.quality import row_fault, snr
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.live.matcher import Matcher
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.trigger_source import TriggerChunk

Frame = NDArray[np.uint16]


@dataclass(frozen=True)
class SliceState:
    """A slice as it is now.

    ``image`` is attenuation per pixel, shape (columns, columns); ``last_trigger`` the highest
    trigger index in it, −1 for none; ``frames`` the number of views in it.
    """

    image: NDArray[np.float32]
    last_trigger: int
    frames: int
    sweep: str
    row: int


class LiveSlice:
    """One horizontal slice of the sweep that runs, at a height that can be moved.

    Rows of the sweep are kept, so that it can be rebuilt when flats come late (after a restart).
    After the height has moved, `wanted` names the frames that must come again, from the file.

    Parameters
    ----------
    scan_uid : str
        The run.
    spec : ScanSpec
        What it scans.
    row : int, optional
        Detector row of the slice; the middle if not given.
    """

    def __init__(self, scan_uid: str, spec: ScanSpec, row: int | None = None) -> None:
        geometry = spec.geometry
        self.scan_uid = scan_uid
        self.spec = spec
        self.row = geometry.rows // 2 if row is None else min(row, geometry.rows - 1)
        self.matcher: Matcher[Frame] = Matcher(spec.blocks())
        self._shape = (geometry.rows, geometry.columns)
        self._reconstructor = SliceReconstructor(geometry.columns, geometry.axis)
        self._used = np.zeros(spec.triggers, dtype=bool)
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}
        self._rows: dict[int, Frame] = {}
        self._sweep: Block | None = None
        self._last_trigger = -1
        self._transmission: list[float] = []
        self.frames_in = 0
        self.frames_processed = 0
        self.frames_streamed = 0
        self.refused = 0

    def latch(self, chunk: TriggerChunk) -> None:
        """Take latches of the trigger source."""
        self.matcher.latch(chunk)

    def frame(self, image: Frame, stamp_s: float) -> None:
        """Take a frame from the stream, stamped by the camera's clock; wrong shapes are refused."""
        self.frames_in += 1
        if image.shape != self._shape:
            self.refused += 1
            return
        self.matcher.frame(stamp_s, image)

    def process(self) -> int:
        """Use all frames whose trigger is known by now.

        Returns
        -------
        int
            How many were used.
        """
        matched = self.matcher.matched()
        for index, image in matched:
            self.use(index, image)
        self.frames_streamed += len(matched)
        return len(matched)

    def use(self, index: int, image: Frame) -> None:
        """Use the frame of a trigger, from the stream or from the file; repeats are ignored."""
        if self._used[index] or image.shape != self._shape:
            return
        self._used[index] = True
        self.matcher.taken[index] = True
        self.frames_processed += 1
        block = self.block_of(index)
        if block.kind == "sweep":
            self._use_projection(block, index, image)
        elif block.kind in ("flats", "darks") and block.name != "flats_after":
            total = self._sums.setdefault(block.kind, np.zeros(self._shape))
            total += image
            self._counts[block.kind] = self._counts.get(block.kind, 0) + 1
            if self._rows and self._complete(block):
                self._rebuild()

    def block_of(self, index: int) -> Block:
        """The block that a trigger belongs to."""
        return next(b for b in self.matcher.blocks if b.first <= index < b.last)

    def wanted(self) -> list[int]:
        """Latched triggers whose frame is not in: lost on the way, or to be read again."""
        return np.flatnonzero(~self._used[: self.matcher.latched]).tolist()

    def move_to(self, row: int) -> None:
        """Show another height; the sweep's frames are wanted again."""
        row = min(max(row, 0), self._shape[0] - 1)
        if row == self.row:
            return
        self.row = row
        if self._sweep is not None:
            self._used[self._sweep.first : self._sweep.last] = False
        self._rows.clear()
        self._reconstructor.clear()
        self._last_trigger = -1

    def state(self) -> SliceState:
        """The slice now."""
        return SliceState(
            self._reconstructor.recon(),
            self._last_trigger,
            self._reconstructor.views,
            self._sweep.name if self._sweep else "",
            self.row,
        )

    @property
    def views(self) -> int:
        """Views in the slice."""
        return self._reconstructor.views

    @property
    def sweep(self) -> Block | None:
        """The sweep that the slice shows."""
        return self._sweep

    def transmission(self) -> tuple[float, float] | None:
        """Mean transmission of the row over the sweep, and its scatter; None before the first."""
        if not self._transmission:
            return None
        return float(np.mean(self._transmission)), float(np.std(self._transmission))

    @staticmethod
    def signal_to_noise(image: NDArray[np.float32]) -> float:
        """Signal to noise of a slice, inside the inner disc."""
        return snr(image)

    def _use_projection(self, block: Block, index: int, image: Frame) -> None:
        if self._sweep is None or block.first > self._sweep.first:
            self._sweep = block
            self._rows.clear()
            self._transmission.clear()
            self._reconstructor.clear()
            self._last_trigger = -1
        if block is not self._sweep:
            return
        self._rows[index] = image[self.row].copy()
        if self._fields_ready():
            self._add(index)

    def _complete(self, block: Block) -> bool:
        return bool(self._used[block.first : block.last].all())

    def _fields_ready(self) -> bool:
        return self._counts.get("flats", 0) > 0 and self._counts.get("darks", 0) > 0

    def _field(self, kind: str) -> NDArray[np.float32]:
        return (self._sums[kind][self.row] / self._counts[kind]).astype(np.float32)

    def _add(self, index: int) -> None:
        integrals = line_integrals(self._rows[index], self._field("flats"), self._field("darks"))
        if row_fault(integrals) is not None:
            self.refused += 1
            return
        self._transmission.append(float(np.exp(-integrals).mean()))
        self._reconstructor.add(integrals, self._angle_mid_exposure_deg(index))
        self._last_trigger = max(self._last_trigger, index)

    def _angle_mid_exposure_deg(self, index: int) -> float:
        block = self.block_of(index)
        speed = (block.step_deg or 0.0) / block.period_s
        return float(self.matcher.angle_deg[index]) + speed * self.spec.exposure_s / 2

    def _rebuild(self) -> None:
        if not self._fields_ready():
            return
        self._reconstructor.clear()
        self._transmission.clear()
        for index in sorted(self._rows):
            self._add(index)
