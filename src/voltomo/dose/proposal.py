"""From a budget and a number of time points to attenuators, projections and exposure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from voltomo.dose.beam_on_cell import BeamOnCell, shine
from voltomo.dose.heating import HOLD_K
from voltomo.dose.plan_file import PlanFile
from voltomo.dose.planner import Sight, asked_of, leaves_the_beam, open_time, sight
from voltomo.dose.policies import Asked, refusal
from voltomo.dose.quality import projections_for_sampling
from voltomo.dose.trade_offs import allowed_Gy
from voltomo.model.beam_window import beam_window
from voltomo.model.scan_spec import ScanSpec

__all__ = ["Proposal", "propose"]

_AS_GOOD = 0.98
"""A picture of this part of the best one's signal is as good, if it is had sooner."""
_FEWEST_OF_SAMPLED = 3
_KEPT = 1 - 1e-9


@dataclass(frozen=True)
class Proposal:
    """A scan that fits.

    Attributes
    ----------
    spec : ScanSpec
        Projections, exposure and period; all else as in the plan.
    in_beam : tuple of int
        Attenuators to put in, counted from 1.
    beam : BeamOnCell
        What then reaches the cell.
    asked : Asked
        Dose and rate of one scan.
    sight : Sight
        What it shows.
    limiting : str
        The class of material whose limit sets the dose; empty where the camera does.
    remarks : tuple of str
        What was given up, as sentences.
    """

    spec: ScanSpec
    in_beam: tuple[int, ...]
    beam: BeamOnCell
    asked: Asked
    sight: Sight
    limiting: str
    remarks: tuple[str, ...]

    @property
    def scan_s(self) -> float:
        """How long its sweeps take."""
        return self.spec.geometry.projections * self.spec.sweeps * self.spec.period_s


def propose(plan: PlanFile) -> Proposal | str:
    """The best picture that the budget allows, in as many scans as there are time points.

    All choices of attenuators are tried. Each gets the open time that the budget leaves to one
    scan, shared out over as many projections as sampling wants and read noise allows. Of
    pictures that are nearly as good as the best the one that is had soonest is taken.

    Returns
    -------
    Proposal or str
        Why nothing fits, as a sentence.
    """
    tried = list(_choices(plan))
    fitting = [each for each in tried if isinstance(each, Proposal)]
    if not fitting:
        reasons = dict.fromkeys(each for each in tried if isinstance(each, str))
        return "; ".join(reasons) or "nothing fits"
    least_noise = min(_badness(each) for each in fitting)
    good = [each for each in fitting if _badness(each) * _AS_GOOD <= least_noise]
    return min(good, key=lambda each: (each.scan_s, len(each.in_beam)))


def _badness(proposal: Proposal) -> float:
    """Noise over contrast: what is to be small."""
    contrast = proposal.sight.contrast_per_cm
    return proposal.sight.noise_per_cm / (contrast or 1.0)


def _choices(plan: PlanFile) -> Iterator[Proposal | str]:
    known = plan.known
    plates = plan.beam.plates(known)
    bare = plan.beam.before_attenuators(known)
    numbers = range(1, len(plates) + 1)
    for count in range(len(plates) + 1):
        for chosen in combinations(numbers, count):
            spectrum = bare.behind([plates[number - 1] for number in chosen])
            yield _fit(plan, shine(plan, spectrum), chosen)


def _fit(plan: PlanFile, beam: BeamOnCell, chosen: tuple[int, ...]) -> Proposal | str:
    steady_K = beam.heat.steady_K
    if steady_K is not None and steady_K > HOLD_K:
        return f"the beam warms the cell by {steady_K:.2g} K even with all attenuators in"
    nothing = dict.fromkeys(beam.hottest_Gy_s, 0.0)
    too_fast = refusal(plan.policy, {}, Asked(nothing, beam.highest_Gy_s))
    if too_fast:
        return too_fast
    open_s, limiting = _allowed_s(plan, beam)
    if open_s <= 0:
        return f"nothing is left of the budget of {limiting}: mount another sample"
    fitted = _shared_out(plan, beam, open_s)
    if isinstance(fitted, str):
        return fitted
    spec, by_camera, remarks = fitted
    opened = open_time(plan, spec)
    asked = asked_of(plan, beam, opened.total_s, plan.budget.time_points)
    name = limiting or max(asked.dose_Gy, key=lambda each: asked.dose_Gy[each])
    seen = sight(plan, spec, beam, asked.dose_Gy[name])
    return Proposal(spec, chosen, beam, asked, seen, "" if by_camera else limiting, remarks)


