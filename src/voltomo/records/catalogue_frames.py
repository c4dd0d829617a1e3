"""Files of frames as a catalogue names them: those that can be read, as they really are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlparse

import h5py

from voltomo.model.frame_layout import FRAMES
from voltomo.model.names import run_name
from voltomo.model.scan_spec import BlockKind
from voltomo.model.stream_names import STREAMS
from voltomo.records.delivered import readable
from voltomo.records.ended_runs import Documents
from voltomo.records.scan import Scan
from voltomo.runtime.frame_files import FrameFileUnreadable

HDF5 = "application/x-hdf5"


@dataclass(frozen=True)
class CataloguedFile:
    """A file of frames that can be read.

    ``shape`` is that of one frame, ``first`` the place of its first frame in the array that the
    catalogue shows of all files of a stream.
    """

    path: Path
    dataset: str
    count: int
    shape: tuple[int, ...]
    dtype: str
    first: int
    parameters: dict[str, Any]


@dataclass(frozen=True)
class CataloguedArray:
    """The frames of a stream: the descriptor and the data key that name them, and their files."""

    descriptor: str
    data_key: str
    files: tuple[CataloguedFile, ...]


@dataclass(frozen=True)
class _Named:
    """A file that a document, or the scan's own names, speak of."""

    descriptor: str
    data_key: str
    path: Path
    dataset: str
    parameters: dict[str, Any]


def catalogued_arrays(
    documents: Documents, scan: Scan | None
) -> tuple[list[CataloguedArray], list[str]]:
    """Arrays of frames of a run, and what is wrong with its files, as sentences.

    A file that cannot be read or has no frame is left out; one whose writer was killed is named
    by its clean copy. What counts is what files hold, not what documents announced.

    Parameters
    ----------
    documents : Documents
        Of the run.
    scan : Scan or None
        The run as a scan, where it is one: it knows of files that were never announced.
    """
    problems: list[str] = []
    named = _announced(documents, problems)
    named += _never_announced(documents, scan, {each.path.name for each in named})
    found: dict[tuple[str, str], list[CataloguedFile]] = {}
    for each in named:
        files = found.setdefault((each.descriptor, each.data_key), [])
        try:
            file = _look(each, files[-1] if files else None)
        except (FrameFileUnreadable, OSError, KeyError) as error:
            problems.append(str(error))
        else:
            files += [file] if file.count else []
    arrays = [CataloguedArray(*key, tuple(files)) for key, files in found.items() if files]
    return arrays, problems


def _announced(documents: Documents, problems: list[str]) -> list[_Named]:
    """Files that documents name, in the order of their documents."""
    of_resource: dict[str, str] = {}
    for name, doc in documents:
        if name == "stream_datum":
            of_resource.setdefault(str(doc["stream_resource"]), str(doc["descriptor"]))
    streams = _streams(documents)
    named: list[_Named] = []
    for name, doc in documents:
        if name != "stream_resource":
            continue
        parameters = dict(doc.get("parameters", {}))
        # The session may have died before it said which frames there are.
        descriptor = of_resource.get(str(doc["uid"])) or streams.get(_stream_of(parameters))
        path = Path(unquote(urlparse(str(doc["uri"])).path))
        if descriptor is None or doc.get("mimetype") != HDF5:
            problems.append(f"{path.name}: no stream is known for it, and it was left out")
            continue
        dataset = str(parameters.get("dataset", FRAMES))
        named.append(_Named(descriptor, str(doc["data_key"]), path, dataset, parameters))
    return named


def _stream_of(parameters: dict[str, Any]) -> str:
    """Stream of the block of that name: blocks are named for their kind."""
    kind = str(parameters.get("block", "")).partition("_")[0]
    return {str(of): stream for of, stream in STREAMS.items()}.get(kind, "")


def _streams(documents: Documents) -> dict[str, str]:
    """Uids of descriptors by the names of their streams."""
    return {str(doc["name"]): str(doc["uid"]) for name, doc in documents if name == "descriptor"}


def _never_announced(documents: Documents, scan: Scan | None, known: set[str]) -> list[_Named]:
    """Files of a scan that a session left when it was killed: no document names them."""
    if scan is None:
        return []
    keys = {
        str(doc["uid"]): key
        for name, doc in documents
        if name == "descriptor"
        for key, given in doc.get("data_keys", {}).items()
        if "external" in given
    }
    streams = _streams(documents)
    named: list[_Named] = []
    kinds: dict[str, BlockKind] = {block.name: block.kind for block in scan.record.blocks}
    for source in scan.record.sources:
        descriptor = streams.get(STREAMS[kinds[source.block]]) if source.block in kinds else None
        if source.path.name not in known and descriptor in keys:
            parameters = {"block": source.block, "take": source.take}
            named.append(
                _Named(descriptor, keys[descriptor], source.path, source.dataset, parameters)
            )
    return named


def _look(named: _Named, before: CataloguedFile | None) -> CataloguedFile:
    path = readable(named.path)
    with h5py.File(path, "r") as file:
        frames = cast("h5py.Dataset", file[named.dataset])
        count, *shape = map(int, frames.shape)
        dtype = str(frames.dtype.str)
    first = 0 if before is None else before.first + before.count
    if count and before is not None and (tuple(shape), dtype) != (before.shape, before.dtype):
        raise FrameFileUnreadable(
            f"{path.name} holds frames of {' × '.join(map(str, shape))} pixels ({dtype}), the "
            f"files before it {' × '.join(map(str, before.shape))} ({before.dtype}); it was left "
            "out"
        )
    return CataloguedFile(path, named.dataset, count, tuple(shape), dtype, first, named.parameters)


def resource_documents(array: CataloguedArray, run: str) -> Documents:
    """The documents that name the files of an array: each is one resource and one datum."""
    made: Documents = []
    for number, file in enumerate(array.files):
        uid = f"{run_name(run)}-{array.descriptor}-{array.data_key}-{number}"
        made.append(
            (
                "stream_resource",
                {
                    "uid": uid,
                    "run_start": run,
                    "data_key": array.data_key,
                    "mimetype": HDF5,
                    "uri": f"file://localhost{quote(str(file.path.resolve()))}",
                    "parameters": {
                        **file.parameters,
                        "dataset": file.dataset,
                        "chunk_shape": [1, *file.shape],
                        # Closed files alone are named: whoever reads needs no more care.
                        "swmr": False,
                    },
                },
            )
        )
        made.append(
            (
                "stream_datum",
                {
                    "uid": f"{uid}/0",
                    "stream_resource": uid,
                    "descriptor": array.descriptor,
                    "indices": {"start": 0, "stop": file.count},
                    "seq_nums": {"start": file.first + 1, "stop": file.first + file.count + 1},
                },
            )
        )
    return made
