"""What a scan will cost the cell, and what it will show: before the first photon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from voltomo.dose.beam_on_cell import DARK, BeamOnCell, shine
from voltomo.dose.heating import HOLD_K, WARN_K
from voltomo.dose.layer_dose import PartRate
from voltomo.dose.plan_file import PlanFile
from voltomo.dose.policies import Asked, Colour, colour, refusal, scans_that_fit
from voltomo.dose.quality import (
    SHEARED_ROWS_NOISE,
    dose_for_contrast_Gy,
    noise_per_cm,
    projections_for_sampling,
    smallest_voxel_um,
)
from voltomo.model.beam_window import beam_window
from voltomo.model.scan_spec import ScanSpec

__all__ = [
    "OpenTime",
    "PartDose",
    "ScanPlan",
    "Sight",
    "leaves_the_beam",
    "open_time",
    "plan_scan",
    "sight",
]


@dataclass(frozen=True)
class OpenTime:
    """How long a scan lights the cell, and what for.

    Attributes
    ----------
    by_cause : mapping
        Seconds by cause; "frames" is what gives projections, the rest is wasted.
    """

    by_cause: Mapping[str, float]

    @property
    def total_s(self) -> float:
        """All of it."""
        return sum(self.by_cause.values())

    @property
    def wasted_part(self) -> float:
        """Part of the dose that gives no projection."""
        return 1 - self.by_cause["frames"] / self.total_s


@dataclass(frozen=True)
class PartDose:
    """Dose of one scan in one constituent of one layer.

    Attributes
    ----------
    rate : PartRate
        Where and in what, with rates at the mean flux density.
    mean_lower_Gy, mean_upper_Gy : float
        Mean over the layer: both ends of the interval.
    hottest_Gy : float
        Upper end at the hottest point, at the profile's peak: what limits act on.
    highest_Gy_s : float
        Upper end of the rate where and when it is largest, at the profile's peak.
    """

    rate: PartRate
    mean_lower_Gy: float
    mean_upper_Gy: float
    hottest_Gy: float
    highest_Gy_s: float


@dataclass(frozen=True)
class Sight:
    """What the slices of a scan will show.

    Attributes
    ----------
    photons : float
        Detected photons a pixel and frame, in the middle of the cell.
    noise_per_cm : float
        Standard deviation of attenuation in a voxel.
    contrast_per_cm, snr : float or None
        Of the feature; None where none is named.
    wanted_snr : float or None
        At which it counts as seen.
    needed_Gy, needed_voxel_um : float or None
        Dose of the class nearest to its limit at which it would be seen, and the smallest voxel
        in which it is seen at the planned dose.
    """

    photons: float
    noise_per_cm: float
    contrast_per_cm: float | None = None
    snr: float | None = None
    wanted_snr: float | None = None
    needed_Gy: float | None = None
    needed_voxel_um: float | None = None

    @property
    def detectable(self) -> bool | None:
        """Whether the feature is seen; None where none is named."""
        return None if self.snr is None or self.wanted_snr is None else self.snr >= self.wanted_snr


@dataclass(frozen=True)
class ScanPlan:
    """A planned scan.

    Attributes
    ----------
    beam : BeamOnCell
        Rates, heat, transmission.
    open : OpenTime
        Beam-open time by cause.
    parts : tuple of PartDose
        Dose by layer and constituent.
    asked : Asked
        Dose and rate by class of material, as limits see it.
    limiting : str
        The class that ends a series first; that of highest dose where none is limited.
    scans_fit : int or None
        Scans of this kind that fit; None where nothing limits them.
    refusal : str
        Why the series does not fit, and what would; empty where it does.
    colour : str
        How the cell stands before it.
    sight : Sight
        What will be seen.
    rise_K : float or None
        Temperature at the end of a sweep.
    remarks : tuple of str
        What a person should know, as sentences.
    """

    beam: BeamOnCell
    open: OpenTime
    parts: tuple[PartDose, ...]
    asked: Asked
    limiting: str
    scans_fit: int | None
    refusal: str
    colour: Colour
    sight: Sight
    rise_K: float | None
    remarks: tuple[str, ...]


def open_time(plan: PlanFile, spec: ScanSpec) -> OpenTime:
    """Seconds that the beam is on the cell in one scan, by cause."""
    window = beam_window(spec.exposure_s, plan.shutter_travel_s, spec.read_out_s)
    causes = {
        "frames": 0.0,
        "between exposures": 0.0,
        "shutter before the first and after the last": 0.0,
        "flats with the cell in the beam": 0.0,
    }
    for block in spec.blocks():
        if block.kind == "sweep":
            whole_s = window.open_s(block)
            frames_s = block.count * spec.exposure_s
            between_s = (block.count - 1) * (spec.period_s - spec.exposure_s)
            causes["frames"] += frames_s
            causes["between exposures"] += between_s
            causes["shutter before the first and after the last"] += whole_s - frames_s - between_s
        elif block.kind == "flats" and not leaves_the_beam(plan, spec):
            causes["flats with the cell in the beam"] += window.open_s(block)
    return OpenTime(causes)


def leaves_the_beam(plan: PlanFile, spec: ScanSpec) -> bool:
    """Whether the shift for flats takes all of the cell out of the beam."""
    return abs(spec.flats_shift_mm) >= (plan.cell.size_mm + plan.beam.width_mm) / 2


def sight(plan: PlanFile, spec: ScanSpec, beam: BeamOnCell, dose_Gy: float) -> Sight:
    """What a scan will show.

    Parameters
    ----------
    plan : PlanFile
        Detector and feature.
    spec : ScanSpec
        Projections, exposure, pixel.
    beam : BeamOnCell
        Flux and transmission.
    dose_Gy : float
        Of the class that limits, in one scan: what a better picture would cost in proportion.
    """
    geometry, detector = spec.geometry, plan.detector
    area_cm2 = (geometry.pixel_um * 1e-4) ** 2
    flux = beam.spectrum.total_per_cm2_s * beam.transmission
    photons = flux * area_cm2 * spec.exposure_s * detector.dqe
    # Frames more than half a turn apart see the same rays again; dark angles show nothing.
    frames = geometry.projections * spec.sweeps * (1 - beam.dark_part)
    worth = frames * detector.worth(photons)
    noise = noise_per_cm(geometry.pixel_um, worth, SHEARED_ROWS_NOISE)
    contrast = beam.contrast_per_cm(plan)
    if plan.feature is None or contrast is None:
        return Sight(photons, noise)
    factor = SHEARED_ROWS_NOISE / plan.feature.snr_gain
    snr = contrast / noise * plan.feature.snr_gain if worth > 0 else 0.0
    needed_Gy = needed_um = math.inf
    if worth > 0 and dose_Gy > 0:
        per_photon_Gy_cm2 = dose_Gy / (worth / area_cm2)
        how = (contrast, per_photon_Gy_cm2, plan.feature.snr, factor)
        needed_Gy = dose_for_contrast_Gy(geometry.pixel_um, *how)
        needed_um = smallest_voxel_um(dose_Gy, *how)
    return Sight(photons, noise, contrast, snr, plan.feature.snr, needed_Gy, needed_um)


def asked_of(plan: PlanFile, beam: BeamOnCell, open_s: float, scans: int) -> Asked:
    """What limits see of a series of scans."""
    doses = {name: rate * open_s for name, rate in beam.hottest_Gy_s.items()}
    what = "this scan" if scans == 1 else f"a series of {scans} scans"
    return Asked(doses, beam.highest_Gy_s, scans, last=False, what=what)


def limiting_class(plan: PlanFile, asked: Asked) -> tuple[int | None, str]:
    """Scans that fit, and the class that ends the series first."""
    fit, by = scans_that_fit(plan.policy, plan.taken_Gy, asked)
    if fit is None:
        by = max(asked.dose_Gy, key=lambda name: asked.dose_Gy[name])
    return fit, by


def plan_scan(plan: PlanFile) -> ScanPlan:
    """Work out dose, temperature, waste and picture of the scan in a plan file."""
    spec = plan.scan
    beam = shine(plan, plan.spectrum)
    opened = open_time(plan, spec)
    asked = asked_of(plan, beam, opened.total_s, plan.budget.time_points)
    fit, by = limiting_class(plan, asked)
    peak = plan.beam.peak_over_mean
    parts = tuple(
        PartDose(
            rate,
            rate.mean_lower_Gy_s * opened.total_s,
            rate.mean_upper_Gy_s * opened.total_s,
            rate.hottest_Gy_s * peak * opened.total_s,
            rate.highest_Gy_s * peak,
        )
        for rate in beam.rates
    )
    seen = sight(plan, spec, beam, asked.dose_Gy[by])
    rise_K = beam.heat.rise_K(opened.total_s / spec.sweeps)
    return ScanPlan(
        beam,
        opened,
        parts,
        asked,
        by,
        fit,
        refusal(plan.policy, plan.taken_Gy, asked),
        colour(plan.policy, plan.taken_Gy, asked.dose_Gy),
        seen,
        rise_K,
        (*_unverified(plan, asked), *_remarks(plan, spec, beam, seen, rise_K)),
    )


def _unverified(plan: PlanFile, asked: Asked) -> tuple[str, ...]:
    classes = [name for name in plan.policy.unverified if name in asked.dose_Gy]
    if not classes:
        return ()
    return (
        f"The limits of policy '{plan.policy.name}' for {', '.join(classes)} are an unverified "
        f"default: calibrate them on your cell. What they rest on: {plan.policy.rests_on}.",
    )


def _remarks(
    plan: PlanFile, spec: ScanSpec, beam: BeamOnCell, seen: Sight, rise_K: float | None
) -> list[str]:
    said: list[str] = []
    geometry, detector = spec.geometry, plan.detector
    if rise_K is None:
        said.append(
            "How warm the cell gets cannot be said: a heat capacity or conductivity is not known, "
            "or the beam is as wide as the cell."
        )
    elif rise_K > WARN_K:
        what = "do not run it so" if rise_K > HOLD_K else "watch the cell"
        said.append(f"The beam warms the cell by up to {rise_K:.2g} K: {what}, or attenuate it.")
    if beam.dark_part > 0.01:
        said.append(
            f"At {100 * beam.dark_part:.0f} % of the angles about {100 * DARK:g} % of the beam or "
            "less comes through: they give dose and no picture; leave them out, use a higher "
            "energy, or tilt the axis."
        )
    if not leaves_the_beam(plan, spec):
        said.append(
            f"A shift of {abs(spec.flats_shift_mm):g} mm does not take a cell of "
            f"{plan.cell.size_mm:g} mm out of a beam of {plan.beam.width_mm:g} mm: flats cost dose "
            "and are not flat."
        )
    across = min(geometry.columns, 1000 * plan.cell.size_mm / geometry.pixel_um)
    wanted = projections_for_sampling(across * geometry.range_deg / 180)
    if geometry.projections * spec.sweeps < 0.5 * wanted:
        said.append(
            f"{geometry.projections * spec.sweeps} projections sample {across:.0f} columns "
            f"coarsely; {wanted} would sample them."
        )
    if seen.photons < detector.fewest_photons:
        said.append(
            f"{seen.photons:.3g} photons a pixel and frame drown in read noise "
            f"({detector.fewest_photons:.3g} would not): take fewer projections, each longer."
        )
    if seen.photons / max(beam.transmission, 1e-9) > detector.most_photons:
        said.append("The open beam overflows the camera: expose shorter, or attenuate.")
    if spec.period_s - spec.exposure_s < detector.dead_s * (1 - 1e-9):
        said.append(
            f"The camera needs {detector.dead_s:g} s between exposures, and the scan gives "
            f"{spec.period_s - spec.exposure_s:.3g} s."
        )
    return said
