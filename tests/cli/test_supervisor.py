"""Real processes: started in order, started again, ended beam first, never left behind."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from toys import USUAL, events, toy_supervisor

from voltomo.cli.processes import ProcessIdentity
from voltomo.cli.supervisor import StartFailed, Supervisor
from voltomo.runtime.locks import Held
from voltomo.runtime.ports import NoPorts, lock_ports


def until(condition, patience_s: float = 10.0) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def nothing_runs(folder: Path) -> bool:
    return all(ProcessIdentity.of(pid) is None for _, _, pid in events(folder))


def test_all_serve_and_the_beam_goes_first(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path) as supervisor:
        assert supervisor.states() == dict.fromkeys(USUAL, "ready")
        pids = [supervisor.pid(name) for name in USUAL]
        assert pids == sorted(pids), "started in the order of the list"
        state = json.loads((tmp_path / "services" / "guard.json").read_text())
        assert state["pid"] == supervisor.pid("guard")
        assert state["state"] == "ready"
        assert supervisor.folder.addresses() == supervisor.addresses
    with pytest.raises(FileNotFoundError, match="no services run in"):
        supervisor.folder.addresses()
    ended = [name for what, name, _ in events(tmp_path) if what == "end"]
    assert ended == ["guard", "shutter", "page", "motion"]
    assert nothing_runs(tmp_path)
    assert not (tmp_path / "supervisor.json").exists()


def test_what_died_comes_back_on_the_same_port(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path) as supervisor:
        before = supervisor.pid("motion")
        port = supervisor.addresses.channel_access["motion"]
        os.kill(before, signal.SIGKILL)
        assert until(lambda: "motion" not in running(supervisor) or changed(supervisor, before))
        assert supervisor.wait_ready("motion", 20)
        assert supervisor.pid("motion") != before
        with socket.create_connection(("127.0.0.1", port), 1):
            pass
        state = json.loads((tmp_path / "services" / "motion.json").read_text())
        assert state["restarts"] == 1
    assert nothing_runs(tmp_path)


def running(supervisor: Supervisor) -> set[str]:
    return {name for name, state in supervisor.states().items() if state == "ready"}


def changed(supervisor: Supervisor, before: int) -> bool:
    try:
        return supervisor.pid("motion") != before
    except ValueError:
        return False


def test_what_dies_too_often_stays_down_and_the_rest_goes_on(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path, restarts=1) as supervisor:
        for _ in range(2):
            assert supervisor.wait_ready("page", 20)
            pid = supervisor.pid("page")
            os.kill(pid, signal.SIGKILL)
            assert until(lambda pid=pid: ProcessIdentity.of(pid) is None)
        assert until(lambda: supervisor.states()["page"] == "failed")
        assert not supervisor.wait_ready("page", 0.3)
        assert running(supervisor) == set(USUAL) - {"page"}


def test_a_failed_start_shows_the_log_and_stops_the_rest(tmp_path: Path) -> None:
    with pytest.raises(StartFailed) as failure:
        toy_supervisor(tmp_path, {"motion": "good", "guard": "broken"}).start()
    assert "'guard' ended at once" in str(failure.value)
    assert "the toy cannot find its batteries" in str(failure.value)
    assert until(lambda: nothing_runs(tmp_path))
    with toy_supervisor(tmp_path, {"motion": "good"}) as supervisor:
        assert running(supervisor) == {"motion"}


def test_one_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="'guard' did not answer in time"):
        toy_supervisor(tmp_path, {"motion": "good", "guard": "deaf"}).start(patience_s=3)
    assert nothing_runs(tmp_path)


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path, {"motion": "stubborn"}) as supervisor:
        pid = supervisor.pid("motion")
    assert ProcessIdentity.of(pid) is None


def test_a_second_supervisor_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path, {"motion": "good"}) as first:
        with pytest.raises(Held, match=rf"voltomo up.*process {os.getpid()} of"):
            toy_supervisor(tmp_path).start()
        assert first.states() == {"motion": "ready"}
        assert (tmp_path / "supervisor.json").exists(), "the first one's, still there"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    block = lock_ports("a test")
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", block.port(3)))
        stranger.listen()
        # Not earlier, or somebody else's services could take the block meanwhile.
        block.release()
        with pytest.raises(NoPorts, match=f"port {block.port(3)} is taken"):
            toy_supervisor(tmp_path, first_port=block.first).start()
    assert events(tmp_path) == []


def test_what_an_earlier_run_left_is_ended_first(tmp_path: Path) -> None:
    first = toy_supervisor(tmp_path / "first", {"motion": "good"})
    first.start()
    try:
        pid = first.pid("motion")
        state = (tmp_path / "first" / "services" / "motion.json").read_text()
        services = tmp_path / "second" / "services"
        services.mkdir(parents=True)
        (services / "motion.json").write_text(state)
        with toy_supervisor(tmp_path / "second", {"guard": "good"}):
            assert until(lambda: ProcessIdentity.of(pid) is None or first.pid("motion") != pid)
            assert not (services / "motion.json").exists()
    finally:
        first.stop()
