"""A calibration of the flux: what one count of the monitor means at the sample, and for how long.

Kept in a file of its own beside the exposure log, dated, with an uncertainty, an expiry and a
checksum; the guard believes no other.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voltomo.dose.beam_profile import BeamProfile
from voltomo.dose.flux_detectors import Detector, FluxDetector

__all__ = [
    "CalibrationRefused", "FluxCalibration", "FluxPoint", "Reading", "calibration_point",
    "load_calibration", "save_calibration",
]  # fmt: skip

ENERGY_PART = 0.01
"""A calibration holds within this part of an energy at which it was made."""
TRANSMISSION_PART = 0.03
_CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CalibrationRefused(ValueError):
    """There is no calibration to be had from this; the message says why."""


class FluxPoint(BaseModel):
    """What was measured at one energy and transmission.

    Parameters
    ----------
    energy_keV, transmission : float
        Where beam and attenuator stood.
    photons_s : float
        Through the pinhole, with the shutter open.
    flux_per_cm2_s : float
        At the sample, mean over the beam.
    monitor_counts_s : float
        Of the monitor at the same time.
    per_count : float
        Flux density for one count a second.
    uncertainty : float
        Relative, of ``per_count``, two standard deviations.
    readings : int
        How many went into it.
    """

    model_config = _CONFIG

    energy_keV: float = Field(gt=0)
    transmission: float = Field(gt=0, le=1)
    photons_s: float = Field(gt=0)
    flux_per_cm2_s: float = Field(ge=1e5, le=1e18)
    monitor_counts_s: float = Field(gt=0)
    per_count: float = Field(gt=0)
    uncertainty: float = Field(gt=0, lt=1)
    readings: int = Field(ge=3)


class FluxCalibration(BaseModel):
    """What one count of the monitor means, by energy and attenuator.

    Parameters
    ----------
    made_utc_s, expires_utc_s : float
        When it was made, and from when on it holds no more.
    by : str
        Who made it.
    detector : Photodiode or IonChamber
        What the monitor was held against.
    area_mm2 : float
        Of the pinhole before it.
    points : list of FluxPoint
        At least one.
    profile : BeamProfile or None
        From a flat, if there was one.
    """

    model_config = _CONFIG

    made_utc_s: float
    expires_utc_s: float
    by: str = ""
    detector: Detector
    area_mm2: float = Field(gt=0)
    points: tuple[FluxPoint, ...] = Field(min_length=1)
    profile: BeamProfile | None = None

    def doubt(self, now_utc_s: float) -> str:
        """Why it does not hold now; empty where it does."""
        if now_utc_s >= self.expires_utc_s:
            days = (now_utc_s - self.expires_utc_s) / 86400
            return f"the calibration of the flux ended {days:.1f} days ago"
        if now_utc_s < self.made_utc_s - 3600:
            return "the calibration of the flux is from the future: see the machine's clock"
        return ""

    def at(self, energy_keV: float, transmission: float | None) -> tuple[float, float]:
        """Flux density for one count a second, and its relative uncertainty.

        Between two energies the logarithm is taken to be straight. Where the monitor stands
        before the attenuators its counts mean another flux for each; it then must have been
        calibrated with the one that is in.

        Raises
        ------
        CalibrationRefused
            It was not made there.
        """
        by_energy: dict[float, list[FluxPoint]] = {}
        for point in self.points:
            by_energy.setdefault(point.energy_keV, []).append(point)
        known = {e: _at_transmission(found, transmission) for e, found in by_energy.items()}
        below = [e for e in known if e <= energy_keV * (1 + ENERGY_PART)]
        above = [e for e in known if e >= energy_keV * (1 - ENERGY_PART)]
        if not below or not above:
            energies = ", ".join(f"{each:.4g}" for each in sorted(known))
            raise CalibrationRefused(
                f"the flux is calibrated at {energies} keV, and the energy is {energy_keV:.4g} keV"
            )
        low, high = max(below), min(above)
        (first, first_part), (second, second_part) = known[low], known[high]
        share = 0.0 if high <= low else math.log(energy_keV / low) / math.log(high / low)
        share = min(max(share, 0.0), 1.0)
        return first * (second / first) ** share, max(first_part, second_part)


def _at_transmission(
    points: Sequence[FluxPoint], transmission: float | None
) -> tuple[float, float]:
    """Of points at one energy: with this attenuator, or all where it makes no difference."""
    worst = max(point.uncertainty for point in points)
    mean = statistics.fmean(point.per_count for point in points)
    spread = max(abs(point.per_count / mean - 1) for point in points)
    if len(points) > 1 and spread <= worst:
        return mean, worst + spread
    near = [
        point
        for point in points
        if transmission is not None
        and abs(transmission / point.transmission - 1) <= TRANSMISSION_PART
    ]
    if near:
        best = min(near, key=lambda point: abs((transmission or 0.0) - point.transmission))
        return best.per_count, best.uncertainty
    if len(points) == 1 and transmission is None:
        return points[0].per_count, points[0].uncertainty
    known = ", ".join(f"{point.transmission:.3g}" for point in points)
    seen = "is not read" if transmission is None else f"is {transmission:.3g}"
    raise CalibrationRefused(
        f"the flux is calibrated with transmissions of {known}, and the attenuator's {seen}"
    )


@dataclass(frozen=True)
class Reading:
    """Monitor in counts/s and detector in A at the same time, shutter open."""

    monitor_counts_s: float
    current_A: float


def calibration_point(
    readings: Iterable[Reading],
    dark_A: Sequence[float],
    detector: FluxDetector,
    energy_keV: float,
    transmission: float,
    area_mm2: float,
    *,
    area_uncertainty: float = 0.02,
    middle_over_mean: float = 1.0,
) -> FluxPoint:
    """Hold the monitor against diode or chamber.

    Parameters
    ----------
    readings : iterable of Reading
        With the beam on both.
    dark_A : sequence of float
        The detector's current with the shutter closed.
    detector : FluxDetector
        Diode or chamber.
    energy_keV, transmission : float
        Where beam and attenuator stood.
    area_mm2, area_uncertainty : float
        Of the pinhole; two standard deviations of it, relative.
    middle_over_mean : float
        What the pinhole sees over the mean of the beam, from a flat.

    Raises
    ------
    CalibrationRefused
        Too few readings, no light, a monitor that is frozen, or readings that do not agree.
    """
    found = [r for r in readings if math.isfinite(r.current_A) and r.monitor_counts_s > 0]
    found = [r for r in found if math.isfinite(r.monitor_counts_s)]
    currents = _above_dark(found, dark_A)
    charge_C = detector.A_per_photon(energy_keV)
    per_cm2 = middle_over_mean * area_mm2 * 1e-2
    pairs = zip(currents, found, strict=True)
    ratios = [ampere / r.monitor_counts_s / charge_C / per_cm2 for ampere, r in pairs]
    mean = statistics.fmean(ratios)
    scatter = statistics.stdev(ratios) / mean
    if scatter > 0.1:
        raise CalibrationRefused(
            f"monitor and detector do not agree: their ratio scatters by {100 * scatter:.0f} %"
        )
    photons_s = statistics.fmean(currents) / charge_C
    parts = (detector.uncertainty, area_uncertainty, 2 * scatter / math.sqrt(len(ratios)))
    return FluxPoint(
        energy_keV=energy_keV,
        transmission=transmission,
        photons_s=photons_s,
        flux_per_cm2_s=photons_s / per_cm2,
        monitor_counts_s=statistics.fmean(r.monitor_counts_s for r in found),
        per_count=mean,
        uncertainty=min(math.hypot(*parts), 0.99),
        readings=len(ratios),
    )


def _above_dark(found: Sequence[Reading], dark_A: Sequence[float]) -> list[float]:
    """Currents of light alone; refuses readings that cannot be."""
    if len(found) < 3 or len(dark_A) < 1:
        raise CalibrationRefused(
            f"expected three readings with beam and one without, saw {len(found)} and "
            f"{len(dark_A)}: is there beam, and is the monitor connected?"
        )
    if len({r.monitor_counts_s for r in found}) == 1:
        raise CalibrationRefused(
            f"the flux monitor is frozen at {found[0].monitor_counts_s:g}: nothing was calibrated"
        )
    none_A = statistics.fmean(dark_A)
    currents = [r.current_A - none_A for r in found]
    if min(currents) <= 3 * max(statistics.pstdev(dark_A), abs(none_A) * 1e-3):
        raise CalibrationRefused(
            f"the detector reads {min(currents):.3g} A more than in the dark: no beam came to it; "
            "see that it stands in the beam, and the sample does not"
        )
    return currents


def _checksum(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def save_calibration(path: Path, calibration: FluxCalibration) -> Path:
    """Write it with its checksum, in one step; the one before it stays as ``….previous``."""
    body = calibration.model_dump(mode="json")
    text = json.dumps({"sha256": _checksum(body), "calibration": body}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        path.replace(path.with_name(path.name + ".previous"))
    part.replace(path)
    return path


def load_calibration(path: Path) -> FluxCalibration:
    """Read a calibration.

    Raises
    ------
    CalibrationRefused
        There is none, it cannot be read, or it is not as it was written.
    """
    try:
        whole = json.loads(path.read_text())
        body, checksum = whole["calibration"], whole["sha256"]
    except FileNotFoundError as error:
        raise CalibrationRefused(f"there is no calibration of the flux ({path})") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CalibrationRefused(f"the calibration of the flux cannot be read ({path})") from error
    if checksum != _checksum(body):
        raise CalibrationRefused(
            "the calibration of the flux is not as it was written: its checksum is another "
            f"({path})"
        )
    try:
        return FluxCalibration.model_validate(body)
    except ValidationError as error:
        raise CalibrationRefused(f"the calibration of the flux is impossible ({path})") from error
