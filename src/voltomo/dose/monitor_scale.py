"""What one count of the flux monitor means now, or why nobody knows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from voltomo.dose.flux_calibration import (
    CalibrationRefused,
    FluxCalibration,
    load_calibration,
)
from voltomo.dose.guard_settings import GuardSettings

__all__ = ["CalibrationFile", "MonitorScale", "with_profile"]


@dataclass(frozen=True)
class Scale:
    """Flux density for one count a second, relative uncertainty, and why neither holds."""

    per_count: float
    uncertainty: float
    doubt: str = ""


class MonitorScale:
    """The calibration as it holds at the energy and attenuator that are read.

    Parameters
    ----------
    settings : GuardSettings
        With ``calibration_file`` only that file counts; else the numbers that the settings say.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._calibration: FluxCalibration | None = None
        self._missing = ""
        self._more = 1.0
        self._energy_keV: float | None = settings.energy_keV
        self._transmission: float | None = None
        if settings.calibration_file is not None:
            self._missing = f"no calibration of the flux was read ({settings.calibration_file})"

    def take(self, calibration: FluxCalibration | None, why_none: str = "") -> None:
        """Use another calibration from here on; None for none, with the reason."""
        self._calibration, self._missing = calibration, why_none
        profile = None if calibration is None else calibration.profile
        # The mean over a steeper beam counts less than the middle that the settings reckon with.
        self._more = (
            1.0
            if profile is None
            else max(1.0, profile.peak_over_mean / self._settings.beam_peak_over_mean)
        )

    def read_energy(self, energy_keV: float | None) -> None:
        """Readback of the energy; None where it is not connected."""
        known = energy_keV is not None and math.isfinite(energy_keV) and energy_keV > 0
        self._energy_keV = energy_keV if known else None

    def read_transmission(self, transmission: float | None) -> None:
        """Readback of the attenuators; None where it is not connected."""
        self._transmission = transmission

    def at(self, now_utc_s: float) -> Scale:
        """What a count means now."""
        own = self._settings
        given = Scale(own.flux_per_monitor_count, own.flux_uncertainty, self._missing)
        calibration = self._calibration
        if calibration is None:
            return given
        doubt = calibration.doubt(now_utc_s)
        if not doubt and self._energy_keV is None:
            doubt = "the photon energy is not read, which the calibration of the flux goes by"
        if doubt or self._energy_keV is None:
            return Scale(given.per_count, given.uncertainty, doubt)
        try:
            per_count, uncertainty = calibration.at(self._energy_keV, self._transmission)
        except CalibrationRefused as error:
            return Scale(given.per_count, given.uncertainty, str(error))
        return Scale(self._more * per_count, uncertainty)


class CalibrationFile:
    """The file of the calibration, looked at again and again; read when it has changed."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._seen: object = ""

    def look(self) -> FluxCalibration | str | None:
        """A calibration that is new, why there is none any more, or None where nothing changed."""
        if self.path is None:
            return None
        try:
            known = self.path.stat()
            seen: object = (known.st_mtime_ns, known.st_size, known.st_ino)
        except OSError as error:
            seen = error.errno
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            return load_calibration(self.path)
        except CalibrationRefused as error:
            return str(error)


def with_profile(settings: GuardSettings, path: Path | None) -> GuardSettings:
    """Settings with the beam's profile from a calibration, where they say nothing themselves."""
    if path is None:
        return settings
    try:
        profile = load_calibration(path).profile
    except CalibrationRefused:
        return settings
    if profile is None:
        return settings
    more: dict[str, float] = {
        "beam_peak_over_mean": max(profile.peak_over_mean, settings.beam_peak_over_mean)
    }
    if settings.beam_width_mm is None and not profile.fills_field:
        more |= {"beam_width_mm": profile.width_mm, "beam_height_mm": profile.height_mm}
    return settings.model_copy(update=more)