def _allowed_s(plan: PlanFile, beam: BeamOnCell) -> tuple[float, str]:
    """Open time that the budget leaves to one scan, and the class that sets it."""
    shortest, by = math.inf, ""
    for name, rate_Gy_s in beam.hottest_Gy_s.items():
        seconds = allowed_Gy(plan, name) / rate_Gy_s if rate_Gy_s > 0 else math.inf
        if seconds < shortest:
            shortest, by = seconds, name
    return shortest * _KEPT, by


def _shared_out(
    plan: PlanFile, beam: BeamOnCell, open_s: float
) -> tuple[ScanSpec, bool, tuple[str, ...]] | str:
    """Projections, exposure and sweeps that use an open time, and whether the camera ends first."""
    detector, geometry = plan.detector, plan.scan.geometry
    area_cm2 = (geometry.pixel_um * 1e-4) ** 2
    lit_per_s = beam.spectrum.total_per_cm2_s * area_cm2 * detector.dqe
    longest_s = min(detector.longest_s, detector.most_photons / lit_per_s)
    if longest_s < detector.shortest_s:
        return "the open beam overflows the camera in its shortest exposure: attenuate it further"
    window = beam_window(0.0, plan.shutter_travel_s)
    around_s = window.lead_s + window.tail_s + window.travel_s
    flats = (
        [] if leaves_the_beam(plan, plan.scan) else [plan.scan.flats_before, plan.scan.flats_after]
    )
    rest_s = open_s - around_s * sum(count > 0 for count in flats)
    across = min(geometry.columns, 1000 * plan.cell.size_mm / geometry.pixel_um)
    wanted = projections_for_sampling(across * geometry.range_deg / 180)
    seen_per_s = lit_per_s * beam.transmission
    enough_s = detector.fewest_photons / seen_per_s if seen_per_s > 0 else math.inf
    projections = _projections(plan, rest_s - around_s, wanted, enough_s, sum(flats))
    if projections < 2:
        return "the budget of one scan ends before two exposures: use stronger attenuators"
    frames = projections + sum(flats)
    exposure_s = min((rest_s - around_s) / frames - detector.dead_s, longest_s)
    period_s = exposure_s + detector.dead_s
    one_sweep_s = projections * period_s + around_s
    sweeps, swept_s = 1, rest_s - sum(flats) * period_s
    if math.isfinite(rest_s):
        sweeps = max(1, int(swept_s / one_sweep_s * (1 + 1e-9)))
    turned = {"projections": projections, "step_deg": geometry.range_deg / projections}
    update = {
        "geometry": geometry.model_copy(update=turned),
        "exposure_s": exposure_s,
        "period_s": period_s,
        "sweeps": sweeps,
    }
    remarks: tuple[str, ...] = ()
    if projections < wanted:
        remarks = (
            f"{projections} projections instead of the {wanted} that sampling asks for: more of "
            "them would be too dark or too short for the camera.",
        )
    return plan.scan.model_copy(update=update), sweeps * one_sweep_s < 0.9 * swept_s, remarks


def _projections(plan: PlanFile, lit_s: float, wanted: int, enough_s: float, beside: int) -> int:
    """As many as sampling wants; fewer where each would drown in read noise, or be too short."""
    dead_s, shortest_s = plan.detector.dead_s, plan.detector.shortest_s
    if lit_s <= 0:
        return 0
    if not math.isfinite(lit_s):
        return wanted
    bright = int(lit_s / (enough_s + dead_s)) - beside if math.isfinite(enough_s) else 0
    projections = min(wanted, max(bright, wanted // _FEWEST_OF_SAMPLED))
    return min(projections, int(lit_s / (shortest_s + dead_s)) - beside)
