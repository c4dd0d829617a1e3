"""The catalogue on real tiled: filled once, served on loopback, read by databroker and by tiled."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest

from tests.records.serving import client_of, served_catalogue
from tests.records.synthetic import SyntheticRun, count_run, small_spec
from voltomo.model.frame_layout import FRAMES
from voltomo.records.catalogue_settings import CatalogueSettings, KeyRefused, own_key, read_key
from voltomo.records.catalogue_state import CatalogueState, lag_sentence, read_state
from voltomo.records.ended_runs import EndedRuns, documents_of
from voltomo.records.filler import Filler
from voltomo.records.run_log import RunLog
from voltomo.runtime.run_folder import RunFolder

pytestmark = [
    pytest.mark.long,
    # tiled's own TestClient and its HTTP library speak of their future.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:Using `httpx`"),
    pytest.mark.timeout(300),
]

OWN = CatalogueSettings()


def bad_run(folder: RunFolder) -> str:
    """Events of a stream that was never described."""
    with RunLog(folder.run_log) as log:
        log("start", {"uid": "bad-run", "time": 1.0})
        log(
            "event",
            {
                "uid": "e",
                "descriptor": "bad-run-none",
                "time": 1.0,
                "seq_num": 1,
                "data": {"x": 1.0},
                "timestamps": {"x": 1.0},
                "run_start": "bad-run",
            },
        )
        log("stop", {"uid": "s", "time": 2.0, "run_start": "bad-run",
                     "exit_status": "success"})  # fmt: skip
    return "bad-run"


class Filled:
    """A run folder with runs of every kind, and what came of filling its catalogue."""

    def __init__(self, root: Path) -> None:
        self.folder = RunFolder(root)
        self.whole = SyntheticRun(self.folder, small_spec(sweeps=2), lost=(30,)).write()
        self.bad = bad_run(self.folder)
        self.poor = SyntheticRun(self.folder).write()
        self.lost = sorted(self.folder.frames.glob(f"*{self.poor.uid[:8]}*flats*.h5"))[0]
        self.lost.unlink()
        self.count = count_run(self.folder)
        self.open = SyntheticRun(self.folder, last=9, stop=None).write()
        self.fill()

    def fill(self) -> None:
        """Fill a catalogue in which a filler was killed while it wrote a run."""
        from voltomo.records.filling import Filling
        from voltomo.records.tiled_store import open_catalogue

        with open_catalogue(self.folder, OWN) as catalogue:
            catalogue.create_container(
                key=self.poor.uid, metadata={"start": {"uid": self.poor.uid}}
            )
            filling = Filling(self.folder, catalogue)
            for run in EndedRuns(self.folder.run_log).poll():
                filling.fill(run)
        self.state = CatalogueState(runs=tuple(filling.done), set_aside=filling.aside)
        self.state.write(self.folder)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(tmp_path_factory.mktemp("catalogue") / "run")


@pytest.fixture(scope="module")
def served(filled: Filled) -> Iterator[tuple[str, str]]:
    """Address and key of the catalogue, served by the command."""
    with served_catalogue(filled.folder) as served:
        yield served


def frames_of(run: SyntheticRun, name: str) -> np.ndarray:
    (path,) = run.folder.frames.glob(f"*{run.uid[:8]}*{name}.h5")
    with h5py.File(path) as file:
        return np.asarray(file[FRAMES])


def test_every_ended_run_is_in_it_once_and_what_failed_is_set_aside(filled: Filled) -> None:
    assert set(filled.state.runs) == {filled.whole.uid, filled.poor.uid, filled.count}
    assert list(filled.state.set_aside) == [filled.bad]
    assert "could not be catalogued" in filled.state.set_aside[filled.bad]
    assert read_state(filled.folder) == filled.state
    behind = lag_sentence(filled.folder)
    assert behind is not None
    assert "3 runs, up to date, 1 set aside" in behind


def test_filling_again_changes_nothing_and_takes_up_what_is_new(filled: Filled) -> None:
    from voltomo.records.tiled_store import open_catalogue

    with RunLog(filled.folder.run_log) as log:
        log("stop", {"uid": "late", "time": 1.0, "run_start": filled.open.uid,
                     "exit_status": "fail", "reason": "the session died"})  # fmt: skip
    behind = lag_sentence(filled.folder)
    assert behind is not None
    assert "1 wait" in behind
    again = Filler(filled.folder, OWN)
    again.follow()
    state = again.fill()
    again.close()
    assert state is not None
    assert list(state.set_aside) == [filled.bad]
    assert set(state.runs) == {filled.whole.uid, filled.poor.uid, filled.count, filled.open.uid}
    with open_catalogue(filled.folder, OWN) as catalogue:
        assert sorted(catalogue.keys()) == sorted(state.runs)
        assert catalogue[filled.open.uid].stop["reason"] == "the session died"


def test_databroker_reads_tables_frames_and_documents(
    filled: Filled, served: tuple[str, str]
) -> None:
    import databroker.client

    catalogue: Any = client_of(*served)
    assert issubclass(type(catalogue), databroker.client.CatalogOfBlueskyRuns)
    broker: Any = catalogue.v1
    run = broker[filled.whole.uid]
    (ended,) = [r for r in EndedRuns(filled.folder.run_log).poll() if r.uid == filled.whole.uid]
    logged = documents_of(filled.folder.run_log, ended)
    assert dict(run.start) == logged[0][1]
    assert dict(run.stop) == logged[-1][1]
    latched = [doc["data"] for name, doc in logged if name == "event_page"]
    table = run.table(stream_name="triggers")
    for column in ("trigger_index", "trigger_angle_deg", "trigger_time_s"):
        assert table[column].tolist() == [x for data in latched for x in data[column]]
    assert run.table(stream_name="baseline")["sample_stage_x"].tolist() == [1.0, 1.0]
    frames = np.array(list(run.data("camera_image", stream_name="primary")))
    in_files = [frames_of(filled.whole, name) for name in ("sweep_0", "sweep_1")]
    assert np.array_equal(frames, np.concatenate(in_files))
    names = [name for name, _ in catalogue[filled.whole.uid].documents()]
    assert (names[0], names[-1]) == ("start", "stop")
    assert [found.start["uid"] for found in broker(plan_name="count")] == [filled.count]
    assert broker[filled.count].table()["detector"].tolist() == [10.0, 20.0, 30.0]
    catalogue.context.close()


def test_plain_tiled_over_http_reads_a_part_and_says_what_is_missing(
    filled: Filled, served: tuple[str, str]
) -> None:
    from tiled.client.container import DEFAULT_STRUCTURE_CLIENT_DISPATCH
    from tiled.structures.core import StructureFamily

    # No client of bluesky's or databroker's: what tiled knows by itself.
    known = DEFAULT_STRUCTURE_CLIENT_DISPATCH["numpy"]
    plain = client_of(*served, {family: known[family] for family in StructureFamily})
    run = plain[filled.whole.uid]
    # A part of three frames: the last of the first sweep, then of the second.
    part = run["primary"]["camera_image"][57:60, 3]
    wanted = np.concatenate([frames_of(filled.whole, f"sweep_{n}") for n in (0, 1)])
    assert np.array_equal(part, wanted[57:60, 3])
    table = run["frame_table"]["internal"].read()
    (lost,) = table[table["row"] < 0].to_dict("records")
    assert (lost["trigger_index"], lost["stream"]) == (30, "primary")
    problems = plain[filled.poor.uid].metadata["voltomo"]["problems"]
    assert any(filled.lost.name in problem for problem in problems)
    assert len(plain[filled.poor.uid]["flats"]["camera_image"].read()) == 6
    plain.context.close()


def test_the_server_lets_nobody_in_without_the_key_and_nobody_write(
    filled: Filled, served: tuple[str, str]
) -> None:
    address, key = served
    assert httpx.get(f"{address}/metadata/").status_code == 401
    header = {"Authorization": f"Apikey {key}"}
    assert httpx.get(f"{address}/metadata/", headers=header).status_code == 200
    answer = httpx.delete(f"{address}/metadata/{filled.whole.uid}", headers=header)
    assert answer.status_code == 405
    assert "for reading" in answer.json()["detail"]


class Elsewhere(RunFolder):
    """A catalogue of its own that sees another folder's frames, as a server does."""

    @property
    def catalogue(self) -> Path:
        return self.root / "server"


