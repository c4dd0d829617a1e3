"""``voltomo shell`` as a person sees it: at a terminal, line by line."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from tests.virtual_beamline import VirtualBeamline, beamline_file
from voltomo.cli.processes import ProcessIdentity
from voltomo.model.names import run_name
from voltomo.records.run_entries import last_scan
from voltomo.records.scan import read_scan
from voltomo.runtime.locks import FileLock
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.world import World

pytestmark = [pytest.mark.twin, pytest.mark.slow]

QUICK = "exposure_s=0.012, period_s=0.02, darks=2, flats_before=2, flats_after=0"
SHORT, LONG = f"spec(projections=60, {QUICK})", f"spec(projections=900, {QUICK})"
UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


class Shell:
    """A shell at a terminal of its own.

    A plain terminal, without colours: what a person reads is what comes out of it.
    """

    def __init__(self, place: Path, *words: str | Path) -> None:
        profile = place / "ipython" / "profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_config.py").write_text(
            "c = get_config()\nc.InteractiveShell.colors = 'NoColor'\n"
        )
        environment = os.environ | {"IPYTHONDIR": str(place / "ipython"), "TERM": "dumb"}
        self.terminal: Any = pexpect.spawn(
            sys.executable,
            ["-m", "voltomo.cli.main", "shell", *map(str, words)],
            env=environment,
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 250),
        )
        self._cell = 1
        self._typed = ""
        self.banner = self.until_prompt()

    def until_prompt(self) -> str:
        """What is shown until the next prompt."""
        self.terminal.expect(rf"In \[{self._cell}\]: ")
        said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.terminal.before).replace("\r", "")
        # A line that is typed before the shell reads is shown by the terminal, then by the shell.
        shown = [line for line in said.splitlines() if not self._typed or self._typed not in line]
        return "\n".join(shown).strip()

    def begin(self, line: str) -> None:
        """Type a line."""
        self._cell += 1
        self._typed = line
        self.terminal.sendline(line)
        # The terminal shows what is typed.
        self.terminal.expect("\r\n")

    def type(self, line: str) -> str:
        """Type a line and wait for the answer."""
        self.begin(line)
        return self.until_prompt()

    def interrupt(self) -> str:
        """Type Ctrl-C and wait for the answer."""
        self.terminal.sendintr()
        return self.until_prompt()

    def wait(self) -> int:
        """Wait for its end; its exit code, or minus the signal's number."""
        self.terminal.expect(pexpect.EOF)
        self.terminal.close()
        return self.terminal.exitstatus if self.terminal.signalstatus is None else -1


def answers(said: str) -> str:
    """The one line of an answer that is no word of the engine's."""
    (line,) = [
        line
        for line in said.splitlines()
        if line and not line.startswith(("^C", "Pausing", "Aborting", "scan ", "run "))
    ]
    return line


