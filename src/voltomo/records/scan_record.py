"""One run, folded from the logs: what was asked, what fired, where the frames lie, what it cost.

The fold is pure: it opens no file, so that the same entries always give the same record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_table import Triggers
from voltomo.model.names import run_name
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.stream_names import BASELINE, BASELINE_WITHOUT
from voltomo.model.takes import split_take_name, take_name
from voltomo.records.charges import Charge, Charged, Opening, charged_by_run, steps_between
from voltomo.records.run_entries import is_scan
from voltomo.records.run_events import (
    Decision,
    Reading,
    TakeEnded,
    decisions_in,
    readings_in,
    takes_in,
)
from voltomo.runtime.log_reader import Entry

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRIGGER_KEYS = ("trigger_index", "trigger_angle_deg", "trigger_time_s")


@dataclass(frozen=True)
class Latches:
    """Latched triggers in order of index, arrays of shape (n,).

    ``utc_s`` is when the RunEngine's process learned of each: never before the edge itself.
    """

    index: Ints
    time_s: Floats
    angle_deg: Floats
    utc_s: Floats

    @property
    def utc_minus_trigger_s(self) -> float:
        """UTC minus trigger clock, from the trigger whose news travelled fastest."""
        if not self.index.size:
            return 0.0
        return float(np.min(self.utc_s - self.time_s))


@dataclass(frozen=True)
class FrameSource:
    """A file that holds frames of a take of a block."""

    block: str
    path: Path
    dataset: str = "/entry/data/data"
    take: int = 1


@dataclass(frozen=True)
class ScanRecord:
    """Everything that the logs say about one run.

    Attributes
    ----------
    uid : str
        Uid of the start document.
    start, stop : mapping, mapping or None
        The documents; no stop while the run is going on, or when its session died.
    spec : ScanSpec
        What was asked for.
    latches : Latches
        What fired, in the takes that count.
    sources : tuple of FrameSource
        Where the frames of these takes lie, in the order of their blocks' files.
    counted : mapping
        By block, the number of the take that counts: the last complete one, else the last.
    takes : tuple of TakeEnded
        What became of each take, in order; runs of older versions have none.
    baseline : tuple of Reading
        Positions, energy, currents before and after.
    decisions : tuple of Decision
        Looks at the verdict that may end the scan early, in order; none without a target.
    openings, charges : tuple
        Every opening of the beam for this run (exposure log), every settled lease (both logs).
    """

    uid: str
    start: Mapping[str, Any]
    stop: Mapping[str, Any] | None
    spec: ScanSpec
    latches: Latches
    sources: tuple[FrameSource, ...]
    counted: Mapping[str, int]
    takes: tuple[TakeEnded, ...]
    baseline: tuple[Reading, ...]
    openings: tuple[Opening, ...]
    charges: tuple[Charge, ...]
    decisions: tuple[Decision, ...] = ()

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of triggers that were asked for."""
        return self.spec.blocks()

    @property
    def triggers(self) -> Triggers:
        """The latched triggers, each with the period and number of its block."""
        latches = self.latches
        return Triggers.of_blocks(self.blocks, latches.index, latches.time_s, latches.angle_deg)

    def purpose(self, block: Block) -> str:
        """What the leases of a block are called, in the take that counts."""
        return take_name(block.name, self.counted.get(block.name, 1))

    def taken_again(self, purpose: str) -> bool:
        """Whether a lease was for a take that does not count."""
        block, number = split_take_name(purpose)
        return block in self.counted and number != self.counted[block]

    @property
    def source(self) -> str:
        """Where the frames come from: "twin", "replay" or "beamline"."""
        return str(self.start.get("source", "beamline"))

    @property
    def outcome(self) -> str:
        """How the run ended: "success", "abort", "fail", or "open" without a stop document."""
        return "open" if self.stop is None else str(self.stop.get("exit_status", "fail"))

    @property
    def reason(self) -> str:
        """Why it ended so; empty where nobody said."""
        return "" if self.stop is None else str(self.stop.get("reason", ""))

    def with_files_found(self, frames_folder: Path) -> ScanRecord:
        """Add files of frames that exist but were never announced, by their names.

        A session that is killed in mid-sweep leaves a file that no document names.
        """
        known = {source.path.resolve() for source in self.sources}
        found = [
            FrameSource(block.name, path, take=self.counted.get(block.name, 1))
            for block in self.blocks
            for path in [frames_folder / f"{run_name(self.uid)}_{self.purpose(block)}.h5"]
            if path.exists() and path.resolve() not in known
        ]
        return replace(self, sources=self.sources + tuple(found))


