"""A scan as it was: the record of the logs joined with the frames of the files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voltomo.model.camera_clock import track_clock
from voltomo.model.clock import ClockMap
from voltomo.model.frame_layout import frame_handles
from voltomo.model.frame_table import Frames, FrameTable, Triggers, join
from voltomo.model.names import run_name
from voltomo.records.delivered import Delivered, deliver
from voltomo.records.dose_account import DoseAccount, FrameExposure, account, expose
from voltomo.records.light import unlit
from voltomo.records.run_entries import entries_of_run
from voltomo.records.scan_record import FrameSource, ScanRecord, fold_scan
from voltomo.runtime.log_reader import LogPosition, LogReader
from voltomo.runtime.run_folder import RunFolder

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scan:
    """One run with its frames; what every export and report starts from.

    Attributes
    ----------
    record : ScanRecord
        What the logs say.
    delivered : Delivered
        What the files hold.
    table : FrameTable
        One row per latched trigger, dose included.
    clock : ClockMap or None
        From the camera's clock to the trigger clock; None where it could not be fixed.
    exposure : FrameExposure
        Flux and dose of each trigger's exposure.
    dose : DoseAccount
        Where the dose went.
    problems : tuple of str
        What is wrong with the record, as sentences.
    stored : Scan or None
        The run whose flats stand in for its own.
    """

    record: ScanRecord
    delivered: Delivered
    table: FrameTable
    clock: ClockMap | None
    exposure: FrameExposure
    dose: DoseAccount
    problems: tuple[str, ...]
    stored: Scan | None = None

    @property
    def sources(self) -> tuple[FrameSource, ...]:
        """Files by their number: its own, then those of stored flats."""
        own = self.delivered.sources
        return own if self.stored is None else own + self.stored.delivered.sources

    @property
    def flats(self) -> Ints:
        """Handles of all valid flats in `sources`, its own or the stored ones."""
        if self.stored is not None:
            return self.stored.flats + frame_handles(len(self.delivered.sources), 1)[0]
        kinds = [at for at, block in enumerate(self.record.blocks) if block.kind == "flats"]
        rows = self.table.of_blocks(kinds)
        return rows.source[rows.valid]

    @property
    def block_numbers(self) -> dict[str, int]:
        """Numbers of the blocks by their names."""
        return {block.name: at for at, block in enumerate(self.record.blocks)}

    @property
    def scan_rows(self) -> FrameTable:
        """The table without priming: what counts as triggers, frames and missing of a scan."""
        kept = [at for at, block in enumerate(self.record.blocks) if block.kind != "priming"]
        return self.table.of_blocks(kept)

    @property
    def invalid_handles(self) -> Ints:
        """Frames that exist but are no trigger's: ambiguous and unlit ones, and orphans."""
        handles = self.delivered.frames.source
        known = np.concatenate([self.table.source[self.table.valid], self.table.duplicates])
        return handles[~np.isin(handles, known)]


def frame_table(record: ScanRecord, delivered: Delivered) -> FrameTable:
    """Join triggers and frames of a run.

    Raises
    ------
    ValueError
        The priming frames do not fix the camera's clock.
    """
    return _join(record, record.triggers, delivered)[0]


def _join(
    record: ScanRecord, triggers: Triggers, delivered: Delivered
) -> tuple[FrameTable, ClockMap | None]:
    frames = delivered.frames
    clock = None
    if frames.source.size and triggers.index.size:
        clock = track_clock(triggers, frames, record.blocks[0])
    spec = record.spec
    table = join(triggers, frames, clock or ClockMap(0.0), spec.exposure_s, spec.read_out_s)
    return table, clock


def _unmatched(record: ScanRecord, triggers: Triggers, delivered: Delivered) -> FrameTable:
    nothing = np.empty(0, dtype=np.int64)
    none, spec = Frames(np.empty(0), nothing, nothing), record.spec
    table = join(triggers, none, ClockMap(0.0), spec.exposure_s, spec.read_out_s)
    return replace(table, orphans=delivered.frames.source)


def assemble(record: ScanRecord, stored: StoredScans | None = None) -> Scan:
    """Read the files of a run and join everything; what is wrong becomes a problem, not an error.

    Without a clock no frame gets a trigger: all triggers are missing, all frames orphans.

    Parameters
    ----------
    record : ScanRecord
        What the logs say.
    stored : StoredScans, optional
        Finds the run whose flats stand in, where the scan took none.
    """
    delivered = deliver(record)
    problems = list(delivered.unreadable)
    triggers = record.triggers
    try:
        table, clock = _join(record, triggers, delivered)
    except ValueError as error:
        problems.append(f"frames could not be matched with triggers: {error}")
        table, clock = _unmatched(record, triggers, delivered), None
    table = table.without_light(unlit(record, table))
    exposure = expose(record, table)
    table = table.with_dose(exposure.dose_Gy)
    flats = None
    if record.spec.stored_flats is not None:
        flats = None if stored is None else stored.find(record.spec.stored_flats)
        if flats is None or not flats.flats.size:
            flats = None
            problems.append(
                f"the stored flats of run {run_name(record.spec.stored_flats)} are not in this "
                "run folder; the scan has none"
            )
        elif flats.delivered.shape != delivered.shape and delivered.frames.source.size:
            rows, columns = flats.delivered.shape
            flats = None
            problems.append(f"the stored flats are of {rows} × {columns} pixels, and not used")
    dose = account(record, table)
    return Scan(record, delivered, table, clock, exposure, dose, tuple(problems), flats)


@dataclass(frozen=True)
class StoredScans:
    """Runs of a run folder whose flats others use.

    Parameters
    ----------
    folder : RunFolder
        Where they were recorded.
    """

    folder: RunFolder

    def find(self, uid: str) -> Scan | None:
        """The run; None where there is none, or it has stored flats itself."""
        try:
            scan = read_scan(self.folder, uid, with_stored=False)
        except KeyError:
            return None
        return None if scan.record.spec.stored_flats is not None else scan


def read_scan(
    folder: RunFolder, uid: str, *, with_stored: bool = True, begins: LogPosition | None = None
) -> Scan:
    """A scan of a run folder, from its logs and files, and of another run its stored flats.

    Parameters
    ----------
    folder : RunFolder
        Where it was recorded.
    uid : str
        Of the run.
    with_stored : bool
        Whether flats of another run are looked for, where it uses them.
    begins : LogPosition, optional
        Where a run that has ended begins in the run log; it is sought if not given.

    Raises
    ------
    KeyError
        The run log holds no such scan.
    """
    exposures = LogReader(folder.exposure_log).entries([uid.encode()])
    record = fold_scan(uid, entries_of_run(folder.run_log, uid, begins), exposures)
    stored = StoredScans(folder) if with_stored else None
    return assemble(record.with_files_found(folder.frames), stored)
