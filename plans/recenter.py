"""Finding a sample again after a move or a drift, by four radiographs at most."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp

from voltomo.model.alignment import Alignment, AlignmentMode, Displacement, Estimate, unknown
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.align_options import AlignOptions
from voltomo.plans.align_work import Work
from voltomo.plans.protocols import Estimators, TomographyBeamline
from voltomo.plans.words import ScanRefused

Plan = Generator[Msg, Any, Any]

VIEWS = 4
_CLEAR = 3.0
_SMALLEST_MOVE_PIXELS = 0.25
_DEFAULT = AlignOptions()


def recenter(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    estimators: Estimators,
    reference: str,
    *,
    mode: AlignmentMode = "show",
    exposure_s: float | None = None,
    options: AlignOptions = _DEFAULT,
) -> Generator[Msg, Any, Alignment]:
    """Register four radiographs with those of a reference, and bring the sample back.

    What all radiographs show alike is a move below the rotation, which the stages undo in mode
    "apply"; what turns with the stage is a move of the sample upon it, which is only told.

    Parameters
    ----------
    beamline : TomographyBeamline
        The devices.
    spec : ScanSpec
        The scan that is meant: whose sample pays, which geometry.
    estimators : Estimators
        Reads radiographs back and reckons.
    reference : str
        Uid of the run with radiographs round the turn: ``Alignment.reference`` of an alignment.
    mode : {"show", "apply"}
        Whether the sample stage is moved.
    exposure_s : float, optional
        That of the reference; the scan's own if not given.
    options : AlignOptions
        Numbers of flats and darks.

    Returns
    -------
    Alignment
        Also in the stream ``align`` of a run of its own.

    Raises
    ------
    ScanRefused, ScanFailed
        As `voltomo.plans.scan.scan` does, or if the reference cannot be read; the beam is off.
    """
    work = Work(beamline, spec, estimators, options, mode, kind="recenter")
    work.exposure_s = spec.exposure_s if exposure_s is None else exposure_s
    work.reference = reference

    def release() -> Plan:
        work.takes.release()
        yield from bps.null()

    return (yield from bpp.finalize_wrapper(_steps(work, reference), release))


def _steps(work: Work, reference: str) -> Generator[Msg, Any, Alignment]:
    """Read the reference, take flats and four radiographs, compare, and tell."""
    yield from work.takes.watch()
    before = yield from work.aside(lambda: work.estimators.radiographs(reference))
    if len(before.angles_deg) < VIEWS:
        raise ScanRefused(
            f"recenter: expected a reference run with {VIEWS} radiographs or more, saw "
            f"{len(before.angles_deg)}; no beam was used; name the reference of an alignment"
        )
    yield from work.take(work.scans.flats(work.exposure_s), "flats")
    work.flats = work.runs[-1]
    spec_now = work.scans.again(work.exposure_s, work.flats, before.angles_deg, VIEWS)
    now = yield from work.take(spec_now, "recenter")
    moved = yield from work.aside(lambda: work.estimators.displacement(before, now))
    yield from _tell(work, moved)
    return (yield from work.document(None))


def _tell(work: Work, moved: Displacement) -> Plan:
    """Note what was found, and undo what the stages can undo."""
    stage = work.beamline.sample_stage
    axes = (
        ("across", moved.across, stage.x, "sample x", "across the beam"),
        ("up", moved.up, getattr(stage, "z", None), "sample z", "up, towards higher rows"),
    )
    for name, pixels, axis, axis_name, words in axes:
        _found(work, name, pixels, f"the sample went {{}} {words}")
        if not pixels.known or abs(pixels.value) <= max(
            _SMALLEST_MOVE_PIXELS, _CLEAR * pixels.sigma
        ):
            continue
        if axis is None:
            work.add_words(name, f"the beamline has no {axis_name} to bring it back")
            continue
        here = float((yield from bps.rd(axis)))
        target = here - pixels.value * work.pixel_um * 1e-3
        if work.mode == "show":
            work.add_words(name, f"{axis_name} at {target:.4f} mm would bring it back")
            continue
        why = yield from work.move(axis_name, axis, target)
        work.add_words(name, why or f"{axis_name} was moved from {here:.4f} to {target:.4f} mm",
                       applied=not why)  # fmt: skip
    for name, pixels in (("x on the stage", moved.x), ("y on the stage", moved.y)):
        _found(work, name, pixels, f"the sample went {{}} along {name}")


def _found(work: Work, name: str, pixels: Estimate, words: str) -> None:
    """Note a way in micrometres."""
    scale = work.pixel_um
    way = (
        Estimate(pixels.value * scale, pixels.sigma * scale)
        if pixels.known
        else unknown(pixels.why_not)
    )
    work.found(name, "µm", way, words.format)
