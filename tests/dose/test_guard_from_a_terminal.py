"""``voltomo beam off`` and ``voltomo guard``: from any terminal, whoever has the beam."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys

import pytest

from tests.dose.guard_bench import GuardBench, Remote
from voltomo.profiles.beamline_file import load_beamline
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import write_json
from voltomo.twin.world import Fault

pytestmark = pytest.mark.twin


def voltomo(bench: GuardBench, *words: str, code: int = 0) -> str:
    """What a command says."""
    # A facility's own settings in the caller's shell lead nowhere.
    environment = os.environ | {"EPICS_CA_ADDR_LIST": "192.0.2.1", "EPICS_CA_NAME_SERVERS": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "voltomo.cli.main", *words, "--run-folder", str(bench.folder.root)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return (done.stdout + done.stderr).strip()


def test_beam_off_takes_the_beam_from_whoever_has_it(bench: GuardBench, client: Remote) -> None:
    lease = client.take()
    bench.wait_open()
    said = voltomo(bench, "beam", "off")
    assert said == (
        "the beam is off: the shutter reads Closed; no scan that had begun gets it again"
    )
    assert bench.open_part == 0
    assert "stopped by hand" in client.ask("renew", lease_id=lease)["error"]
    client.do("let_go")
    bench.wait(lambda: bench.of_lease(lease)[-1].kind == "settle", 2)
    assert voltomo(bench, "beam", "off") == said, "a beam that is off may be taken again"
    assert client.get("Guard:Stops") == 2
    bench.assert_logged()


def test_status_and_reset_of_a_guard_that_latched(bench: GuardBench, client: Remote) -> None:
    file = load_beamline("virtual")
    sample = file.samples[0].model_copy(update={"name": "cell"})
    here = file.model_copy(update={"samples": [sample]})
    write_json(bench.folder.beamline_file, here.model_dump(mode="json"))
    said = voltomo(bench, "guard", "status").splitlines()
    assert said[0].startswith("guard   Idle")
    assert "beam    the shutter reads Closed" in said
    assert said[-1].startswith("sample  cell: ")
    assert "s of beam left" in said[-1]
    assert voltomo(bench, "guard", "reset", "--reason", "x") == (
        "the guard is not latched; nothing was changed"
    )

    client.take()
    bench.wait_open()
    bench.world.inject(Fault("shutter_stuck_open"))
    said = voltomo(bench, "beam", "off", code=1)
    assert "the guard enables the beam no more, but the shutter reads" in said
    assert said.endswith("close it by hand")
    client.do("let_go")
    bench.wait(lambda: client.get("Guard:State") == 2, 3)
    assert voltomo(bench, "guard", "status").startswith("guard   Latched: ")
    assert "a reset needs a reason" in voltomo(bench, "guard", "reset", "--reason", " ", code=2)
    said = voltomo(bench, "guard", "reset", "--reason", "hammered on it", code=2)
    assert "the guard stays latched" in said
    assert "not read closed" in said

    bench.world.heal()
    bench.wait_closed(bench.world.now_s(), 2)
    bench.wait(lambda: "Closed" in voltomo(bench, "guard", "status"), 10)
    said = voltomo(bench, "guard", "reset", "--reason", "hammered on it")
    assert said == "the guard gives leases again; the reason is in the exposure log"
    assert bench.entries("reset")[-1].data["reason"] == "hammered on it"
    client.put("Beam:Attenuator", 1.0, wait=True)
    assert client.try_beam()


def test_the_environment_is_enough_for_plain_caput(bench: GuardBench, client: Remote) -> None:
    refused = voltomo(bench, "status", "--env", code=2)
    assert "have ended; start them with 'voltomo up'" in refused
    with FileLock(bench.folder.supervisor_lock, "voltomo up"):
        lines = voltomo(bench, "status", "--env")
    lease = client.take()
    bench.wait_open()
    since_s = bench.world.now_s()
    put = f"{shlex.quote(sys.executable)} -c 'import epics; epics.caput(\"VT:Guard:StopBeam\", 1)'"
    subprocess.run(["sh", "-c", f"{lines}\n{put}"], check=True, timeout=60)
    bench.wait_closed(since_s, 10)
    assert "stopped by hand" in client.ask("renew", lease_id=lease)["error"]


def test_a_guard_that_is_hung_is_named_and_the_shutter_read(
    bench: GuardBench, client: Remote
) -> None:
    client.take()
    bench.wait_open()
    bench.signal("guard", signal.SIGSTOP)
    try:
        said = voltomo(bench, "beam", "off", code=2)
    finally:
        bench.signal("guard", signal.SIGCONT)
    assert "to answer to VT:Guard:Run within 5 s, saw no answer" in said
    assert "the shutter reads Closed" in said
    assert "Traceback" not in said
