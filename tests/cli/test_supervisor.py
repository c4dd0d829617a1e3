"""Real processes: started in order, started again, ended beam first, never left behind."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from toys import USUAL, events, toy_specs, toy_supervisor
from typer.testing import CliRunner

from voltomo.cli.kept_service import KeptService
from voltomo.cli.main import app
from voltomo.cli.processes import ProcessIdentity
from voltomo.cli.supervisor import StartFailed, Supervisor
from voltomo.runtime.launch import give_addresses
from voltomo.runtime.locks import Held
from voltomo.runtime.ports import NoPorts, lock_ports
from voltomo.runtime.run_folder import RunFolder


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


def test_a_service_that_lives_and_hangs_is_started_again(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path, {"motion": "hanging", "guard": "good"}, silence_s=1.5) as kept:
        hung, well = kept.pid("motion"), kept.pid("guard")
        assert until(lambda: ProcessIdentity.of(hung) is None)
        assert kept.wait_ready("motion", 20)
        state = json.loads((tmp_path / "services" / "motion.json").read_text())
        assert state["restarts"] == 1
        assert kept.pid("motion") != hung
        assert kept.pid("guard") == well
    assert nothing_runs(tmp_path)


def test_one_that_hangs_again_and_again_is_shown_as_failed(tmp_path: Path) -> None:
    hanging = {"motion": "hanging", "guard": "good"}
    with toy_supervisor(tmp_path, hanging, restarts=0, silence_s=1.5) as kept:
        assert until(lambda: kept.states()["motion"] == "failed")
        said = CliRunner().invoke(app, ["status", "--run-folder", str(tmp_path)])
    assert said.exit_code == 1
    line = next(line for line in said.output.splitlines() if line.startswith("motion"))
    assert line.split()[1] == "failed"
    assert "it ended once within 10 minutes, and is not started again; at last it hung" in line


def test_one_that_gives_no_signs_is_not_taken_for_hung(tmp_path: Path) -> None:
    with toy_supervisor(tmp_path, {"motion": "mute"}, silence_s=0.3) as kept:
        pid = kept.pid("motion")
        time.sleep(1.0)
        assert kept.pid("motion") == pid


def test_whoever_stood_still_itself_calls_nobody_hung(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path).create()
    ports = lock_ports("a test")
    addresses = give_addresses(ports, ("motion",), ())
    kept = KeptService(
        toy_specs({"motion": "good"}, silence_s=1.0)(addresses)[0], folder, addresses
    )
    kept.start()
    try:
        pid = kept.pid
        assert pid is not None
        assert until(lambda: (kept.look(), kept.state == "ready")[1])
        end_s = time.monotonic() + 1.5
        while time.monotonic() < end_s:
            kept.look()
            time.sleep(0.05)
        # A machine that sleeps stops the one who looks, too.
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.2)
        kept.look()
        time.sleep(2.5)
        kept.look()
        assert kept.pid == pid
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.7)
        kept.look()
        assert kept.pid == pid
        # Stopped while somebody looks on, it is hung.
        os.kill(pid, signal.SIGSTOP)
        assert until(lambda: (kept.look(), kept.pid != pid)[1], 5)
    finally:
        kept.stop()
        ports.release()


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
