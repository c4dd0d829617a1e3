"""What a sample had received when a scan of it ended, for the exported file and the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from voltomo.dose.guard_settings import read_guard_settings
from voltomo.dose.map_planes import planes_of
from voltomo.dose.metrics import dose_efficiency, image_weighted_dose_Gy
from voltomo.dose.plan_words import gray
from voltomo.dose.sample_dose import SampleDose, SampleDoseProjection
from voltomo.records.nxtomo_groups import field, group, texts
from voltomo.records.scan import Scan
from voltomo.records.transmission import transmission
from voltomo.runtime.log_reader import Entry, LogReader
from voltomo.runtime.run_folder import RunFolder

__all__ = ["Worth", "sample_dose", "sample_facts", "sample_group", "worth_of"]


@dataclass(frozen=True)
class Worth:
    """What a scan's dose has bought.

    Attributes
    ----------
    image_weighted_Gy : float or None
        Dose of this scan that the sample had received when its projections were taken, on average,
        weighted by their light.
    counts_per_Gy : float or None
        Counts a pixel in all valid projections together, for one gray.
    """

    image_weighted_Gy: float | None
    counts_per_Gy: float | None


def worth_of(scan: Scan) -> Worth:
    """Image-weighted dose and dose efficiency of a scan; best estimates."""
    seen = transmission(scan)
    if not seen.mean.size or scan.dose.dose_Gy <= 0:
        return Worth(None, None)
    edges: list[tuple[float, float]] = []
    total = 0.0
    for opening in scan.record.openings:
        if opening.opened_utc_s is None or opening.closed_utc_s is None:
            total += opening.dose_central_Gy
            continue
        edges.append((opening.opened_utc_s, total))
        total += opening.dose_central_Gy
        edges.append((opening.closed_utc_s, total))
    counts = np.maximum(seen.mean * seen.flat_counts, 0.0)
    valid = seen.projections
    per_Gy = dose_efficiency(float(counts.mean()) * valid, scan.dose.dose_Gy)
    if not edges:
        return Worth(None, per_Gy)
    times, doses = np.array(edges).T
    utc_s = seen.first_s + seen.time_s + scan.record.latches.utc_minus_trigger_s
    before = np.interp(utc_s, times, doses)
    return Worth(image_weighted_dose_Gy(before, counts), per_Gy)


def sample_dose(folder: RunFolder, scan: Scan) -> SampleDose | None:
    """The doses of a sample when a scan ended; None where the run has no settings any more."""
    if not folder.settings.exists() or not folder.exposure_log.exists():
        return None
    try:
        settings = read_guard_settings(folder.settings)
    except (ValueError, json.JSONDecodeError):
        return None
    projection = SampleDoseProjection(settings, str(scan.record.spec.sample))
    return projection.fold(_up_to(folder.exposure_log, scan.record.uid))


def _up_to(log: Path, uid: str) -> Iterator[Entry]:
    """Entries up to the last one of the scan's leases; none is held."""
    last = -1
    for entry in LogReader(log).entries([uid.encode()]):
        if entry.data.get("scan_uid") == uid:
            last = entry.number
    for entry in LogReader(log).entries():
        if entry.number > last:
            return
        yield entry


def sample_facts(scan: Scan, found: SampleDose | None) -> dict[str, str]:
    """Lines for the report's table."""
    facts: dict[str, str] = {}
    worth = worth_of(scan)
    if worth.counts_per_Gy is not None:
        facts["Dose efficiency"] = f"{worth.counts_per_Gy:.3g} counts a pixel for one gray"
    if worth.image_weighted_Gy is not None:
        facts["Image-weighted dose"] = (
            f"{gray(worth.image_weighted_Gy)}: of this scan's dose received when the light of its "
            "projections came, on average"
        )
    if found is not None and found.account.dose_Gy > 0:
        facts["Sample so far"] = "; ".join(
            [
                f"{gray(found.account.dose_Gy)} at most in {found.account.open_s:.4g} s of beam",
                *(f"{each.name} {gray(each.estimate_Gy)} to {gray(each.bound_Gy)} at the hottest "
                  "point" for each in found.classes),
            ]
        )  # fmt: skip
    return facts


def sample_group(folder: RunFolder) -> Callable[[h5py.Group, Scan], None]:
    """What adds ``sample_dose`` to the group ``voltomo`` of an exported file."""

    def write(ours: h5py.Group, scan: Scan) -> None:
        worth = worth_of(scan)
        for name, value, unit in (
            ("image_weighted", worth.image_weighted_Gy, "Gy"),
            ("counts_per_gray", worth.counts_per_Gy, "1/Gy"),
        ):
            if value is not None:
                field(ours["dose"], name, value, unit)  # pyright: ignore[reportArgumentType]
        found = sample_dose(folder, scan)
        if found is not None and found.account.openings:
            _write(ours, found)

    return write


def _write(ours: h5py.Group, found: SampleDose) -> None:
    made = group(ours, "sample_dose", "NXcollection")
    field(made, "total", found.account.dose_central_Gy, "Gy")
    field(made, "total_upper_bound", found.account.dose_Gy, "Gy")
    field(made, "beam_open", found.account.open_s, "s")
    field(made, "openings", found.account.openings)
    texts(made, "class", tuple(each.name for each in found.classes))
    columns = {
        "hottest_upper_bound": [each.bound_Gy for each in found.classes],
        "hottest": [each.estimate_Gy for each in found.classes],
        "mean_exposed": [each.metrics.dose_mean_exposed_Gy for each in found.classes],
        "p95_exposed": [each.metrics.dose_p95_Gy for each in found.classes],
    }
    for name, values in columns.items():
        field(made, name, np.array(values), "Gy")
    field(made, "exposed_volume", found.classes[0].metrics.exposed_mm3, "mm^3")
    for plane in planes_of(found.made, found.classes[0].name):
        name = f"map_{plane.up}{plane.across}"
        dataset = field(made, name, plane.dose_Gy.astype(np.float32), "Gy")
        dataset.attrs["extent_mm"] = np.array(plane.extent_mm)
        dataset.attrs["at_mm"] = plane.at_mm
        dataset.attrs["class"] = found.classes[0].name
