"""What a catalogue is told of a run: valid documents, files as they are, every trigger's fate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from event_model import DocumentNames, schema_validators

from tests.records.synthetic import SyntheticRun, count_run, small_spec
from voltomo.model.stream_names import FRAME_TABLE
from voltomo.records.catalogue_documents import CatalogueDocuments, catalogue_documents
from voltomo.records.ended_runs import EndedRun, EndedRuns, documents_of
from voltomo.records.run_log import RunLog
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def ended(folder: RunFolder, uid: str) -> EndedRun:
    (run,) = [run for run in EndedRuns(folder.run_log).poll() if run.uid == uid]
    return run


def told(run: SyntheticRun) -> CatalogueDocuments:
    documents = documents_of(run.folder.run_log, ended(run.folder, run.uid))
    return catalogue_documents(documents, read_scan(run.folder, run.uid))


def named(run: CatalogueDocuments, name: str) -> list[dict[str, Any]]:
    return [doc for found, doc in run.documents if found == name]


def frame_table(run: CatalogueDocuments) -> dict[str, np.ndarray]:
    (uid,) = [d["uid"] for d in named(run, "descriptor") if d["name"] == FRAME_TABLE]
    (page,) = [page for page in named(run, "event_page") if page["descriptor"] == uid]
    return {key: np.array(column) for key, column in page["data"].items()}


def files(run: CatalogueDocuments, stream: str) -> list[tuple[Path, int]]:
    (uid,) = [d["uid"] for d in named(run, "descriptor") if d["name"] == stream]
    of = {d["stream_resource"]: d for d in named(run, "stream_datum") if d["descriptor"] == uid}
    return [
        (Path(d["uri"].removeprefix("file://localhost")), of[d["uid"]]["indices"]["stop"])
        for d in named(run, "stream_resource")
        if d["uid"] in of
    ]


def test_every_document_is_valid_and_those_of_the_log_are_unchanged(folder: RunFolder) -> None:
    run = SyntheticRun(folder, lost=(30,), missed=(40,)).write()
    made = told(run)
    for name, doc in made.documents:
        schema_validators[DocumentNames[name]].validate(
            # As they come out of JSON: no arrays of numpy.
            doc
        )
    logged = documents_of(folder.run_log, ended(folder, run.uid))
    for name in ("start", "event", "stop"):
        assert named(made, name) == [doc for found, doc in logged if found == name]
    latched = [page for page in named(made, "event_page") if page["descriptor"].endswith("-t")]
    assert latched == [doc for found, doc in logged if found == "event_page"]
    assert made.problems == ()


def test_the_table_of_frames_says_where_each_frame_is_and_which_have_none(
    folder: RunFolder,
) -> None:
    run = SyntheticRun(folder, small_spec(sweeps=2), lost=(30,), missed=(40, 95)).write()
    made = told(run)
    table = frame_table(made)
    without = table["trigger_index"][table["row"] < 0]
    assert without.tolist() == [30, 40, 95]
    assert set(table["outcome"][np.isin(table["trigger_index"], [30, 40, 95])]) <= {
        "missed_by_camera", "lost_after_numbering", "missing",
    }  # fmt: skip
    for index, stream, row in zip(
        table["trigger_index"], table["stream"], table["row"], strict=True
    ):
        if row < 0:
            continue
        for path, count in files(made, stream):
            if row < count:
                with h5py.File(path) as file:
                    assert np.array_equal(file["entry/data/data"][row], run.truth[int(index)])  # type: ignore[index]
                break
            row -= count


def test_a_file_that_is_missing_is_said_and_the_rest_is_there(folder: RunFolder) -> None:
    run = SyntheticRun(folder, small_spec(sweeps=2)).write()
    (lost,) = folder.frames.glob("*sweep_0.h5")
    lost.unlink()
    made = told(run)
    assert any(lost.name in problem for problem in made.problems)
    assert [path.name[13:] for path, _ in files(made, "primary")] == ["sweep_1.h5"]
    table = frame_table(made)
    kept = table["row"][table["block"] == "sweep_1"]
    assert kept.tolist() == list(range(60))
    assert set(table["row"][table["block"] == "sweep_0"]) == {-1}


def test_a_file_that_no_document_names_is_found(folder: RunFolder) -> None:
    run = SyntheticRun(folder, announce_last_file=False).write()
    made = told(run)
    named_now = {path.name for stream in ("flats", "primary") for path, _ in files(made, stream)}
    on_disk = {path.name for path in folder.frames.glob("*.h5")}
    assert {name for name in on_disk if "flats" in name or "sweep" in name} == named_now
    assert (frame_table(made)["row"] >= 0).all()


def test_a_run_that_is_no_scan_is_told_as_it_was(folder: RunFolder) -> None:
    SyntheticRun(folder, last=30).write()
    uid = count_run(folder)
    logged = documents_of(folder.run_log, ended(folder, uid))
    assert [name for name, _ in logged] == ["start", "descriptor", *["event"] * 3, "stop"]
    assert catalogue_documents(logged).documents == logged


def test_runs_appear_when_they_end(folder: RunFolder) -> None:
    following = EndedRuns(folder.run_log)
    assert following.poll() == []
    open_run = SyntheticRun(folder, last=30, stop=None).write()
    assert following.poll() == []
    whole = SyntheticRun(folder, last=30).write()
    assert [run.uid for run in following.poll()] == [whole.uid]
    with RunLog(folder.run_log) as log:
        log("stop", {"uid": "s", "time": 1.0, "run_start": open_run.uid, "exit_status": "fail"})
    (run,) = following.poll()
    assert (run.uid, run.stop_uid) == (open_run.uid, "s")
    of_it = documents_of(folder.run_log, run)
    assert all(doc.get("run_start", open_run.uid) == open_run.uid for _, doc in of_it)


def test_half_a_run_is_refused() -> None:
    with pytest.raises(ValueError, match="from a start to a stop"):
        catalogue_documents([("start", {"uid": "a", "time": 1.0})])