def fold_scan(
    uid: str, run_entries: Iterable[Entry], exposure_entries: Iterable[Entry] = ()
) -> ScanRecord:
    """Fold the record of one run out of the logs.

    Parameters
    ----------
    uid : str
        Uid of the run's start document.
    run_entries, exposure_entries : iterable of Entry
        The run log, and the guard's exposure log.

    Raises
    ------
    KeyError
        The run is not in the log, or holds no scan.
    """
    fold = _Fold(uid)
    for entry in run_entries:
        fold.take(entry)
    if fold.start is None or "scan_spec" not in fold.start:
        raise KeyError(f"the run log holds no scan {uid}; check the uid and the run folder")
    return fold.record(charged_by_run(exposure_entries).get(uid, Charged()))


def fold_scans(
    run_entries: Iterable[Entry], exposure_entries: Iterable[Entry] = ()
) -> Iterator[ScanRecord]:
    """Fold the records of all scans out of the logs, in one pass over each.

    Yields
    ------
    ScanRecord
        Oldest first.
    """
    folds: dict[str, _Fold] = {}
    run_of: dict[str, str] = {}
    for entry in run_entries:
        uid = _run_of(entry, run_of)
        if uid is None:
            continue
        if is_scan(entry):
            folds[uid] = _Fold(uid)
        if uid in folds:
            folds[uid].take(entry)
    charged = charged_by_run(exposure_entries)
    for uid, fold in folds.items():
        yield fold.record(charged.get(uid, Charged()))


def _run_of(entry: Entry, run_of: dict[str, str]) -> str | None:
    """The run that an entry speaks of; remembers which run a descriptor is of."""
    if entry.kind == "settlement":
        return entry.data.get("scan_uid")
    if entry.kind != "document":
        return None
    name, doc = entry.data["name"], entry.data["doc"]
    if name == "start":
        return str(doc["uid"])
    if name == "descriptor":
        run_of[doc["uid"]] = doc["run_start"]
    return doc.get("run_start") or run_of.get(doc.get("descriptor", ""))