def test_a_server_is_filled_over_http_and_trouble_with_it_is_no_fault_of_the_runs(
    tmp_path: Path,
) -> None:
    import uvicorn

    from voltomo.records.tiled_store import embedded_app

    folder, key_file = RunFolder(tmp_path / "run").create(), tmp_path / "key"
    uid = count_run(folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1"
        taken.listen()
        filler = Filler(folder, CatalogueSettings(server=address, api_key_file=key_file))
        filler.follow()
        waiting = list(filler.waiting)
        state = filler.fill()
        assert state is not None
        assert "cannot be opened" in state.trouble
        assert filler.waiting == waiting
        assert filler.fill() is None, "it is tried again later, not at once"
        own_key(key_file)
        app = embedded_app(Elsewhere(folder.root), read_key(key_file))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            again = Filler(folder, CatalogueSettings(server=address, api_key_file=key_file))
            again.follow()
            state = again.fill()
            again.close()
        finally:
            server.should_exit = True
            thread.join()
    assert state is not None
    assert state.trouble == ""
    assert state.runs == (uid,)


def test_what_was_set_aside_is_not_forgotten_after_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voltomo.records.filler._PATIENCE_S", (0.0, 0.0))
    folder = RunFolder(tmp_path).create()
    bad, first = bad_run(folder), count_run(folder)
    filler = Filler(folder, OWN)

    def filled() -> CatalogueState:
        filler.follow()
        state = filler.fill()
        assert state is not None
        return state

    assert list(filled().set_aside) == [bad]
    second = count_run(folder)

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(folder.catalogue / "catalogue.db")) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename("nodes", "hidden")
    troubled = filled()
    assert troubled.trouble != ""
    assert list(troubled.set_aside) == [bad]
    rename("hidden", "nodes")
    state = filled()
    filler.close()
    assert set(state.runs) == {first, second}
    assert (list(state.set_aside), state.trouble) == ([bad], "")
    assert read_state(folder) == state
    # What was read for it is not read again: a log whose beginning is spoilt shows.
    assert state.followed.number > 0
    third = count_run(folder)
    with folder.run_log.open("r+b") as log:
        log.write(b"spoilt")
    assert "2 runs, 1 wait, 1 set aside" in str(lag_sentence(folder))
    replaced = RunFolder(tmp_path / "other").create()
    count_run(replaced)
    state.write(replaced)
    assert "1 wait" in str(lag_sentence(replaced))
    assert third not in state.runs


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(KeyRefused, match="saw none"):
        read_key(path)
    key = own_key(path)
    assert own_key(path) == key
    path.chmod(0o640)
    with pytest.raises(KeyRefused, match="saw mode 640"):
        read_key(path)
