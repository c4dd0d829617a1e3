"""A service ends with its parent and on the signals that mean so."""

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import time
from voltomo.runtime.service import die_with_parent, stop_on_signals
die_with_parent()
stopping = stop_on_signals(lambda: print("asked", flush=True))
print("up", flush=True)
stopping.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_mean_stop(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        child.send_signal(number)
        assert child.stdout.readline() == b"asked\n"
        assert child.wait(10) == 0


def test_a_child_whose_parent_is_gone_before_it_could_ask_ends_at_once() -> None:
    # What a child finds whose supervisor was killed while Python was still starting.
    environment = os.environ | {"VOLTOMO_PARENT_PID": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env=environment,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert b"the supervisor ended before this service could start" in done.stderr


def test_a_child_ends_with_its_parent() -> None:
    parent = (
        f"import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', {CHILD!r}]); "
        "print(c.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == b"up\n"
        process.kill()
        assert process.stdout.readline() == b"asked\n"
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{pid}")
