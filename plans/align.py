"""Aligning a beamline before the first scan: by few radiographs, each under a lease."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp

from voltomo.model.alignment import Alignment, AlignmentMode, Estimate, Look, Radiographs, unknown
from voltomo.model.beam_window import beam_window
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.align_apply import correct
from voltomo.plans.align_options import (
    HIGHEST,
    LOWEST,
    AlignOptions,
    focus_places_mm,
    next_exposure_s,
)
from voltomo.plans.align_words import say_look
from voltomo.plans.align_work import Work
from voltomo.plans.arithmetic import Pace, scan_beam_seconds
from voltomo.plans.posture import Posture
from voltomo.plans.protocols import Estimators, TomographyBeamline, alignment_axes, tilt_stage
from voltomo.plans.words import ScanRefused

Plan = Generator[Msg, Any, Any]

_ROUNDS = 6
_CORRECTIONS = 2
_SATURATED_PART = 1e-4
_DEFAULT = AlignOptions()


def align(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    estimators: Estimators,
    *,
    mode: AlignmentMode = "show",
    options: AlignOptions = _DEFAULT,
) -> Generator[Msg, Any, Alignment]:
    """Find exposure, focus, pixel size, axis, roll, pitch and centring for a scan to come.

    Flats beside the sample give the exposure and cost no dose. Then come two radiographs at each
    of a few places of the focus, some round the turn, and two at each of two places across the
    beam. In mode "apply" stages are moved with the beam off, and radiographs round the turn are
    taken again to see what came of it. In mode "show" all axes end where they began. What cannot
    be determined is said to be so, and nothing is moved for it.

    Parameters
    ----------
    beamline : TomographyBeamline
        With ``focus``, ``camera_roll`` and ``tilt`` where there are such axes.
    spec : ScanSpec
        The scan that shall follow: whose sample pays, which geometry, which tilt.
    estimators : Estimators
        Reads radiographs back and reckons; `voltomo.profiles.alignment.RecordedEstimators`.
    mode : {"show", "apply"}
        Whether stages are moved.
    options : AlignOptions
        Numbers of frames, ranges.

    Returns
    -------
    Alignment
        Also in the stream ``align`` of a run of its own.

    Raises
    ------
    ScanRefused, ScanFailed
        As `voltomo.plans.scan.scan` does; the beam is off, axes of the camera are home.
    """
    work = Work(beamline, spec, estimators, options, mode)

    def steps() -> Generator[Msg, Any, Alignment]:
        yield from work.takes.watch()
        if (yield from _exposure(work)):
            yield from _focus(work)
            look = yield from _look(work)
            yield from _pixel(work)
            say_look(work, look)
            if mode == "apply":
                look = yield from _corrected(work, look)
            yield from _tilt(work, look)
        return (yield from work.document((yield from _scan_dose_Gy(work))))

    def release() -> Plan:
        work.takes.release()
        yield from bps.null()

    return (yield from bpp.finalize_wrapper(steps(), release))


def _exposure(work: Work) -> Generator[Msg, Any, bool]:
    """Find the exposure from flats alone; whether there is light to go on with."""
    options, why = work.options, ""
    full = options.full_well
    for _ in range(_ROUNDS):
        seen: Radiographs = yield from work.take(work.scans.flats(work.exposure_s), "exposure")
        work.flats = work.runs[-1]
        part = seen.brightest_counts / full
        saturated = seen.saturated_part > _SATURATED_PART or part >= 0.99
        if LOWEST <= part <= HIGHEST and not saturated:
            estimate = Estimate(1e3 * work.exposure_s, 1e3 * work.exposure_s * 0.005)
            work.found(
                "exposure", "ms", estimate,
                lambda text, part=part: f"exposure {text}: flats reach {part:.0%} of the full well",
            )  # fmt: skip
            return True
        wanted_s = next_exposure_s(
            work.exposure_s, seen.brightest_counts, float(seen.dark.mean()), saturated, options
        )
        if abs(wanted_s - work.exposure_s) < 1e-3 * work.exposure_s:
            level = "are saturated" if saturated else f"reach {part:.1%} of the full well"
            side = "shorter" if part > HIGHEST else "longer"
            cure = "put an attenuator in" if part > HIGHEST else "look at shutter and beam"
            why = (
                f"flats {level} at {1e3 * work.exposure_s:g} ms, and no {side} exposure is "
                f"allowed; {cure}"
            )
            break
        work.exposure_s = wanted_s
    why = why or (
        f"flats did not come to {LOWEST:.0%} to {HIGHEST:.0%} of the full well: the beam is not "
        "steady"
    )
    work.found("exposure", "ms", unknown(why), str)
    for name, unit in (("focus", "mm"), ("axis", "columns"), ("roll", "deg"), ("pitch", "deg"),
                       ("pixel size", "µm"), ("centring", "% of the field")):  # fmt: skip
        work.found(name, unit, unknown("without a usable exposure no radiograph was taken"), str)
    return False


def _focus(work: Work) -> Plan:
    """Radiographs at places of the focus; further out where the sharpest lies at an end."""
    axis = alignment_axes(work.beamline).get("focus")
    if axis is None:
        work.found("focus", "mm", unknown("the camera has no axis of focus"), str)
        return
    home = float((yield from bps.rd(axis)))
    middle, estimate = home, unknown("it was not tried")
    for _ in range(3):
        places = focus_places_mm(middle, work.options)
        limit = _limit_of(axis, places)
        if limit:
            estimate = unknown(f"the focus cannot be moved to see: {limit}")
            break
        spec = work.scans.focus(work.exposure_s, work.flats)
        blocks = [block.name for block in spec.blocks() if block.kind == "sweep"]
        posture = Posture("focus", axis, dict(zip(blocks, places, strict=True)), home)
        seen = yield from work.take(spec, "focus", posture)
        missing = work.estimators.no_contrast(seen)
        if missing:
            estimate = unknown(missing)
            break
        estimate = yield from work.aside(
            lambda seen=seen, places=places: work.estimators.focus_mm(seen, places)
        )
        if estimate.known or "places that were tried" not in estimate.why_not:
            break
        reach = (len(places) - 2) * work.options.focus_step_mm
        middle += reach if "above" in estimate.why_not else -reach
    work.found("focus", "mm", estimate, lambda text: f"focus: sharpest at {text}")
    if not estimate.known:
        return
    if work.mode == "apply":
        why = yield from work.move("focus", axis, estimate.value)
        work.add_words("focus", why or f"the camera was moved there from {home:.3f} mm",
                       applied=not why)  # fmt: skip
    else:
        work.add_words("focus", f"it stands at {home:.3f} mm")


def _limit_of(axis: Any, places: list[float]) -> str:
    for place in places:
        try:
            axis.check_value(place)
        except Exception as error:  # noqa: BLE001
            # Every library has its own; each says what limit it is.
            return f"{place:.3g} mm is beyond its limit ({error})"
    return ""


def _look(work: Work) -> Generator[Msg, Any, Look]:
    """Radiographs round the turn; they are the reference from now on."""
    spec = work.scans.look(work.exposure_s, work.flats)
    seen = yield from work.take(spec, "look")
    work.reference = work.runs[-1]
    return (yield from work.aside(lambda: work.estimators.look(seen)))


def _pixel(work: Work) -> Plan:
    """Pixel size from a known shift across the beam."""
    spec = work.scans.shifted(work.exposure_s, work.flats)
    moved_mm = 2 * work.scans.shift_mm
    try:
        seen = yield from work.take(spec, "known shift")
    except ScanRefused as refused:
        work.found("pixel size", "µm", unknown(str(refused)), str)
        return
    estimate = yield from work.aside(lambda: work.estimators.pixel_um(seen, moved_mm))
    declared = work.spec.geometry.pixel_um
    if estimate.known:
        work.pixel_um = estimate.value
    work.found(
        "pixel size", "µm", estimate,
        lambda text: f"pixel size {text}; {declared:g} µm are declared",
    )  # fmt: skip


def _corrected(work: Work, look: Look) -> Generator[Msg, Any, Look]:
    """Move stages for what was found, and look again, until nothing is left to move for."""
    before = {name: quantity.sentence for name, quantity in work.quantities.items()}
    moved: dict[str, list[str]] = {}
    refused: dict[str, str] = {}
    for _ in range(_CORRECTIONS):
        done, refused = yield from correct(work, look)
        if not done:
            break
        for name, did in done.items():
            moved.setdefault(name, []).append(did)
        look = yield from _look(work)
        say_look(work, look)
    for name, did in moved.items():
        work.add_words(name, f"{', then '.join(did)}; before: {before[name]}", applied=True)
    for name, why in refused.items():
        work.add_words(name, f"nothing was moved for it: {why}")
    return look


def _tilt(work: Work, upright: Look) -> Plan:
    """In a laminography, the tilt that the stage really has."""
    wanted_deg = work.spec.geometry.tilt_deg
    if wanted_deg == 0:
        return
    name, stage = "laminography tilt", tilt_stage(work.beamline)
    if stage is None:
        work.found(name, "deg", unknown("the beamline has no tilt stage"), str)
        return
    if not (upright.axis_column.known and upright.roll_deg.known):
        work.found(name, "deg", unknown("axis and roll are not known"), str)
        return
    home = float((yield from bps.rd(stage)))
    spec = work.scans.look(work.exposure_s, work.flats, tilt_deg=wanted_deg)

    not_back: list[str] = []

    def back() -> Plan:
        why = yield from work.move("tilt", stage, home)
        if why:
            not_back.append(f"it does not stand where it stood before: {why}")

    try:
        seen = yield from bpp.finalize_wrapper(work.take(spec, "tilt"), back)
    except ScanRefused as refused:
        work.found(name, "deg", unknown("; ".join([str(refused), *not_back])), str)
        return
    estimate = yield from work.aside(lambda: work.estimators.tilt_deg(seen, upright, wanted_deg))
    work.found(
        name, "deg", estimate,
        lambda text: f"laminography tilt {text}, with the stage at {wanted_deg:g} deg",
    )  # fmt: skip
    for words in not_back:
        work.add_words(name, words)


def _scan_dose_Gy(work: Work) -> Generator[Msg, Any, float | None]:
    """Dose of the sweeps of the scan that shall follow, at the dose rate that was seen."""
    if work.beam_s <= 0:
        return None
    travel_s = float((yield from bps.rd(work.beamline.shutter.travel_s)))
    rotation = work.beamline.rotation
    pace = Pace(
        float((yield from bps.rd(rotation.velocity))),
        float((yield from bps.rd(rotation.acceleration))),
    )
    spec = work.spec
    exposure_s = work.exposure_s
    period_s = max(exposure_s + spec.period_s - spec.exposure_s, 1.01 * spec.read_out_s)
    same = spec.model_copy(
        update={"exposure_s": exposure_s, "period_s": period_s,
                "flats_before": 0, "flats_after": 0, "flats_every": 0}
    )  # fmt: skip
    seconds = scan_beam_seconds(same, beam_window(exposure_s, travel_s, same.read_out_s), pace)
    return seconds * work.dose_Gy / work.beam_s