class _Fold:
    """Takes the entries of a log one by one and keeps what belongs to one run."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.start: dict[str, Any] | None = None
        self.stop: dict[str, Any] | None = None
        self.streams: dict[str, dict[str, Any]] = {}
        self.latched: list[Floats] = []
        self.sources: list[FrameSource] = []
        self.takes: list[TakeEnded] = []
        self.baseline: list[Reading] = []
        self.decisions: list[Decision] = []
        self.charges: dict[str, Charge] = {}
        # What UTC was set to when the run began: all times of the record are by that clock.
        self.utc_minus_monotonic_s: float | None = None

    def record(self, charged: Charged) -> ScanRecord:
        start = self.start or {}
        spec = ScanSpec.model_validate(start["scan_spec"])
        latched = np.concatenate([np.empty((0, 5)), *self.latched])
        counted = _counted(spec.blocks(), latched, self.sources, self.takes)
        sources = [s for s in self.sources if s.take == counted.get(s.block, s.take)]
        return ScanRecord(
            uid=self.uid,
            start=start,
            stop=self.stop,
            spec=spec,
            latches=_latches(spec.blocks(), latched, counted),
            sources=tuple(dict.fromkeys(sources)),
            counted=counted,
            takes=tuple(self.takes),
            baseline=tuple(self.baseline),
            openings=tuple(
                opening.by_clock(self.utc_minus_monotonic_s) for opening in charged.openings
            ),
            # A session that died has not heard of the last settlements; the guard has.
            charges=tuple((self.charges | charged.charges).values()),
            decisions=tuple(self.decisions),
        )

    def take(self, entry: Entry) -> None:
        if entry.kind == "settlement" and entry.data.get("scan_uid") == self.uid:
            charge = Charge.model_validate(entry.data)
            self.charges[charge.lease_id] = charge
        elif entry.kind == "document":
            self._take_document(entry, entry.data["name"], entry.data["doc"])

    def _take_document(self, entry: Entry, name: str, doc: dict[str, Any]) -> None:
        if name == "start" and doc["uid"] == self.uid:
            self.start = doc
            self.utc_minus_monotonic_s = entry.utc_minus_monotonic_s
        elif name in ("event", "event_page"):
            descriptor = self.streams.get(doc["descriptor"])
            if descriptor is not None:
                later_s = steps_between(entry.utc_minus_monotonic_s, self.utc_minus_monotonic_s)
                rows = [(utc_s + later_s, data) for utc_s, data in _rows(name, doc)]
                self._take_events(descriptor, rows)
        elif doc.get("run_start") != self.uid:
            return
        elif name == "stop":
            self.stop = doc
        elif name == "descriptor":
            self.streams[doc["uid"]] = doc
        elif name == "stream_resource":
            self.sources.append(_source(doc))

    def _take_events(
        self, descriptor: dict[str, Any], rows: Iterable[tuple[float, dict[str, Any]]]
    ) -> None:
        if descriptor.get("name") == "triggers":
            latched = [
                [*(data[key] for key in TRIGGER_KEYS), utc_s, data.get("trigger_take", 1)]
                for utc_s, data in rows
            ]
            self.latched.append(np.array(latched, dtype=np.float64).reshape(-1, 5))
        elif descriptor.get("name") == "takes":
            self.takes += takes_in(rows)
        elif descriptor.get("name") == "decisions":
            self.decisions += decisions_in(rows)
        elif descriptor.get("name") in (BASELINE, BASELINE_WITHOUT):
            self.baseline += readings_in(descriptor, rows)


def _rows(name: str, doc: dict[str, Any]) -> list[tuple[float, dict[str, Any]]]:
    """The events of a document, each with its UTC time."""
    if name == "event":
        return [(float(doc["time"]), doc["data"])]
    data: dict[str, list[Any]] = doc["data"]
    return [
        (float(utc_s), {key: column[at] for key, column in data.items()})
        for at, utc_s in enumerate(doc["time"])
    ]


def _source(doc: dict[str, Any]) -> FrameSource:
    parameters = doc.get("parameters", {})
    path = Path(unquote(urlparse(str(doc["uri"])).path))
    named, number = split_take_name(path.stem.partition("_")[2])
    return FrameSource(
        parameters.get("block") or named,
        path,
        parameters.get("dataset", "/entry/data/data"),
        int(parameters.get("take", number)),
    )


def _counted(
    blocks: Iterable[Block],
    latched: Floats,
    sources: Iterable[FrameSource],
    takes: Iterable[TakeEnded],
) -> dict[str, int]:
    """The take of each block that counts: the last complete one, else the last that is known."""
    complete = {take.block: take.number for take in takes if take.outcome == "complete"}
    known = {take.block: take.number for take in takes}
    for source in sources:
        known[source.block] = max(source.take, known.get(source.block, 1))
    counted: dict[str, int] = {}
    for block in blocks:
        inside = (latched[:, 0] >= block.first) & (latched[:, 0] < block.last)
        last = max(int(latched[inside, 4].max(initial=1)), known.get(block.name, 1))
        counted[block.name] = complete.get(block.name, last)
    return counted


def _latches(blocks: Iterable[Block], latched: Floats, counted: Mapping[str, int]) -> Latches:
    """One latch for each index: of the take that counts, by the first news of it."""
    counts = latched[:, 4] == 1
    within: list[NDArray[np.bool_]] = []
    for block in blocks:
        inside = (latched[:, 0] >= block.first) & (latched[:, 0] < block.last)
        counts[inside] = latched[inside, 4] == counted[block.name]
        within.append(inside)
    # A block that was taken again may be later than those behind it: each by itself.
    again = any(number > 1 for number in counted.values())
    parts = [inside & counts for inside in within] if again else [counts]
    table = np.concatenate([np.empty((0, 4)), *(_one_each(latched[part, :4]) for part in parts)])
    index, angle_deg, time_s, utc_s = table.T
    return Latches(index.astype(np.int64), time_s, angle_deg, utc_s)


def _one_each(table: Floats) -> Floats:
    """One row for each index, where latches were told more than once: the latest of them."""
    index, _, time_s, utc_s = table.T
    table = table[np.lexsort((utc_s, -time_s, index))]
    index, time_s = table[:, 0], table[:, 2]
    first = np.ones(index.shape, dtype=bool)
    first[1:] = np.diff(index) > 0
    # A later attempt that ended early leaves the tail of the older one behind: its edges are
    # older than those of lower indices.
    later_s = np.maximum.accumulate(np.where(first, time_s, -np.inf)) if index.size else time_s
    return table[first & (time_s >= later_s)]
