"""``calibrate_flux()``: from readings of monitor and diode to a file that the guard believes."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltomo.dose.beam_profile import BeamProfile, profile_of
from voltomo.dose.flux_calibration import (
    CalibrationRefused,
    FluxCalibration,
    FluxPoint,
    Reading,
    calibration_point,
    save_calibration,
)
from voltomo.dose.flux_detectors import IonChamber, Photodiode
from voltomo.plans.calibrate_flux import POINT
from voltomo.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    from voltomo.profiles.session import Session

__all__ = ["CALIBRATION_NAME", "calibrate_flux", "calibration_place", "flat_profile"]

CALIBRATION_NAME = "flux-calibration.json"
_DETECTOR = "flux_detector"
_DAY_S = 86400.0
_CONNECT_S = 5.0


def calibration_place(session: Session) -> Path:
    """Where the guard of this run reads its calibration: beside the exposure log."""
    name = str(session.file.guard.get("calibration_file") or CALIBRATION_NAME)
    return session.folder.exposure_log.parent / name


def flat_profile(folder: RunFolder, run: str = "last", pinhole_mm: float = 0.5) -> BeamProfile:
    """Profile of the beam from the flats and darks of a recorded run.

    Raises
    ------
    CalibrationRefused
        There is no such run, or it has no flats.
    """
    from voltomo.records.run_entries import matching_scans
    from voltomo.records.scan import read_scan

    found = matching_scans(folder.run_log, run)
    if len(found) != 1:
        raise CalibrationRefused(f"flat_of: {run!r} names {len(found)} scans in {folder.root}")
    scan = read_scan(folder, found[0])
    blocks = scan.record.blocks
    dark = [at for at, block in enumerate(blocks) if block.kind == "darks"]
    rows = scan.table.of_blocks(dark)
    darks = rows.source[rows.valid]
    if not scan.flats.size or not darks.size:
        raise CalibrationRefused(f"flat_of: the run {found[0][:8]} has no flats, or no darks")
    try:
        return profile_of(
            _mean(scan, scan.flats),
            _mean(scan, darks),
            scan.record.spec.geometry.pixel_um,
            pinhole_mm,
        )
    except ValueError as error:
        raise CalibrationRefused(str(error)) from error


def _mean(scan: Any, handles: Any) -> Any:
    from voltomo.records.delivered import read_frames

    total, count = 0.0, 0
    for _, frames in read_frames(scan.sources, handles):
        total = total + frames.sum(axis=0, dtype="float64")
        count += len(frames)
    return total / count


def calibrate_flux(
    session: Session,
    *,
    area_mm2: float,
    detector: Photodiode | IonChamber | None = None,
    sample: str | None = None,
    energies_keV: Sequence[float] = (),
    transmissions: Sequence[float] = (),
    readings: int = 20,
    flat_of: str | None = None,
    days: float = 7.0,
    by: str = "",
) -> FluxCalibration:
    """Hold the monitor against diode or chamber; leave the calibration where the guard reads it.

    Takes the sample out of the beam, so that it pays nothing. The guard believes the new
    calibration within a second or two, if the beamline file names it (``guard: calibration_file``).

    Parameters
    ----------
    session : Session
        With the devices; in a shell it is given already.
    area_mm2 : float
        Of the pinhole or slits right before the detector.
    detector : Photodiode or IonChamber, optional
        What reads ``flux_detector``; a photodiode of 300 µm if not given.
    sample : str, optional
        Who is mounted; the first of the beamline file if not given.
    energies_keV, transmissions : sequence of float
        Where to calibrate; where they stand if empty.
    readings : int
        How many at each place.
    flat_of : str, optional
        A run with flats ("last", or the start of its uid), for the beam's profile.
    days : float
        How long the calibration holds.
    by : str
        Who made it; the user of this machine if not given.

    Raises
    ------
    CalibrationRefused
        Monitor and detector do not give one; the calibration before stays.
    ScanRefused, LeaseRefused
        No beam was used.
    """
    from voltomo.plans.calibrate_flux import calibrate_flux as plan

    if not 0 < days <= 366:
        raise CalibrationRefused(f"a calibration holds for up to 366 days; it says {days:g}")
    kind = detector or Photodiode()
    profile = None if flat_of is None else flat_profile(session.folder, flat_of, area_mm2**0.5)
    events = _Events()
    mounted, beside_mm = sample or str(session.file.samples[0].name), session.file.flats_shift_mm
    options = {"energies_keV": energies_keV, "transmissions": transmissions, "readings": readings}
    session.RE(plan(session.beamline, _signal(session), mounted, beside_mm, **options), events)
    made = time.time()
    calibration = FluxCalibration(
        made_utc_s=made,
        expires_utc_s=made + days * _DAY_S,
        by=by or getpass.getuser(),
        detector=kind,
        area_mm2=area_mm2,
        points=tuple(events.points(kind, area_mm2, profile)),
        profile=profile,
    )
    save_calibration(calibration_place(session), calibration)
    return calibration


def _signal(session: Session) -> Any:
    """Current of the diode or chamber, as a device."""
    from ophyd import EpicsSignalRO

    name = session.folder.addresses().names.flux_detector
    if name is None:
        raise CalibrationRefused("the beamline file names no flux_detector under 'pvs'")
    signal = EpicsSignalRO(name, name=_DETECTOR)
    try:
        signal.wait_for_connection(timeout=_CONNECT_S)
    except TimeoutError as error:
        raise CalibrationRefused(
            f"expected a current from {name} within {_CONNECT_S:g} s, saw none; no beam was used"
        ) from error
    return signal


class _Events:
    """Gathers readings from documents: those in the dark, and those with beam after them."""

    def __init__(self) -> None:
        self._streams: dict[str, str] = {}
        self._groups: dict[int, tuple[list[float], list[dict[str, Any]]]] = {}
        self._dark = False

    def __call__(self, name: str, doc: Any) -> None:
        if name == "descriptor":
            self._streams[doc["uid"]] = doc["name"]
        elif name == "event":
            self._take(self._streams[doc["descriptor"]], doc["data"])
        elif name == "event_page":
            for row in range(len(doc["seq_num"])):
                data = {key: values[row] for key, values in doc["data"].items()}
                self._take(self._streams[doc["descriptor"]], data)

    def _take(self, stream: str, data: dict[str, Any]) -> None:
        dark, number = stream == "dark", int(data[POINT])
        if dark and not self._dark:
            # A point that was cut short is taken again, from its darks on.
            self._groups[number] = ([], [])
        self._dark = dark
        if dark:
            self._groups[number][0].append(float(data[_DETECTOR]))
        else:
            self._groups[number][1].append(data)

    def points(
        self, kind: Photodiode | IonChamber, area_mm2: float, profile: BeamProfile | None
    ) -> list[FluxPoint]:
        """One for each energy and attenuator."""
        found: list[FluxPoint] = []
        for dark_A, rows in self._groups.values():
            if not rows:
                continue
            found.append(
                calibration_point(
                    [Reading(float(r["beam_monitor_flux"]), float(r[_DETECTOR])) for r in rows],
                    dark_A,
                    kind,
                    float(rows[-1]["energy"]),
                    float(rows[-1].get("beam_monitor_transmission", 1.0)),
                    area_mm2,
                    middle_over_mean=1.0 if profile is None else profile.middle_over_mean,
                )
            )
        if not found:
            raise CalibrationRefused("no reading was taken with beam; nothing was calibrated")
        return found
