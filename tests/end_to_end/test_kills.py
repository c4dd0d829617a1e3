"""SIGKILL of each process in mid-sweep: the beam closes, the record stays, the next scan works."""

import os
import signal

import numpy as np
import pytest

from tests.virtual_beamline import CLOSED_WITHIN_S, VirtualBeamline, scan_file, stored
from voltomo.model.names import run_name

pytestmark = [pytest.mark.twin, pytest.mark.kill, pytest.mark.timeout(240)]


def assert_next_scan_works(beamline: VirtualBeamline) -> None:
    scan = beamline.scan(scan_file(projections=40))
    assert scan.record.outcome == "success"
    assert scan.table.missing.size == 0


@pytest.mark.parametrize("service", ["guard", "motion", "camera", "writer"])
def test_a_dead_service_ends_the_scan_with_the_beam_off(
    beamline: VirtualBeamline, service: str
) -> None:
    world = beamline.world
    known = len(world.frames)
    session = beamline.start_scan(scan_file(projections=400))
    beamline.wait_for_sweep(session, 40, known)
    killed_s = world.now_s()
    os.kill(beamline.supervisor.pid(service), signal.SIGKILL)
    said, _ = session.communicate(timeout=90)

    assert session.returncode == 1, said
    assert beamline.closed_from(killed_s)
    scan = beamline.last_scan()
    assert scan.record.outcome == "fail"
    assert scan.record.reason
    seen = scan.table.of_blocks([scan.block_numbers["sweep_0"]])
    assert np.count_nonzero(seen.valid) >= 20
    nexus = beamline.folder.exports / f"{run_name(scan.record.uid)}.nxs"
    assert np.count_nonzero(stored(nexus, "entry/instrument/detector/image_key") == 0) >= 20

    assert beamline.supervisor.wait_ready(service, 30)
    assert_next_scan_works(beamline)


def test_a_dead_session_ends_the_beam_and_its_run_is_closed(beamline: VirtualBeamline) -> None:
    world = beamline.world
    known = len(world.frames)
    session = beamline.start_scan(scan_file(projections=400))
    beamline.wait_for_sweep(session, 40, known)
    killed_s = world.now_s()
    session.kill()
    session.communicate()
    beamline.wait(lambda: world.now_s() > killed_s + CLOSED_WITHIN_S + 0.5, 5)

    assert beamline.closed_from(killed_s)
    dead = beamline.last_scan()
    assert dead.record.outcome == "open"
    assert_next_scan_works(beamline)
    from voltomo.records.scan import read_scan

    closed = read_scan(beamline.folder, dead.record.uid)
    assert closed.record.outcome == "fail"
    assert closed.record.reason
    sweep = closed.table.of_blocks([closed.block_numbers["sweep_0"]])
    assert np.count_nonzero(sweep.valid) >= 20


@pytest.mark.parametrize("service", ["worker", "page"])
def test_without_worker_or_page_the_scan_goes_on(beamline: VirtualBeamline, service: str) -> None:
    known = len(beamline.world.frames)
    session = beamline.start_scan(scan_file(projections=200))
    beamline.wait_for_sweep(session, 40, known)
    os.kill(beamline.supervisor.pid(service), signal.SIGKILL)
    said, _ = session.communicate(timeout=110)

    assert session.returncode == 0, said
    scan = beamline.last_scan()
    assert scan.record.outcome == "success"
    assert scan.table.missing.size == 0
    assert beamline.supervisor.wait_ready(service, 30)
    picture = np.load(beamline.folder.exports / f"{run_name(scan.record.uid)}.slice.npz")
    assert int(picture["frames"]) == 200


@pytest.mark.long
def test_a_guard_that_hangs_is_started_again(beamline: VirtualBeamline) -> None:
    supervisor = beamline.supervisor
    beamline.wait(lambda: supervisor.beating() == set(supervisor.states()), 10)
    hung = supervisor.pid("guard")
    os.kill(hung, signal.SIGSTOP)
    beamline.wait(lambda: supervisor.states()["guard"] != "ready", 20)
    assert supervisor.wait_ready("guard", 30)
    assert supervisor.pid("guard") != hung
    assert_next_scan_works(beamline)
