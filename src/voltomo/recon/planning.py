"""Before anything is written: what is asked, whether it can be done, and how."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from voltomo.analysis.axis_search import AxisFound
from voltomo.analysis.half_acquisition import HalfAcquisition
from voltomo.analysis.pipeline import paganin_of
from voltomo.analysis.reconstructor import Reconstructor
from voltomo.model.sentence import SentenceError
from voltomo.recon.look import Look, look_at
from voltomo.recon.ome_zarr import Layout
from voltomo.recon.own import OwnReconstructor
from voltomo.recon.process_backend import ProcessReconstructor
from voltomo.recon.record import Done
from voltomo.recon.room import GB, ScanSize, Slabs, plan_slabs
from voltomo.recon.tilted import Detector, plan_tilted_slabs, tilt_words, why_not_tilted
from voltomo.recon.wish import Plan, Wish
from voltomo.runtime.recorded_rows import RecordedRows

Tell = Callable[[str], None]

# A roll that lets rows climb farther than this is no longer followed by moving the axis alone.
_LARGEST_CLIMB_ROWS = 1.0


class NotStarted(SentenceError):
    """A reconstruction cannot be begun; nothing was written."""


class OtherReconstruction(SentenceError):
    """The output holds a reconstruction of another kind; the message says what differs."""


@dataclass(frozen=True)
class RowGeometry:
    """What a reconstructor asks: level rows, so that roll and tilt are nothing."""

    columns: int
    axis: float
    roll_deg: float = 0.0
    tilt_deg: float = 0.0


def start_of(wish: Wish) -> dict[str, Any]:
    """What must be the same at two starts for their slabs to fit together."""
    status = wish.file.stat()
    free = {"output", "again", "threads", "memory_GB", "python"}
    return {
        **wish.model_dump(mode="json", exclude=free),
        "file": str(wish.file.resolve()),
        "file_bytes": status.st_size,
        "file_changed_ns": status.st_mtime_ns,
        "version": _version(),
    }


def _version() -> str:
    try:
        return version("voltomo")
    except PackageNotFoundError:
        return "unknown"


def plan_of_before(wish: Wish, known: Done) -> Plan | None:
    """The plan of an earlier start that can be gone on with, or None.

    Raises
    ------
    OtherReconstruction
        What lies there was begun otherwise.
    """
    if known.start is None or wish.again:
        return None
    start = start_of(wish)
    before = {key: value for key, value in known.start.items() if key not in ("plan", "notes")}
    other = sorted(key for key in {**start, **before} if start.get(key) != before.get(key))
    if other:
        raise OtherReconstruction(
            f"{wish.output} was begun otherwise: {', '.join(other)} differ; nothing was changed; "
            "give the same again to go on, another --output, or --again to begin anew"
        )
    return Plan.model_validate(known.start["plan"])


def new_plan(wish: Wish, recorded: RecordedRows, tell: Tell) -> tuple[Plan, Look]:
    """Look at the recording, and say what will be made of it.

    Raises
    ------
    NotStarted
        It cannot be reconstructed as asked.
    voltomo.recon.room.NoRoom
        The memory does not suffice.
    """
    tilt_deg = recorded.tilt_deg if wish.tilt_deg is None else wish.tilt_deg
    if tilt_deg:
        return _tilted_plan(wish, recorded, tilt_deg, tell)
    rows = wish.rows or (0, recorded.rows)
    if not 0 <= rows[0] < rows[1] <= recorded.rows:
        raise NotStarted(
            f"rows must lie between 0 and {recorded.rows}; {rows[0]}:{rows[1]} do not; nothing "
            "was started"
        )
    try:
        look = look_at(recorded, wish.axis_column)
        _say(look, tell)
        slabs = _slabs(wish, recorded, rows)
        bins = slabs.binning
        size = recorded.columns // bins
        if wish.corrections.half_acquisition:
            binned_axis = (look.axis.axis_column - (bins - 1) / 2) / bins
            size = HalfAcquisition(size, binned_axis).wide_columns
    except ValueError as error:
        raise NotStarted(f"{wish.file}: {error}; nothing was started") from error
    _say_binning(wish, bins, tell)
    sigma = look.axis.sigma if math.isfinite(look.axis.sigma) else None
    plan = Plan(
        rows=rows,
        binning=bins,
        slab_slices=slabs.slices,
        shape=((rows[1] - rows[0]) // bins, size, size),
        pixel_um=None if recorded.pixel_um is None else recorded.pixel_um * bins,
        axis_column=look.axis.axis_column,
        axis_sigma=sigma,
        roll_deg=_roll(look.axis, recorded.columns, tell),
    )
    _say_room(plan, slabs, tell)
    return plan, look


def _tilted_plan(
    wish: Wish, recorded: RecordedRows, tilt_deg: float, tell: Tell
) -> tuple[Plan, Look]:
    """As `new_plan`, for a laminography: the axis is given by the person or by the file."""
    refusal = why_not_tilted(wish.corrections, wish.backend, wish.rows, tilt_deg)
    axis = recorded.axis_column if wish.axis_column is None else wish.axis_column
    if not refusal and axis is None:
        refusal = (
            "neither the file nor --axis says at which column the rotation axis is, and it is not "
            "sought in a laminography"
        )
    if refusal or axis is None:
        raise NotStarted(f"{wish.file}: {refusal}; nothing was started")
    try:
        look = look_at(recorded, axis)
        _say(look, tell)
        scan = _size(recorded)
        detector = Detector(recorded.rows, recorded.columns, axis, tilt_deg, recorded.roll_deg)
        slabs = plan_tilted_slabs(
            scan, detector, wish.corrections, _halo(wish, recorded), wish.threads, wish.binning,
            wish.memory_GB,
        )  # fmt: skip
    except ValueError as error:
        raise NotStarted(f"{wish.file}: {error}; nothing was started") from error
    bins = slabs.binning
    tell(tilt_words(tilt_deg, recorded.angles_deg))
    if recorded.roll_deg:
        tell(
            f"the axis is rolled by {recorded.roll_deg:.3f} deg, as the file says: "
            "frames are set upright"
        )
    _say_binning(wish, bins, tell)
    size = recorded.columns // bins
    plan = Plan(
        rows=(0, recorded.rows // bins * bins),
        binning=bins,
        slab_slices=slabs.slices,
        shape=(recorded.rows // bins, size, size),
        pixel_um=None if recorded.pixel_um is None else recorded.pixel_um * bins,
        axis_column=axis,
        axis_sigma=None,
        roll_deg=recorded.roll_deg,
        tilt_deg=tilt_deg,
    )
    _say_room(plan, slabs, tell)
    return plan, look


def _say_binning(wish: Wish, bins: int, tell: Tell) -> None:
    if bins > 1 and wish.binning is None:
        tell(
            f"note: slabs at full resolution do not fit the memory: {bins} × {bins} pixels are "
            "averaged; name more --memory, or --bin 1 on a larger machine"
        )


def _say_room(plan: Plan, slabs: Slabs, tell: Tell) -> None:
    disk = Layout(plan.shape, plan.pixel_um).bytes_at_most
    depth, size, _ = plan.shape
    tell(
        f"{depth} slices of {size} × {size} in {len(plan.slabs)} slabs; memory up to "
        f"{slabs.promised_bytes / GB:.2f} GB, disk up to {disk / GB:.2f} GB"
    )


def _size(recorded: RecordedRows) -> ScanSize:
    fields = recorded.flats + recorded.darks
    views = recorded.angles_deg.size
    return ScanSize(views, recorded.columns, fields, recorded.dtype.itemsize)


def _halo(wish: Wish, recorded: RecordedRows) -> int:
    phase = paganin_of(wish.corrections.phase, recorded.energy_keV, recorded.pixel_um)
    return phase.halo_pixels if phase else 0


def backend_of(wish: Wish) -> OwnReconstructor | ProcessReconstructor:
    """What reconstructs."""
    if wish.backend == "own":
        return OwnReconstructor(wish.threads)
    return ProcessReconstructor(wish.backend, wish.python, wish.threads)


def _say(look: Look, tell: Tell) -> None:
    for note in look.notes:
        tell(f"note: {note}")
    if look.picture is not None:
        tell(look.axis.words)


def _roll(axis: AxisFound, columns: int, tell: Tell) -> float:
    """The roll that slices follow; none where it may be nothing."""
    if not (math.isfinite(axis.roll_sigma_deg) and abs(axis.roll_deg) > 3 * axis.roll_sigma_deg):
        return 0.0
    climb = abs(math.radians(axis.roll_deg)) * columns / 2
    if climb > _LARGEST_CLIMB_ROWS:
        tell(
            f"note: the axis is rolled by {axis.roll_deg:.3f} deg, so that rows climb by "
            f"{climb:.1f} at their ends; slices follow the axis and are blurred by that; level "
            "the camera"
        )
    return axis.roll_deg


def _slabs(wish: Wish, recorded: RecordedRows, rows: tuple[int, int]) -> Slabs:
    memory = None if wish.memory_GB is None else GB * wish.memory_GB
    halo, held = _halo(wish, recorded), _backend_bytes(wish, recorded)
    size = _size(recorded)
    return plan_slabs(size, rows[1] - rows[0], wish.corrections, halo, held, wish.binning, memory)


def _backend_bytes(wish: Wish, recorded: RecordedRows) -> int:
    """What the backend holds; also that it is there, and takes these angles."""
    columns = recorded.columns * (2 if wish.corrections.half_acquisition else 1)
    backend: Reconstructor
    if wish.backend == "own":
        backend = OwnReconstructor(1)
        backend.prepare(RowGeometry(columns, (columns - 1) / 2), recorded.angles_deg)
        # The other threads hold as much each.
        return wish.threads * backend.memory_promise_bytes
    foreign = ProcessReconstructor(wish.backend, wish.python, wish.threads)
    try:
        foreign.prepare(RowGeometry(64, 31.5), recorded.angles_deg)
    finally:
        foreign.close()
    return 3 * 4 * columns * (columns + recorded.angles_deg.size)
