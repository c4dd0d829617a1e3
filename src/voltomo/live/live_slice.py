"""The core of the live path: frames and latches in, one growing slice out. No EPICS, no files."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.normalise import line_integrals
from voltomo.analysis.parallel_beam import require_slice_on_row
from voltomo.analysis.quality import row_fault
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.weights import angular_weights
from voltomo.live.field_rows import FieldRows, mean_of_views
from voltomo.live.matcher import Matcher
from voltomo.live.no_slice import no_slice_of
from voltomo.live.shown_part import one_row_is_enough, part_of
from voltomo.live.slice_rows import Place, SliceRows, SliceViews
from voltomo.live.slice_state import SliceState
from voltomo.live.sweep_turns import asked_deg, parts_of_sweep, same_sweep, turn_of
from voltomo.live.whole_frames import WAITING_BYTES, Counted, RowOfFrame, WholeFrames
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.trigger_source import TriggerChunk

Counts = NDArray[Any]


class LiveSlice:
    """One horizontal slice of the sweep that runs, at a height that can be moved.

    Of every frame only the slice's row is kept. After the height has moved, `wanted` names the
    frames that must come again, from the file.

    Parameters
    ----------
    scan_uid : str
        The run.
    spec : ScanSpec
        What it scans.
    row : int, optional
        Detector row of the slice; the middle if not given.
    whole : WholeFrames, optional
        Gets every frame whose trigger is known.

    Attributes
    ----------
    by_row : bool
        Whether one row makes the slice; else only the transmission is measured here.
    measurable : bool
        Whether the rows of all sweeps make a slice that can be measured, whoever shows it.
    not_kept : int
        Frames that waited too long for their triggers to be kept whole, and were left to the file.

    Notes
    -----
    While the sweep runs, each view has the weight of its place in the sweep as it was asked for,
    and the slice is scaled as if the views so far were spread over all of it. `finish` weighs the
    views that came by their measured angles. Of a partial turn nothing is made up: what it does
    not cover stays missing.

    Raises
    ------
    ValueError
        There can be no slice: the axis lies outside the detector, only a region of the detector
        is read, or the scan is of a kind without one.
    """

    def __init__(
        self,
        scan_uid: str,
        spec: ScanSpec,
        row: int | None = None,
        whole: WholeFrames | None = None,
    ) -> None:
        geometry = spec.geometry
        refusal = no_slice_of(spec)
        if refusal:
            raise ValueError(refusal)
        self.scan_uid = scan_uid
        self.spec = spec
        self.row = geometry.rows // 2 if row is None else self._clip(row, geometry.rows)
        self.matcher: Matcher[RowOfFrame] = Matcher(spec.blocks())
        self._firsts = [block.first for block in self.matcher.blocks]
        self._shape = (geometry.rows, geometry.columns)
        first = next(block for block in self.matcher.blocks if block.kind == "sweep")
        self._axis = spec.axis_column(first)
        require_slice_on_row(geometry.columns, self._axis, geometry.columns)
        self.by_row = one_row_is_enough(spec, sweeps_apart=whole is None)
        self.measurable = one_row_is_enough(spec, sweeps_apart=True)
        self._reconstructor: SliceReconstructor | Counted = (
            SliceReconstructor(geometry.columns, self._axis) if self.by_row else Counted()
        )
        self._whole = whole
        kept = WAITING_BYTES // (2 * geometry.rows * geometry.columns)
        self._keep_whole = 0 if whole is None else max(8, kept)
        self._asked: NDArray[np.float64] = np.empty(0)
        self._used_rad = 0.0
        self._finished = False
        self._used = np.zeros(spec.triggers, dtype=bool)
        self._seen = np.zeros(spec.triggers, dtype=bool)
        self._fields = FieldRows()
        self._rows: dict[int, Counts] = {}
        self.slice_rows = SliceRows()
        self._sweep: Block | None = None
        self._part = range(0)
        self._last_trigger = -1
        self._transmission: dict[int, float] = {}
        self._out_of_order = False
        self.frames_in = 0
        self.frames_streamed = 0
        self.refused = self.not_kept = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return self._shape

    @property
    def frames_processed(self) -> int:
        """Triggers whose frame has been used, from the stream or from the file."""
        return int(np.count_nonzero(self._seen))

    def latch(self, chunk: TriggerChunk) -> None:
        """Take latches of the trigger source; what is taken again begins anew."""
        for block in self.matcher.latch(chunk):
            self._used[block.first : block.last] = False
            self.slice_rows.drop(block)
            if self._whole is not None:
                self._whole.again(block)
            if self._is_field(block):
                self._fields.drop(block)
            elif self._shown(block):
                for part in parts_of_sweep(self.matcher.blocks, block):
                    # What was there is forgotten with the part that is taken again.
                    self._used[part.first : part.last] = False
                self._part = range(0)
                self._forget_views()

    def frame(self, image: Counts, stamp_s: float) -> None:
        """Take a frame from the stream, stamped by the camera's clock; wrong shapes are refused."""
        self.frames_in += 1
        if image.shape != self._shape:
            self.refused += 1
            return
        # Triggers are heard of ten times a second; what waits much longer is not kept whole.
        whole = image if self.matcher.waiting < self._keep_whole else None
        row = RowOfFrame(self.row, image[self.row].copy(), whole)
        self.matcher.frame(stamp_s, row)

    def process(self) -> list[int]:
        """Use all frames whose trigger is known by now.

        Returns
        -------
        list of int
            Triggers of those that are views of the slice now.
        """
        views: list[int] = []
        for index, frame in self.matcher.matched():
            if frame.image is not None:
                self._pass_on(index, frame.image, streamed=True)
            elif self._wants_whole(index):
                self.not_kept += 1
            # What waited while the height was moved comes again from the file.
            if frame.row == self.row and not self._used[index]:
                self.use_row(index, frame.counts)
                self.frames_streamed += 1
                if index in self._transmission:
                    views.append(index)
        return views

    def use(self, index: int, image: Counts) -> None:
        """Use the frame of a trigger; see `use_row`."""
        if image.shape == self._shape:
            self._pass_on(index, image, streamed=False)
            self.use_row(index, image[self.row].copy())

    def _wants_whole(self, index: int) -> bool:
        block = self.block_of(index)
        return self._whole is not None and (block.kind == "sweep" or self._is_field(block))

    def _pass_on(self, index: int, image: Counts, *, streamed: bool) -> None:
        if self._whole is not None and self._wants_whole(index):
            middle = (self._shape[0] - 1) / 2
            angle_deg = self.angle_mid_exposure_deg(index, middle)
            self._whole.take(index, image, angle_deg, streamed=streamed)

    def use_row(self, index: int, counts: Counts) -> None:
        """Use the slice's row of a trigger's frame; repeats are ignored.

        Parameters
        ----------
        index : int
            The trigger; it must have been latched.
        counts : array, shape (columns,)
            The row; it is kept, not copied.
        """
        if self._used[index] or counts.shape != self._shape[1:]:
            return
        self._used[index] = self._seen[index] = self.matcher.taken[index] = True
        block = self.block_of(index)
        if block.kind == "sweep":
            self._use_projection(block, index, counts)
        elif self._is_field(block):
            self._fields.take(block, index, counts)
            if self._rows:
                self._out_of_order = True
                if self._fields.ready and bool(self._used[block.first : block.last].all()):
                    self._rebuild()

    def block_of(self, index: int) -> Block:
        """The block that a trigger belongs to."""
        return self.matcher.blocks[bisect_right(self._firsts, index) - 1]

    def wanted(self) -> list[int]:
        """Latched triggers whose frame is not in: lost on the way, or to be read again."""
        return self.matcher.unused(self._used).tolist()

    def overdue(self, after_s: float) -> int:
        """Number of wanted frames whose trigger is older than the newest by more than this."""
        missing = self.matcher.time_s[self.matcher.unused(self._used)]
        if missing.size == 0:
            return 0
        return int(np.count_nonzero(np.nanmax(self.matcher.time_s) - missing > after_s))

    def move_to(self, row: int) -> None:
        """Show another height; the frames of the sweep and of its fields are wanted again."""
        row = self._clip(row, self._shape[0])
        if row == self.row:
            return
        self.row = row
        for block in self.matcher.blocks:
            kept = self._shown(block) or self.slice_rows.holds(block)
            if kept or self._is_field(block):
                self._used[block.first : block.last] = False
        self.slice_rows.clear()
        self._fields.clear()
        self._forget_views()

    def finish(self) -> None:
        """Make the slice final: no more frames come, and the order in which they came is gone."""
        index = sorted(self._rows)
        if index and self._fields.ready:
            angles = [self.angle_mid_exposure_deg(i) for i in index]
            self._rebuild(dict(zip(index, angular_weights(angles), strict=True)))
        self._finished = True

    def _rebuild(self, weights_rad: dict[int, float] | None = None) -> None:
        """Make the slice anew from its rows, in order; weights as asked for if not given."""
        self._reconstructor.clear()
        self._transmission.clear()
        self._last_trigger = -1
        self._out_of_order = False
        self._used_rad = 0.0
        for index in sorted(self._rows):
            self._add(index, None if weights_rad is None else float(weights_rad[index]))

    def state(self) -> SliceState:
        """The slice now."""
        image = self._reconstructor.recon()
        if not self._finished and self._used_rad > 0:
            image *= np.float32(self._asked.sum() / self._used_rad)
        return SliceState(
            image,
            self._last_trigger,
            self._reconstructor.views if self.by_row else 0,
            self._sweep.name if self._sweep else "",
            self.row,
            self._finished,
            self.spec.geometry.pixel_um,
        )

    @property
    def views(self) -> int:
        """Views in the slice."""
        return self._reconstructor.views

    @property
    def sweep(self) -> Block | None:
        """The sweep that the slice shows."""
        return self._sweep

    @property
    def last_trigger(self) -> int:
        """Highest trigger index in the slice, −1 for none."""
        return self._last_trigger

    def transmission(self) -> tuple[float, float | None] | None:
        """Mean transmission of the row over the sweep, and its standard uncertainty.

        The flats tell how much beam and detector change from frame to frame: by their scatter s,
        relative to their mean, a mean of n flats and m views is uncertain by s √(1/n + 1/m). What
        the sample does while it turns is no uncertainty. A field that drifts while the sweep
        runs is not seen.

        Returns
        -------
        tuple of float or None
            None before the first view; the uncertainty is None with fewer than three flats.
        """
        if not self._transmission:
            return None
        values = np.fromiter(self._transmission.values(), dtype=np.float64)
        return mean_of_views(values, self._fields.flat_means())

    @staticmethod
    def _clip(row: int, rows: int) -> int:
        return min(max(row, 0), rows - 1)

    @staticmethod
    def _is_field(block: Block) -> bool:
        """Flats after the sweep come too late for a live slice."""
        return block.kind in ("flats", "darks") and block.name != "flats_after"

    def _forget_views(self) -> None:
        self._finished = False
        self._used_rad = 0.0
        self._rows.clear()
        self._transmission.clear()
        self._reconstructor.clear()
        self._last_trigger = -1
        self._out_of_order = False

    @property
    def between_sweeps(self) -> bool:
        """Whether all triggers of the run through the angles were latched, or no more come."""
        return self._finished or (bool(self._part) and self.matcher.latched >= self._part.stop)

    def snapshot(self, here_s: float) -> SliceViews | None:
        """The views of all sweeps that belong together; None without views, flats or darks.

        None, too, where one row makes no slice: what is measured of it would say nothing.
        """
        if not self.measurable or not len(self.slice_rows) or not self._fields.ready:
            return None
        place = Place(self.spec.geometry, self._axis, self.row, here_s)
        fields = self._fields.mean("flats"), self._fields.mean("darks")
        return self.slice_rows.views(place, *fields, self.angle_mid_exposure_deg)

    def _use_projection(self, block: Block, index: int, counts: Counts) -> None:
        part = turn_of(self.matcher.blocks, block, index)
        whole = part_of(self.spec, block, index)
        self.slice_rows.take(whole.first, part.start, index, counts)
        if part.start > self._part.start:
            self._begin(block, part)
        if part != self._part:
            return
        self._finished = False
        self._rows[index] = counts
        if self._fields.ready:
            self._out_of_order |= index < self._last_trigger
            self._add(index)
        else:
            self._out_of_order = True

    def _shown(self, block: Block) -> bool:
        """Whether the slice shows the sweep that a block is of."""
        return self._sweep is not None and same_sweep(block, self._sweep)

    def _begin(self, block: Block, part: range) -> None:
        """Show another sweep, or the next turn of one; its place moves the axis."""
        self._sweep, self._part = block, part
        self._asked = angular_weights(asked_deg(self.matcher.blocks, block, part))
        axis = self.spec.axis_column(block)
        if axis != self._axis:
            self._axis = axis
            if isinstance(self._reconstructor, SliceReconstructor):
                geometry = self.spec.geometry.model_copy(update={"axis_column": axis})
                self._reconstructor.prepare(geometry)
        self._forget_views()

    def _add(self, index: int, weight_rad: float | None = None) -> None:
        integrals = line_integrals(
            self._rows[index], self._fields.mean("flats"), self._fields.mean("darks")
        )
        if row_fault(integrals) is not None:
            return
        if weight_rad is None:
            weight_rad = float(self._asked[index - self._part.start])
        self._transmission[index] = float(np.exp(-integrals).mean())
        self._reconstructor.add(integrals, self.angle_mid_exposure_deg(index), weight_rad)
        self._used_rad += weight_rad
        self._last_trigger = max(self._last_trigger, index)

    def angle_mid_exposure_deg(self, index: int, row: float | None = None) -> float:
        """Angle of the stage in the middle of a trigger's exposure, of the slice's row or another.

        A rolling shutter exposes rows one after the other.
        """
        block = self.block_of(index)
        speed = (block.step_deg or 0.0) / block.period_s
        row = self.row if row is None else row
        later_s = self.spec.exposure_s / 2 + row * self.spec.row_delay_s
        return float(self.matcher.angle_deg[index]) + speed * later_s