@pytest.fixture(scope="module")
def shell(beamline: VirtualBeamline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell on the beamline that is up; ended by `test_exit_gives_the_beamline_back`."""
    made = Shell(tmp_path_factory.mktemp("shell"), "--run-folder", beamline.folder.root)
    yield made
    made.terminal.close(force=True)


def last_run(folder: RunFolder) -> Any:
    uid = last_scan(folder.run_log)
    assert uid is not None
    return read_scan(folder, uid).record


def test_an_interlaced_scan_ends_with_its_target(shell: Shell, beamline: VirtualBeamline) -> None:
    target = 'stop_when("frc_resolution", at_most=300.0, patience_s=20.0)'
    asked = f'projections=60, sweeps=6, interlace="golden", stop_when={target}, {QUICK}'
    said = shell.type(f"RE(tomography(beamline, spec({asked}), verdicts=live))")
    assert "success" in said, said
    record = last_run(beamline.folder)
    assert record.outcome == "success"
    assert "the target was reached (frc_resolution at most 300 um) after 2 of 6" in record.reason
    assert "67 % of the dose of the sweeps was saved" in record.reason
    assert [(one.sweeps, one.ends) for one in record.decisions] == [(2, True)]
    purposes = [charge.purpose for charge in record.charges]
    assert purposes == ["flats_before", "sweep_0", "sweep_1"]


def test_it_says_what_is_there(beamline: VirtualBeamline, shell: Shell) -> None:
    assert f"beamline 'virtual' in {beamline.folder.root}" in shell.banner
    assert f"http://127.0.0.1:{beamline.supervisor.addresses.page}/" in shell.banner
    assert "RE(tomography(beamline, spec(projections=200)))" in shell.banner
    assert "samples: 'demo cell', 'poor cell'" in shell.banner
    assert "exit ends the session, the beamline stays." in shell.banner
    assert "Traceback" not in shell.banner


def test_a_scan_gives_its_uid(beamline: VirtualBeamline, shell: Shell) -> None:
    said = shell.type(f"RE(tomography(beamline, {SHORT}, md=metadata))")
    found = re.search(rf"Out\[\d+\]: \('({UUID})',\)", said)
    assert found, said
    name = run_name(found[1])
    assert f"scan {name} of 'demo cell': 76 triggers" in said
    assert f"run {name}: success; its files: voltomo export {name}" in said
    scan = read_scan(beamline.folder, found[1])
    assert (scan.record.outcome, scan.record.source) == ("success", "twin")
    assert scan.table.missing.size == 0


def test_plain_python_is_plain(shell: Shell) -> None:
    assert shell.type("6 * 7").endswith(": 42")
    said = shell.type("1 / 0")
    assert "Traceback" in said
    assert said.endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "RE(tomography(beamline, spec(start_deg=5000.0), md=metadata))",
            "rotation, sweep_0: expected a path within the limits, run-up included, saw ",
        ),
        ("RE(bps.mv(rotation, 5000))", "the plan failed: LimitError: rotation_user_setpoint: "),
        ("spec(exposure_s='38 ms')", "no scan: exposure_s: must be a number, in s and without a"),
        ("beamline.lease.request(None)", ""),
    ],
)
def test_an_error_of_a_plan_is_a_sentence(shell: Shell, line: str, sentence: str) -> None:
    said = shell.type(line)
    if sentence:
        assert answers(said).startswith(sentence)
        assert "LimitError" not in sentence or shell.type("%tb").count("\n") > 10
    else:
        assert "Traceback" in said, "a mistake in plain Python is shown as ever"


def test_ctrl_c_in_mid_sweep_pauses_with_the_beam_off(
    beamline: VirtualBeamline, shell: Shell
) -> None:
    known = len(beamline.world.frames)
    shell.begin(f"RE(tomography(beamline, {LONG}, md=metadata))")
    beamline.wait(lambda: bool((beamline.world.frames.since(known)["index"] >= 40).any()), 30)
    told_s = beamline.world.now_s()
    said = answers(shell.interrupt())
    assert said.startswith("paused, the beam is off; RE.resume() goes on from the last checkpoint")
    assert "RE.abort('why') ends the run; what was recorded is kept either way" in said
    assert shell.type("print(RE.state, shutter.state.get())") == "paused Closed"
    beamline.wait(lambda: beamline.world.now_s() > told_s + 1.1, 5)
    assert beamline.closed_from(told_s)


def test_a_resumed_sweep_is_taken_again(beamline: VirtualBeamline, shell: Shell) -> None:
    shell.type("RE.resume()")
    scan = beamline.last_scan()
    assert scan.record.outcome == "success"
    assert scan.table.missing.size == 0


def test_resuming_between_blocks_goes_on_to_the_end(
    beamline: VirtualBeamline, shell: Shell
) -> None:
    sample_x = beamline.world.channel("sample_x")
    shell.begin(f"RE(tomography(beamline, {SHORT}, md=metadata))")
    # On its way out of the beam, for flats.
    beamline.wait(lambda: float(sample_x.velocity(beamline.world.now_s())) > 0, 30)
    assert answers(shell.interrupt()).startswith("paused, the beam is off; RE.resume()")
    assert re.search(rf"Out\[\d+\]: \('{UUID}',\)", shell.type("RE.resume()"))
    scan = beamline.last_scan()
    assert scan.record.outcome == "success"
    assert scan.table.missing.size == 0


def test_an_abort_closes_the_run_with_its_reason(beamline: VirtualBeamline, shell: Shell) -> None:
    sample_x = beamline.world.channel("sample_x")
    shell.begin(f"RE(tomography(beamline, {SHORT}, md=metadata))")
    beamline.wait(lambda: float(sample_x.velocity(beamline.world.now_s())) > 0, 30)
    assert answers(shell.interrupt()).startswith("paused, ")
    shell.type("RE.abort('wrong cell')")
    record = last_run(beamline.folder)
    assert (record.outcome, record.reason) == ("abort", "wrong cell")
    assert shell.type("RE.state").endswith("'idle'")


def test_exit_gives_the_beamline_back(beamline: VirtualBeamline, shell: Shell) -> None:
    pid = shell.terminal.pid
    shell.begin("exit")
    assert shell.wait() == 0
    assert ProcessIdentity.of(pid) is None
    FileLock(beamline.folder.beamline_lock, "the test").acquire().release()
    assert set(beamline.supervisor.states().values()) == {"ready"}


def left_of(folder: RunFolder) -> list[str]:
    """Processes that still name a run folder."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder.root) in words:
            found.append(words)
    return found


def test_a_beamline_of_its_own_ends_with_it_even_in_mid_sweep(tmp_path: Path) -> None:
    path = tmp_path / "beamline.yml"
    values = beamline_file().model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(values | {"name": "by path"}, sort_keys=False))
    folder = RunFolder(tmp_path / "run")
    shell = Shell(tmp_path, "--beamline", path, "--run-folder", folder.root)
    assert shell.banner.startswith("starting the virtual beamline")
    assert "beamline 'by path'" in shell.banner
    assert "exit ends the session and the virtual beamline." in shell.banner
    world = World.open(folder.world)
    first_port = min(folder.addresses().channel_access.values())
    shell.begin(f"RE(tomography(beamline, {LONG}, md=metadata))")
    VirtualBeamline.wait(lambda: bool((world.frames.since(0)["index"] >= 40).any()), 30)
    told_s = world.now_s()
    assert left_of(folder)
    os.kill(shell.terminal.pid, signal.SIGHUP)
    assert shell.wait() == 0

    record = last_run(folder)
    assert record.outcome == "abort"
    assert record.reason == (
        "the session was ended by the end of its terminal while the plan was paused; the beam is "
        "off"
    )
    gone = world.channel("shutter").history()
    assert float(gone[-1]["t1"]) < told_s + 1.0
    assert float(gone[-1]["x0"]) == 0
    assert not left_of(folder)
    for lock in (folder.beamline_lock, folder.supervisor_lock):
        FileLock(lock, "the test").acquire().release()
    lock_ports("the test", first_port).release()
