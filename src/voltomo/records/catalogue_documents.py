"""What a catalogue is told of a run: its documents, with files as they are and a table of frames.

Documents are announcements, made while frames were still under way. A catalogue that is filled
afterwards can say what came of them: `catalogue_documents` gives the same start, descriptors,
events and stop, and beside them the files that can be read, and one row for each trigger that
says where its frame is, or that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voltomo.model.frame_layout import file_of, place_of
from voltomo.model.frame_table import Outcome
from voltomo.model.names import run_name
from voltomo.model.scan_spec import BlockKind
from voltomo.model.stream_names import FRAME_TABLE, STREAMS
from voltomo.records.catalogue_frames import (
    CataloguedArray,
    catalogued_arrays,
    resource_documents,
)
from voltomo.records.ended_runs import Documents
from voltomo.records.scan import Scan

_COLUMNS: dict[str, tuple[str, str, str]] = {
    "trigger_index": ("integer", "", "index over the whole scan"),
    "block": ("string", "", "block of the scan"),
    "kind": ("string", "", "priming, darks, flats or sweep"),
    "outcome": ("string", "", "frame, or why there is no valid one"),
    "angle_deg": ("number", "deg", "rotation at mid-exposure"),
    "dose_Gy": ("number", "Gy", "dose of this exposure"),
    "stream": ("string", "", "stream that holds the frame"),
    "row": ("integer", "", "place in that stream's array; -1 without a valid frame"),
}


@dataclass(frozen=True)
class CatalogueDocuments:
    """Documents of a run for a catalogue, and what is wrong with the run, as sentences."""

    documents: Documents
    problems: tuple[str, ...] = ()


def catalogue_documents(documents: Documents, scan: Scan | None = None) -> CatalogueDocuments:
    """Documents of an ended run, with its files as they are.

    Parameters
    ----------
    documents : Documents
        Of the run, as they were logged, from start to stop.
    scan : Scan or None
        The run as a scan, where it is one.

    Raises
    ------
    ValueError, KeyError
        They are no documents of a run.
    """
    names = [name for name, _ in documents]
    if not names or names[0] != "start" or names[-1] != "stop":
        raise ValueError(
            "expected documents from a start to a stop, saw "
            f"{', '.join(dict.fromkeys(names)) or 'none'}"
        )
    arrays, problems = catalogued_arrays(documents, scan)
    uid = str(documents[0][1]["uid"])
    made: Documents = []
    for name, doc in documents[:-1]:
        if name == "descriptor":
            made.append((name, _with_real_shapes(doc, arrays)))
        elif name not in ("stream_resource", "stream_datum"):
            made.append((name, doc))
    for array in arrays:
        made += resource_documents(array, uid)
    if scan is not None:
        problems += scan.problems
        made += frame_table_documents(scan, arrays)
    made.append(documents[-1])
    return CatalogueDocuments(made, tuple(dict.fromkeys(problems)))


def _with_real_shapes(descriptor: dict[str, Any], arrays: list[CataloguedArray]) -> dict[str, Any]:
    """The descriptor, with the size and type of frames that the files have."""
    keys = dict(descriptor.get("data_keys", {}))
    for array in arrays:
        if array.descriptor == descriptor["uid"]:
            file = array.files[0]
            real = {"shape": list(file.shape), "dtype_numpy": file.dtype}
            keys[array.data_key] = {**keys[array.data_key], **real}
    return {**descriptor, "data_keys": keys}


def frame_table_documents(scan: Scan, arrays: list[CataloguedArray]) -> Documents:
    """What became of each trigger, as a stream of its own; nothing where none was latched."""
    table, record = scan.table, scan.record
    if not table.index.size:
        return []
    uid = f"{run_name(record.uid)}-{FRAME_TABLE}"
    blocks = record.blocks
    kinds: list[BlockKind] = [blocks[int(number)].kind for number in table.block]
    utc_s = table.time_s + record.latches.utc_minus_trigger_s
    data: dict[str, list[Any]] = {
        "trigger_index": table.index.tolist(),
        "block": [blocks[int(number)].name for number in table.block],
        "kind": list(kinds),
        "outcome": [Outcome(int(outcome)).name.lower() for outcome in table.outcome],
        "angle_deg": table.angle_deg.tolist(),
        "dose_Gy": table.dose_Gy.tolist(),
        "stream": [STREAMS[kind] for kind in kinds],
        "row": _rows(scan, arrays).tolist(),
    }
    count, utc = table.index.size, utc_s.tolist()
    # Its device is the join itself: no object of the beamline has these values.
    descriptor = {
        "uid": uid,
        "run_start": record.uid,
        "name": FRAME_TABLE,
        "time": float(record.start["time"]),
        "configuration": {},
        "hints": {},
        "object_keys": {"voltomo": list(_COLUMNS)},
        "data_keys": {
            key: {
                "source": f"voltomo, joined from logs and files: {meaning}",
                "dtype": kind,
                "shape": [],
                "object_name": "voltomo",
                **({"units": unit} if unit else {}),
            }
            for key, (kind, unit, meaning) in _COLUMNS.items()
        },
    }
    page = {
        "uid": [f"{uid}-{index}" for index in data["trigger_index"]],
        "descriptor": uid,
        "seq_num": list(range(1, count + 1)),
        "time": utc,
        "data": data,
        "timestamps": dict.fromkeys(data, utc),
    }
    return [("descriptor", descriptor), ("event_page", page)]


def _rows(scan: Scan, arrays: list[CataloguedArray]) -> np.ndarray:
    """Place of each trigger's frame in the array of its stream, −1 where there is none."""
    first = {file.path.resolve(): file.first for array in arrays for file in array.files}
    firsts = np.array(
        [first.get(source.path.resolve(), -1) for source in scan.delivered.sources],
        dtype=np.int64,
    )
    table = scan.table
    rows = np.full(table.index.shape, -1, dtype=np.int64)
    valid = np.flatnonzero(table.valid)
    if valid.size:
        handles = table.source[valid]
        begins = firsts[file_of(handles)]
        rows[valid] = np.where(begins >= 0, begins + place_of(handles), -1)
    return rows
