"""DataExchange files: the projection of a scan for programs that read that layout.

Stacks of their own for projections (``exchange/data``), flats (``data_white``) and darks
(``data_dark``), angles in degrees (``theta``), as in De Carlo et al., J. Synchrotron Rad. 21 (2014)
1224. What has no place there lies in ``voltomo``, as in the NXtomo file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from voltomo.model.names import run_name
from voltomo.records.frame_stacks import (
    NothingToExport,
    PutFrames,
    Tell,
    file_in_place,
    is_linked,
    made_or_left,
    to_log,
)
from voltomo.records.nxtomo_fields import axis_column_of, iso_utc, write_voltomo
from voltomo.records.nxtomo_groups import field
from voltomo.records.nxtomo_rows import DARK, FLAT, INVALID, PROJECTION, NXtomoRows, nxtomo_rows
from voltomo.records.scan import Scan, StoredScans, assemble
from voltomo.records.scan_record import fold_scans
from voltomo.runtime.log_reader import Entry, LogReader
from voltomo.runtime.run_folder import RunFolder

_STACKS = (("data", PROJECTION), ("data_white", FLAT), ("data_dark", DARK))


def export_dxchange(scan: Scan, path: Path, *, link: bool = False) -> Path:
    """Write a scan, whole or partial, as a DataExchange file.

    Parameters
    ----------
    scan : Scan
        See `voltomo.records.scan.read_scan`.
    path : Path
        The file; replaced in one step.
    link : bool
        True refers to the files of frames instead of copying the frames.

    Raises
    ------
    NothingToExport
        There is no projection to export.
    NoRoom
        The frames do not fit on the disk a second time.
    """
    rows = _valid(nxtomo_rows(scan))
    if not np.any(rows.image_key == PROJECTION):
        why = "; ".join(scan.problems) or "it has none, or ended before the first"
        raise NothingToExport(
            f"scan {run_name(scan.record.uid)} has no projections for a DataExchange file: {why}"
        )
    with file_in_place(path, scan, rows.handle.size, link=link) as (part, put):
        _write(part, scan, rows, put)
    return path


def _valid(rows: NXtomoRows) -> NXtomoRows:
    """Frames that are some trigger's; the layout has no word for others."""
    keep = rows.image_key != INVALID
    return NXtomoRows(*(getattr(rows, name)[keep] for name in NXtomoRows.__dataclass_fields__))


def _write(part: Path, scan: Scan, rows: NXtomoRows, put: PutFrames) -> None:
    with h5py.File(part, "w", libver=("earliest", "v110")) as file:
        field(file, "implements", "exchange:measurement:voltomo")
        exchange = file.create_group("exchange")
        start = scan.record.start
        words = scan.record.spec.plan_name.replace("_", " ")
        field(exchange, "title", str(start.get("title") or f"{scan.record.spec.sample}, {words}"))
        for name, key in _STACKS:
            chosen = rows.handle[rows.image_key == key]
            if chosen.size:
                stack = put(exchange, name, scan, chosen, part.parent)
                stack.attrs["units"] = "counts"
                stack.attrs["axes"] = "theta:y:x" if key == PROJECTION else "image:y:x"
        field(exchange, "theta", rows.angle_deg[rows.image_key == PROJECTION], "deg")
        _write_measurement(file, scan)
        # One row a frame: darks, then flats, then projections, each as in its stack.
        ours = write_voltomo(file, scan, rows)
        column = axis_column_of(scan)
        if column is not None:
            field(ours, "rotation_axis_column", column, "pixel")


def _write_measurement(file: h5py.File, scan: Scan) -> None:
    """Sample, source, energy, pixel and exposure, where the layout's readers look for them."""
    record, spec = scan.record, scan.record.spec
    beamline: dict[str, Any] = dict(record.start.get("beamline") or {})
    measurement = file.create_group("measurement")
    field(measurement.create_group("sample"), "name", spec.sample)
    acquisition = measurement.create_group("acquisition")
    field(acquisition, "start_date", iso_utc(float(record.start["time"])))
    if record.stop is not None:
        field(acquisition, "end_date", iso_utc(float(record.stop["time"])))
    instrument = measurement.create_group("instrument")
    field(instrument, "name", str(beamline.get("name", "unknown")))
    field(instrument.create_group("source"), "name", str(beamline.get("source_name", "unknown")))
    if record.start.get("energy_keV") is not None:
        energy = float(record.start["energy_keV"])
        field(instrument.create_group("monochromator"), "energy", energy, "keV")
    detector = instrument.create_group("detector")
    field(detector, "exposure_time", spec.exposure_s, "s")
    field(detector, "dimension_x", scan.delivered.shape[1])
    field(detector, "dimension_y", scan.delivered.shape[0])
    objective = instrument.create_group("detection_system").create_group("objective")
    # Of a pixel at the sample, as readers take it.
    field(objective, "resolution", spec.geometry.pixel_um, "um")


@dataclass(frozen=True)
class DXchangeProjection:
    """Folds the run log into the DataExchange files that were asked for: those that are there.

    Parameters
    ----------
    folder : RunFolder
        Where frames lie and where exports go.
    tell : callable, optional
        Is told which files were left as they were, and why.
    """

    folder: RunFolder
    tell: Tell = to_log
    name: str = "dxchange"

    def fold(self, log: Iterable[Entry]) -> list[Path]:
        """Write the files anew, linked where they were; returns them in the order of the scans."""
        if not any(self.folder.exports.glob(f"*{SUFFIX}")):
            return []
        exposures = LogReader(self.folder.exposure_log).entries()
        written: list[Path] = []
        for record in fold_scans(log, exposures):
            path = self.path_of(record.uid)
            if path.exists():
                found = record.with_files_found(self.folder.frames)
                scan = assemble(found, StoredScans(self.folder))
                link = is_linked(path, "exchange/data")
                make = partial(export_dxchange, scan, path, link=link)
                written += made_or_left(path, make, self.tell)
        return written

    def path_of(self, uid: str) -> Path:
        """Where the file of a scan goes."""
        return self.folder.exports / f"{run_name(uid)}{SUFFIX}"


SUFFIX = ".dxchange.h5"
"""How the names of these files end."""
