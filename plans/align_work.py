"""What an alignment has done so far: runs, frames, dose, and what was found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp

from voltomo.model.alignment import Alignment, AlignmentMode, Estimate, Quantity, Radiographs
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.align_options import AlignOptions, SmallScans
from voltomo.plans.posture import Posture
from voltomo.plans.protocols import Estimators, TomographyBeamline
from voltomo.plans.scan import scan
from voltomo.plans.takes import Takes
from voltomo.plans.words import ScanFailed

Plan = Generator[Msg, Any, Any]
T = TypeVar("T")

ALIGN = "align"
"""Stream with one event for each quantity."""

_POLL_S = 0.02
_QUICK_S = 0.005


class Findings:
    """The quantity that was found last, for one event."""

    name = ALIGN
    parent = None

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def tell(self, quantity: Quantity) -> None:
        """Take a quantity; what is not known is NaN."""
        nan = float("nan")
        self._found = {
            "align_name": quantity.name,
            "align_value": nan if quantity.value is None else quantity.value,
            "align_sigma": nan if quantity.sigma is None else quantity.sigma,
            "align_unit": quantity.unit,
            "align_applied": quantity.applied,
            "align_sentence": quantity.sentence,
        }

    def read(self) -> dict[str, Any]:
        """The quantity."""
        now_s = time.time()
        return {key: {"value": value, "timestamp": now_s} for key, value in self._found.items()}

    def describe(self) -> dict[str, Any]:
        """Name, value, deviation, unit, whether a stage was moved for it, and the sentence."""
        kinds = {bool: "boolean", float: "number", str: "string"}
        return {
            key: {"source": "plan", "dtype": kinds[type(value)], "shape": []}
            for key, value in self._found.items()
        }


@dataclass
class Work:
    """One alignment under way.

    Attributes
    ----------
    beamline, spec, estimators, options, mode
        As given to the plan.
    takes : Takes
        Notices interruptions of moves between the runs.
    exposure_s : float
        Of the next run.
    flats : str
        Run with the flats that stand in.
    reference : str or None
        Run with the last radiographs round the turn.
    """

    beamline: TomographyBeamline
    spec: ScanSpec
    estimators: Estimators
    options: AlignOptions
    mode: AlignmentMode
    kind: Literal["align", "recenter"] = "align"
    takes: Takes = field(default_factory=Takes)
    exposure_s: float = 0.0
    flats: str = ""
    reference: str | None = None
    pixel_um: float = 0.0
    runs: list[str] = field(default_factory=list[str])
    radiographs: int = 0
    dose_Gy: float = 0.0
    beam_s: float = 0.0
    quantities: dict[str, Quantity] = field(default_factory=dict[str, Quantity])
    stops_seen: int | None = None

    def __post_init__(self) -> None:
        self.exposure_s = self.spec.exposure_s
        self.pixel_um = self.spec.geometry.pixel_um

    @property
    def scans(self) -> SmallScans:
        """The small scans that can be taken."""
        return SmallScans(self.spec, self.options)

    def take(
        self, spec: ScanSpec, what: str, posture: Posture | None = None
    ) -> Generator[Msg, Any, Radiographs]:
        """Record a small scan, each block under its lease, and read it back."""
        md = {"align": {"kind": self.kind, "what": what}}
        yield from self._demand_not_stopped()
        uid = yield from scan(self.beamline, spec, md=md, posture=posture)
        # What is reckoned now may be paused again.
        yield from bps.checkpoint()
        self.runs.append(uid)
        seen: Radiographs = yield from self.aside(lambda: self.estimators.radiographs(uid))
        if spec.sweeps:
            self.radiographs += sum(b.count for b in spec.blocks() if b.kind == "sweep")
        self.dose_Gy += seen.dose_Gy
        self.beam_s += seen.beam_s if spec.sweeps else 0.0
        return seen

    def _demand_not_stopped(self) -> Plan:
        """Whoever stopped the beam between two small scans meant all of them."""
        stops = int((yield from bps.rd(self.beamline.lease.stops)))
        if self.stops_seen is None:
            self.stops_seen = stops
        if stops != self.stops_seen:
            raise ScanFailed(
                f"{self.kind}: the beam was stopped by hand; it is off and is not asked for again; "
                f"start {self.kind} anew once whoever stopped it agrees"
            )

    def aside(self, work: Callable[[], T]) -> Generator[Msg, Any, T]:
        """Reckon in a thread of its own, so that the engine goes on listening."""
        with ThreadPoolExecutor(1, "align") as pool:
            done = pool.submit(work)
            # What is quick needs no message.
            while wait([done], _QUICK_S).not_done:
                yield from bps.sleep(_POLL_S)
        try:
            return done.result()
        except ValueError as error:
            raise ScanFailed(f"{error}; the beam is off, nothing was moved for it") from error

    def found(
        self,
        name: str,
        unit: str,
        estimate: Estimate,
        words: Callable[[str], str],
        *,
        applied: bool = False,
    ) -> None:
        """Note a quantity, or why there is none.

        Parameters
        ----------
        name, unit : str
            Of the quantity.
        estimate : Estimate
            What was found.
        words : callable
            Given value, deviation and unit in one text, returns the sentence.
        applied : bool
            Whether a stage was moved for it.
        """
        if estimate.known:
            # Two figures of the deviation, and none of the value that it makes worthless.
            digits = max(0, 1 - math.floor(math.log10(max(estimate.sigma, 1e-6))))
            text = f"{estimate.value:.{digits}f} ± {estimate.sigma:.{digits}f} {unit}".strip()
            sentence = words(text)
            value, sigma = estimate.value, estimate.sigma
        else:
            sentence = f"{name}: not determined, {estimate.why_not or 'nothing says it'}"
            value = sigma = None
        self.quantities[name] = Quantity(
            name=name, unit=unit, value=value, sigma=sigma, sentence=sentence, applied=applied
        )

    def add_words(self, name: str, words: str, *, applied: bool = False) -> None:
        """Say more of a quantity that was noted."""
        old = self.quantities[name]
        self.quantities[name] = old.model_copy(
            update={"sentence": f"{old.sentence}; {words}", "applied": old.applied or applied}
        )

    def move(self, name: str, axis: Any, target: float) -> Generator[Msg, Any, str]:
        """Move an axis with the beam off; again, if a pause stopped it.

        Returns
        -------
        str
            Why it cannot be moved there; empty once it stands there.
        """
        try:
            axis.check_value(target)
        except Exception as error:  # noqa: BLE001
            # Every library has its own; each says what limit it is.
            return f"{name} cannot go to {target:.4g}, which is beyond its limit ({error})"

        def step() -> Plan:
            yield from bps.abs_set(axis, target, group="align")
            yield from bps.wait("align")

        yield from self.takes.undisturbed(step)
        return ""

    def document(self, scan_dose_Gy: float | None) -> Generator[Msg, Any, Alignment]:
        """Record what was found as a run of its own, without beam."""
        findings = Findings()
        result = Alignment(
            uid="", kind=self.kind, mode=self.mode, sample=str(self.spec.sample),
            quantities=tuple(self.quantities.values()), runs=tuple(self.runs),
            reference=self.reference, exposure_s=self.exposure_s, radiographs=self.radiographs,
            dose_Gy=self.dose_Gy, beam_s=self.beam_s, scan_dose_Gy=scan_dose_Gy,
        )  # fmt: skip
        md = {"plan_name": self.kind, "sample": result.sample, "alignment": result.document()}
        uid = yield from bps.open_run(md)

        def events() -> Plan:
            for quantity in result.quantities:
                findings.tell(quantity)
                yield from bps.create(name=ALIGN)
                yield from bps.read(findings)
                yield from bps.save()

        def failed(error: Exception) -> Plan:
            yield from bps.close_run(exit_status="fail", reason=str(error))

        yield from bpp.contingency_wrapper(events(), except_plan=failed, else_plan=bps.close_run)
        return result.model_copy(update={"uid": uid})
