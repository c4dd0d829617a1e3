"""Dose of each frame, and where the dose of a run went.

The guard limits by an upper bound and keeps a best estimate beside it. What is shared out here
is the best estimate, on both sides of every fraction: a bound in the divisor would call the
guard's caution waste.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_table import FrameTable, Outcome
from voltomo.records.charges import Opening
from voltomo.records.scan_record import ScanRecord

Floats = NDArray[np.float64]

SLACK_S = 0.25
"""UTC and the trigger clock are matched by the news of triggers, which travel up to so long."""


@dataclass(frozen=True)
class FrameExposure:
    """What each trigger's exposure cost, arrays of shape (n,), one row per trigger.

    ``flux_per_cm2_s`` is NaN where the beam was shut or its flux is unknown; ``dose_Gy`` is 0
    where the beam was shut. Triggers without a frame have their dose, too: the sample got it.
    """

    flux_per_cm2_s: Floats
    dose_Gy: Floats


@dataclass(frozen=True)
class DoseAccount:
    """Where the dose of a run went.

    Attributes
    ----------
    dose_Gy, bound_Gy : float
        Best estimate and upper bound of all that was charged to the run.
    by_cause : mapping
        Best estimate in gray by cause; "frames" is what gave valid frames, the rest was wasted.
    open_s : float
        Beam-open time.
    stamp : str
        What the guard says about all of it ("replay: no beam"), empty where nothing is special.
    """

    dose_Gy: float
    bound_Gy: float
    by_cause: Mapping[str, float]
    open_s: float
    stamp: str

    @property
    def wasted_fraction(self) -> float | None:
        """Part of the dose without a valid frame of a sweep; None where there was no dose."""
        if self.dose_Gy <= 0:
            return None
        return min(max(1.0 - self.by_cause["frames"] / self.dose_Gy, 0.0), 1.0)


def expose(record: ScanRecord, table: FrameTable) -> FrameExposure:
    """Flux and dose of every trigger's exposure.

    dose = flux(t) · exposure · dose per fluence, for exposures within an opening of the beam.
    Priming and darks have none by construction: no lease is asked for.
    """
    utc_s = table.time_s + record.latches.utc_minus_trigger_s
    flux = np.full(table.index.shape, np.nan)
    dose = np.zeros(table.index.shape)
    for number, block in enumerate(record.blocks):
        if block.kind in ("priming", "darks"):
            continue
        here = np.flatnonzero(table.block == number)
        purpose = record.purpose(block)
        named = [opening for opening in record.openings if opening.purpose == purpose]
        for opening, inside in _shared_out(named or list(record.openings), utc_s[here]):
            rows = here[inside]
            flux[rows] = _flux(opening, utc_s[rows])
            dose[rows] = _dose(opening, flux[rows], record.spec.exposure_s)
        if not record.openings:
            dose[table.block == number] = _mean_dose(record, purpose)
    off = table.outcome == Outcome.UNLIT
    return FrameExposure(np.where(off, np.nan, flux), np.where(off, 0.0, dose))


def _shared_out(
    openings: Sequence[Opening], utc_s: Floats
) -> Iterator[tuple[Opening, NDArray[np.bool_]]]:
    """Each exposure to the stretch that holds it, else to the nearest within the slack."""
    timed = [
        (opening, opening.opened_utc_s, opening.closed_utc_s)
        for opening in openings
        if opening.opened_utc_s is not None and opening.closed_utc_s is not None
    ]
    if not timed:
        return
    away = np.array(
        [np.maximum(np.maximum(first - utc_s, utc_s - last), 0) for _, first, last in timed]
    )
    nearest = away.argmin(axis=0)
    near = away.min(axis=0) <= SLACK_S
    for at, (opening, _, _) in enumerate(timed):
        yield opening, near & (nearest == at)


def _mean_dose(record: ScanRecord, purpose: str) -> float:
    """Dose of one exposure where only settled leases are known: their mean dose rate holds."""
    charges = [charge for charge in record.charges if charge.purpose == purpose]
    open_s = sum(charge.open_s for charge in charges)
    dose_Gy = sum(charge.dose_central_Gy for charge in charges)
    return dose_Gy * record.spec.exposure_s / open_s if open_s > 0 else 0.0


def _flux(opening: Opening, utc_s: Floats) -> Floats:
    samples = np.array(sorted(opening.flux), dtype=np.float64).reshape(-1, 2)
    if not samples.size:
        return np.full(utc_s.shape, np.nan)
    return np.interp(utc_s, samples[:, 0], samples[:, 1])


def _dose(opening: Opening, flux: Floats, exposure_s: float) -> Floats:
    if opening.dose_central_Gy <= 0:
        return np.zeros(flux.shape)
    mean = opening.dose_central_Gy * exposure_s / max(opening.open_s, exposure_s)
    by_flux = flux * exposure_s * opening.dose_per_fluence_Gy_cm2
    return np.where(np.isfinite(by_flux), by_flux, mean)


def account(record: ScanRecord, table: FrameTable | None) -> DoseAccount:
    """Add up what was charged to a run and sort it by cause.

    Openings of the exposure log count; settled leases stand in where it has none.
    """
    charged = record.openings or record.charges
    total = sum(item.dose_central_Gy for item in charged)
    untimed = [item for item in record.openings if item.opened_utc_s is None]
    reserved = sum(item.dose_central_Gy for item in untimed)
    timed = [item for item in charged if item not in untimed]
    again = sum(item.dose_central_Gy for item in timed if record.taken_again(item.purpose))
    timed = [item for item in timed if not record.taken_again(item.purpose)]
    of_sweeps = sum(item.dose_central_Gy for item in timed if item.purpose.startswith("sweep"))
    of_flats = sum(item.dose_central_Gy for item in timed if item.purpose.startswith("flats"))
    useful = missing = 0.0
    if table is not None:
        sweeps = [at for at, block in enumerate(record.blocks) if block.kind == "sweep"]
        rows = table.of_blocks(sweeps)
        useful = float(rows.dose_Gy[rows.valid].sum())
        missing = float(rows.dose_Gy[~rows.valid].sum())
    stamps = dict.fromkeys(item.stamp for item in charged if item.stamp)
    return DoseAccount(
        dose_Gy=total,
        bound_Gy=sum(item.dose_Gy for item in charged),
        by_cause={
            "frames": useful,
            "triggers without a valid frame": missing,
            "between frames, before the first and after the last": max(
                of_sweeps - useful - missing, 0.0
            ),
            "flats": of_flats,
            "interrupted and taken again": again,
            "reserved by a guard that died": reserved,
            "other openings": max(total - of_sweeps - of_flats - again - reserved, 0.0),
        },
        open_s=sum(item.open_s for item in charged),
        stamp="; ".join(stamps),
    )
