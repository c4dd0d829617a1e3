"""Flats of a recorded run, for samples that cannot leave the beam: found, and held to the scan."""

from __future__ import annotations

from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.records.run_entries import matching_scans
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.yaml_file import FileRefused


def with_stored_flats(spec: ScanSpec, folder: RunFolder) -> ScanSpec:
    """The same scan, its stored flats named by the whole uid of their run.

    Raises
    ------
    FileRefused
        There is no such run, or its flats do not fit the scan.
    """
    if spec.stored_flats is None:
        return spec
    found = matching_scans(folder.run_log, spec.stored_flats) if folder.run_log.exists() else []
    if len(found) != 1:
        raise FileRefused(
            f"stored_flats: expected {spec.stored_flats!r} to name one run in {folder.root}, saw "
            f"{len(found)}; no beam was used; take flats_and_darks first, or give more digits"
        )
    (uid,) = found
    stored = read_scan(folder, uid, with_stored=False)
    own, other = spec.geometry, stored.record.spec
    rows, columns = stored.delivered.shape
    for what, wanted, seen in (
        ("flats that were taken", "some", "some" if stored.flats.size else "none"),
        ("frames", f"{own.rows} × {own.columns}", f"{rows} × {columns}"),
        ("an exposure of", f"{spec.exposure_s:g} s", f"{other.exposure_s:g} s"),
    ):
        if wanted != seen:
            raise FileRefused(
                f"stored_flats: expected {what} {wanted} of the run {run_name(uid)}, saw {seen}; "
                "no beam was used; name another run, or take flats like this scan's"
            )
    return spec.model_copy(update={"stored_flats": uid})
