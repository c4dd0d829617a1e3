"""Planes of the scan that runs: whole frames in, growing images out. No threads, no EPICS."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.corrected import Fields
from voltomo.analysis.frame_faults import frame_faults
from voltomo.analysis.growing_corrections import GrowingCorrections
from voltomo.analysis.growing_weights import GrowingWeights
from voltomo.analysis.planes import PlaneReconstructor
from voltomo.analysis.quality import row_fault
from voltomo.live.positions import PLANES, Oblique, Positions
from voltomo.live.settings import LiveSettings
from voltomo.live.shown_part import ShownPart, most_views, one_row_is_enough, part_of
from voltomo.live.slice_state import SliceState
from voltomo.model.scan_spec import Block, ScanSpec

Counts = NDArray[Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlaneState:
    """One plane as it is now.

    Attributes
    ----------
    name : str
        "xy", "xz", "yz" or "oblique".
    image : float32 (rows, columns)
        Attenuation per detector pixel.
    position : str
        Where it lies, as JSON.
    row : int
        Detector row of the plane across the axis; −1 of the others.
    last_trigger, frames : int
        Highest trigger index in it, −1 for none; number of views.
    sweep : str
        The last sweep in it.
    complete : bool
        No view will be added.
    redraw_ms : float
        How long it took to draw it anew when it was last moved; 0 if it was not.
    pixel_um : float
        Pixel size, 0 where nobody said.
    """

    name: str
    image: NDArray[np.float32]
    position: str
    row: int
    last_trigger: int
    frames: int
    sweep: str
    complete: bool
    redraw_ms: float
    pixel_um: float = 0.0


def slice_of(state: PlaneState) -> SliceState:
    """The plane across the axis, as a slice."""
    return SliceState(
        state.image,
        state.last_trigger,
        state.frames,
        state.sweep,
        state.row,
        state.complete,
        state.pixel_um,
    )


class LivePlanes:
    """Planes through the part of a scan that runs, for tomography and laminography alike.

    Flats and darks are those that are there when the first view comes, and later the newest
    flats before the view. At any moment every view has the weight of its share of the
    turn among the views so far.

    Parameters
    ----------
    scan_uid : str
        The run.
    spec : ScanSpec
        What it scans.
    positions : Positions
        Where the planes lie.
    settings : LiveSettings
        Corrections, and memory of the buffer.
    names : sequence of str, optional
        Which planes; all that are not made of one detector row if not given.

    Attributes
    ----------
    names : tuple of str
        The planes: where one detector row makes the horizontal slice, that one is not among them.
    used : bool (triggers,)
        Frames that are in, or that can be of no use.
    begun : int
        How often images were begun, and the views before forgotten.

    Raises
    ------
    ValueError
        If the axis lies outside the detector.
    MemoryError
        If the buffer may not hold one view.
    """

    def __init__(
        self,
        scan_uid: str,
        spec: ScanSpec,
        positions: Positions,
        settings: LiveSettings,
        names: Sequence[str] | None = None,
    ) -> None:
        self.scan_uid, self.spec, self.positions = scan_uid, spec, positions
        chosen = PLANES[1:] if one_row_is_enough(spec) else PLANES
        self.names = chosen if names is None else tuple(names)
        self.used = np.zeros(spec.triggers, dtype=bool)
        self._settings = settings
        self._blocks = spec.blocks()
        self._firsts = [block.first for block in self._blocks]
        self._turn_deg = 360.0 if spec.geometry.tilt_deg else 180.0
        first = next(block for block in self._blocks if block.kind == "sweep")
        self._expected = most_views(spec)
        self._axis = spec.axis_column(first)
        self._planes = self._made()
        self._weights = GrowingWeights(self._turn_deg)
        self._fields: dict[str, dict[int, Counts]] = {}
        self._corrections: GrowingCorrections | None = None
        self._flats_first = -1
        self._part: ShownPart | None = None
        self._covered_rad = 0.0
        self._sweep = ""
        self._complete = False
        self._redraw_ms: dict[str, float] = dict.fromkeys(PLANES, 0.0)
        self._view_fault = self._fields_fault = ""
        self.last_trigger = -1
        self.begun = 0

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of what views and images take, and flats and darks while they are used."""
        geometry = self.spec.geometry
        counts = {
            kind: max((b.count for b in self._blocks if b.kind == kind), default=0)
            for kind in ("flats", "darks")
        }
        # Uint16, each as it came and once more in the stack that is averaged.
        fields = 2 * 2 * geometry.rows * geometry.columns * sum(counts.values())
        return self._planes.memory_promise_bytes + fields

    @property
    def binning(self) -> int:
        """Detector pixels along the edge of a pixel of the views that are kept."""
        return self._planes.buffer.binning

    @property
    def reconstructor(self) -> PlaneReconstructor:
        """What draws the planes."""
        return self._planes

    @property
    def complete(self) -> bool:
        """Whether all views are in."""
        return self._complete

    @property
    def unit_rad(self) -> float:
        """Radians of the half turn that a weight of 1 stands for."""
        return self._weights.unit

    @property
    def scale(self) -> float:
        """Factor from the weighted sum of views to attenuation, as if they were all there."""
        return self._part_there() * math.cos(math.radians(self.spec.geometry.tilt_deg))

    def _part_there(self) -> float:
        used = self._planes.weight
        return self._weights.unit if self._complete or used == 0 else self._covered_rad / used

    @property
    def fault(self) -> str:
        """Why the newest flats or view could not be used, in sentences; empty where they were."""
        return f"{self._fields_fault} {self._view_fault}".strip()

    @property
    def views(self) -> int:
        """Views in the planes."""
        return self._planes.views

    def wants(self, index: int) -> bool:
        """Whether the frame of a trigger is of use now."""
        block = self.block_of(index)
        if block.kind == "sweep":
            return self._part is None or index in self._part or index >= self._part.last
        return _is_field(block)

    def block_of(self, index: int) -> Block:
        """The block that a trigger belongs to."""
        return self._blocks[bisect_right(self._firsts, index) - 1]

    def use(self, index: int, image: Counts, angle_deg: float) -> bool:
        """Use the frame of a trigger; repeats are ignored.

        Parameters
        ----------
        index : int
            The trigger.
        image : uint16 (rows, columns)
            Its frame.
        angle_deg : float
            Angle of the stage at mid-exposure.

        Returns
        -------
        bool
            False where flats or darks are missing: the view must come again.
        """
        if self.used[index]:
            return True
        block = self.block_of(index)
        if block.kind == "sweep":
            return self._use_view(block, index, image, angle_deg)
        self.used[index] = True
        if _is_field(block):
            frames = self._fields.setdefault(block.name, {})
            frames[index] = image
            if len(frames) == block.count and block.kind == "flats":
                # While the stage moves there is time for it.
                self._corrections_for(block.last)
        return True

    def take(self, index: int, image: Counts, angle_deg: float, *, streamed: bool) -> None:
        """As `voltomo.live.whole_frames.WholeFrames`; see `use`."""
        self.use(index, image, angle_deg)

    def again(self, block: Block) -> None:
        """A block is taken again: forget what came of it, and all images that hold it.

        The other views of such an image are no longer among those that are used: they come again.
        """
        self.used[block.first : block.last] = False
        self._fields.pop(block.name, None)
        if _is_field(block):
            # Frames of the flats are not kept once they have been made use of: they come again.
            for flats in (b for b in self._blocks if b.first == self._flats_first):
                self.used[flats.first : flats.last] = False
            self._corrections, self._flats_first = None, -1
        part = self._part
        if part is not None and block.first < part.last and part.first < block.last:
            for triggers in part.triggers():
                self.used[triggers.start : triggers.stop] = False
            self._begin(part_of(self.spec, block, block.first) if block.kind == "sweep" else part)

    def move(self, name: str, to: int | float | Oblique) -> float:
        """Put a plane elsewhere; how long it took to draw it anew, in seconds."""
        self.positions = self.positions.moved(name, to)
        if name not in self.names:
            return 0.0
        redrawn = self._planes.move(name, self.positions.plane(name, self.spec.geometry))
        self._redraw_ms[name] = 1e3 * redrawn.seconds
        return redrawn.seconds

    def settle(self) -> None:
        """Give every view the weight that it has among those so far."""
        changes = self._weights.changes()
        if changes:
            self._planes.reweigh(changes)

    def finish(self) -> None:
        """Make the images final: no more views come."""
        self.settle()
        self._complete = True

    def state(self, name: str) -> PlaneState:
        """A plane now."""
        image = self._planes.image(name) * np.float32(self._part_there())
        geometry = self.spec.geometry
        return PlaneState(
            name=name,
            image=image,
            position=self.positions.words(name, geometry),
            row=self.positions.row_of(geometry) if name == "xy" else -1,
            last_trigger=self.last_trigger,
            frames=self.views,
            sweep=self._sweep,
            complete=self._complete,
            redraw_ms=self._redraw_ms[name],
            pixel_um=geometry.pixel_um,
        )

    def slice_state(self) -> SliceState:
        """The plane across the axis, as a slice."""
        return slice_of(self.state("xy"))

    def _made(self) -> PlaneReconstructor:
        geometry = self.spec.geometry.model_copy(update={"axis_column": self._axis})
        planes = {name: self.positions.plane(name, geometry) for name in self.names}
        bound = int(self._settings.buffer_MB * 1e6)
        return PlaneReconstructor(geometry, planes, self._expected, bound)

    def _use_view(self, block: Block, index: int, image: Counts, angle_deg: float) -> bool:
        if self._part is None or index >= self._part.last:
            self._begin(part_of(self.spec, block, index), block)
        if self._part is None or index not in self._part:
            self.used[index] = True
            return True
        corrections = self._corrections_for(index)
        if corrections is None:
            return False
        self.used[index] = True
        if frame_faults(image[None]):
            return True
        try:
            integrals = corrections.line_integrals(image, float(index))
        except ValueError as error:
            log.warning("the view of trigger %d is left out of the planes: %s", index, error)
            self._view_fault = f"The planes leave out views from trigger {index} on: {error}"
            return True
        if row_fault(integrals[len(integrals) // 2]) is not None:
            return True
        self._planes.add(integrals, angle_deg, self._weights.add(angle_deg))
        self._view_fault = ""
        self._complete = False
        self._sweep = block.name if index > self.last_trigger else self._sweep
        self.last_trigger = max(self.last_trigger, index)
        return True

    def _begin(self, part: ShownPart, block: Block | None = None) -> None:
        """Show another part; its place moves the axis."""
        # First, so that nobody takes views that are being overwritten for those before.
        self.begun += 1
        axis = self._axis if block is None else self.spec.axis_column(block)
        if axis != self._axis:
            self._axis = axis
            self._planes = self._made()
        self._planes.clear()
        self._weights.clear()
        if self._corrections is not None:
            self._corrections.start_rings()
        self._part, self._covered_rad = part, part.covered_rad(self._turn_deg)
        self.last_trigger, self._sweep, self._complete = -1, "", False

    def _corrections_for(self, index: int) -> GrowingCorrections | None:
        """What corrects the view of a trigger; None without flats and darks.

        Made anew when there are flats that are later than those before, and before the view.
        """
        flats = [b for b in self._blocks if b.name in self._fields and b.kind == "flats"]
        newest = max((b.first for b in flats if b.first < index), default=-1)
        darks = self._fields.get("darks")
        if newest > self._flats_first and darks:
            block = self.block_of(newest)
            frames = self._fields[block.name]
            fields = Fields(
                np.stack([frames[at] for at in sorted(frames)]),
                np.stack([darks[at] for at in sorted(darks)]),
                sorted(frames),
            )
            settings = self._settings.corrections.settings()
            try:
                self._corrections = GrowingCorrections(settings, fields)
            except ValueError as error:
                # Views go on by the flats before, or wait for those that come.
                log.warning("%s cannot be used by the planes: %s", block.name, error)
                self._fields_fault = f"The planes cannot use {block.name}: {error}"
                del self._fields[block.name]
                return self._corrections
            self._flats_first, self._fields_fault = newest, ""
            for done in flats:
                if done.first <= newest:
                    del self._fields[done.name]
        return self._corrections


def _is_field(block: Block) -> bool:
    """Flats after the sweep come too late for a live view."""
    return block.kind in ("flats", "darks") and block.name != "flats_after"
