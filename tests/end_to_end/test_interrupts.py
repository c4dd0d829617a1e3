"""Whoever ends a scan, by whatever signal: beam off first, record closed, frames kept."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from typing import Any

import numpy as np
import pytest

from tests.virtual_beamline import (
    CLOSED_WITHIN_S,
    VirtualBeamline,
    command,
    refusal,
    scan_file,
    stored,
)
from voltomo.model.names import run_name
from voltomo.records.scan import Scan

pytestmark = [pytest.mark.twin, pytest.mark.slow]

SCAN = scan_file(projections=600, exposure_s=0.012, period_s=0.02, darks=2, flats_before=2)
VIEWS = 20


def in_mid_sweep(beamline: VirtualBeamline, **options: Any) -> subprocess.Popen[str]:
    known = len(beamline.world.frames)
    session = beamline.start_scan(SCAN, **options)
    beamline.wait_for_sweep(session, VIEWS, known, SCAN)
    return session


def assert_ended_in_order(beamline: VirtualBeamline, told_s: float, by: str) -> Scan:
    """The run is closed with the reason, and the frames up to there are exported."""
    beamline.wait(lambda: beamline.world.now_s() > told_s + CLOSED_WITHIN_S, 5)
    assert beamline.closed_from(told_s)
    scan = beamline.last_scan()
    assert scan.record.outcome == "abort"
    assert scan.record.reason == f"stopped by {by}; the beam is off; what was recorded is kept"
    sweep = scan.table.of_blocks([scan.block_numbers["sweep_0"]])
    lit = int(np.count_nonzero(sweep.valid))
    assert VIEWS - 5 <= lit < 100
    nexus = beamline.folder.exports / f"{run_name(scan.record.uid)}.nxs"
    assert np.count_nonzero(stored(nexus, "entry/instrument/detector/image_key") == 0) == lit
    return scan


def told(session: subprocess.Popen[str], by: str) -> None:
    """The session ends with code 1, and its last words are a sentence."""
    said, _ = session.communicate(timeout=60)
    assert session.returncode == 1, said
    assert "Traceback" not in said
    assert said.splitlines()[-1] == (
        f"the scan was stopped by {by}; the beam is off; what was recorded is kept, "
        "'voltomo scan' starts the next one"
    )


@pytest.mark.parametrize(("number", "by"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_scan_at_once(
    beamline: VirtualBeamline, number: signal.Signals, by: str
) -> None:
    session = in_mid_sweep(beamline)
    told_s = beamline.world.now_s()
    session.send_signal(number)
    told(session, by)
    assert_ended_in_order(beamline, told_s, by)


@pytest.mark.long
def test_more_signals_do_not_disturb_the_clean_up_and_the_next_scan_works(
    beamline: VirtualBeamline,
) -> None:
    session = in_mid_sweep(beamline)
    told_s = beamline.world.now_s()
    session.send_signal(signal.SIGINT)
    time.sleep(0.02)
    session.send_signal(signal.SIGINT)
    shutter = beamline.world.channel("shutter")
    beamline.wait(lambda: float(shutter.at(beamline.world.now_s())) == 0, 5, session)
    for _ in range(4):
        # While triggers are disarmed, axes are stopped, the file is closed, the run is exported.
        session.send_signal(signal.SIGINT)
        time.sleep(0.2)
    told(session, "Ctrl-C")
    assert_ended_in_order(beamline, told_s, "Ctrl-C")

    scan = beamline.scan(scan_file(projections=40))
    assert scan.record.outcome == "success"
    assert scan.table.missing.size == 0


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_closed_terminal_ends_the_scan_at_once(beamline: VirtualBeamline) -> None:
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    session = in_mid_sweep(beamline, **terminal, start_new_session=True, preexec_fn=_take_terminal)
    os.close(theirs)
    told_s = beamline.world.now_s()
    os.close(ours)
    assert session.wait(timeout=60) == 1
    assert_ended_in_order(beamline, told_s, "the end of its terminal")


def test_a_stop_by_hand_between_leases_ends_the_scan(beamline: VirtualBeamline) -> None:
    since_s = beamline.world.now_s()
    known = len(beamline.world.frames)
    # Priming and many darks come first: seconds in which nobody has the beam.
    session = beamline.start_scan(scan_file(darks=150, projections=40))
    beamline.wait(lambda: len(beamline.world.frames) > known + 5, 60, session)
    off = command("beam", "off", "--run-folder", beamline.folder.root)
    said, _ = off.communicate(timeout=30)
    assert off.returncode == 0, said
    assert "no scan that had begun gets it again" in said
    assert session.poll() is None, "it was between leases, and went on with its darks"
    said, _ = session.communicate(timeout=60)
    assert session.returncode == 1, said
    assert "the beam was stopped by hand after this scan had begun" in said
    assert beamline.closed_from(since_s, within_s=0.0)
    scan = beamline.scan(scan_file(projections=40))
    assert scan.record.outcome == "success"


def test_a_signal_before_the_scan_begins_uses_no_beam(beamline: VirtualBeamline) -> None:
    before_s = beamline.world.now_s()
    session = beamline.start_scan(SCAN, stderr=subprocess.PIPE)
    lock = beamline.folder.beamline_lock
    beamline.wait(lambda: f'"pid": {session.pid},' in lock.read_text(), 30, session)
    session.send_signal(signal.SIGINT)
    assert refusal(session) == "stopped by Ctrl-C before the scan began; no beam was used"
    assert beamline.closed_from(before_s, within_s=0.0)
