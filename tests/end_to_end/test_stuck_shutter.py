"""A blade that sticks: closed, it gives no flats; open, it raises the alarm and is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
import pytest

from tests.virtual_beamline import VirtualBeamline, command, refused, scan_file, stored
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.model.names import run_name
from voltomo.runtime.append_log import Entry, read_log
from voltomo.twin.truth import fluence
from voltomo.twin.world import Fault

pytestmark = [pytest.mark.twin, pytest.mark.slow]

SCAN = scan_file(projections=40)


@pytest.fixture(autouse=True)
def healed(beamline: VirtualBeamline) -> Iterator[None]:
    yield
    beamline.world.heal()
    wait_until_shut(beamline)


def wait_until_shut(beamline: VirtualBeamline) -> None:
    shutter = beamline.world.channel("shutter")
    beamline.wait(lambda: float(shutter.at(beamline.world.now_s())) == 0, 5)


def test_a_shutter_stuck_closed_ends_the_scan_without_a_flat(beamline: VirtualBeamline) -> None:
    before_s = beamline.world.now_s()
    beamline.world.inject(Fault("shutter_stuck_closed"))
    session = beamline.start_scan(SCAN)
    said, _ = session.communicate(timeout=60)
    assert session.returncode == 1, said
    assert said.splitlines()[-1].startswith("lease: the beam was given back: the lease is lost: ")
    assert "the shutter reads a fault" in said.splitlines()[-1]
    assert "Traceback" not in said

    assert beamline.closed_from(before_s, within_s=0.0)
    scan = beamline.last_scan()
    assert (scan.record.outcome, scan.record.reason) == ("fail", said.splitlines()[-1])
    kinds = np.array([block.kind for block in scan.record.blocks])[scan.table.block]
    assert np.count_nonzero(scan.table.valid[kinds == "darks"]) == 10
    assert not np.any(scan.table.valid[np.isin(kinds, ["flats", "sweep"])])
    nexus = beamline.folder.exports / f"{run_name(scan.record.uid)}.nxs"
    keys = stored(nexus, "entry/instrument/detector/image_key")
    assert np.count_nonzero(keys == 2) == 10
    assert not np.any(np.isin(keys, [0, 1]))


def entries(beamline: VirtualBeamline, known: int) -> list[Entry]:
    return read_log(beamline.folder.exposure_log)[known:]


def of_kind(entries: list[Entry], kind: str) -> list[Any]:
    return [entry.data for entry in entries if entry.kind == kind]


def test_a_shutter_stuck_open_raises_the_alarm_and_goes_on_being_counted(
    beamline: VirtualBeamline,
) -> None:
    world = beamline.world
    known, known_frames = len(read_log(beamline.folder.exposure_log)), len(world.frames)
    before_s = world.now_s()
    session = beamline.start_scan(scan_file())
    # Long enough that what the ends of an opening are charged too much does not hide the rest.
    beamline.wait_for_sweep(session, 100, known_frames)
    world.inject(Fault("shutter_stuck_open"))
    said, _ = session.communicate(timeout=60)
    assert session.returncode == 1, said
    # Whether the blade is missed while the lease ends or just before, the alarm is the same.
    assert (
        "the beam may be on (shutter: expected Closed, saw Fault; the lease was given back; close "
        "it by hand, its dose goes on being counted)"
    ) in said.splitlines()[-1]
    assert beamline.last_scan().record.outcome == "fail"
    (latch,) = of_kind(entries(beamline, known), "latch")
    assert latch["reason"].startswith("the shutter was told to close and is still open")
    (foreign,) = of_kind(entries(beamline, known), "foreign")
    assert foreign["sample"] == "demo cell"

    where = ("--run-folder", beamline.folder.root)
    reserved = of_kind(entries(beamline, known), "reserve")[-1]["reserved_Gy"]
    said = refused("scan", beamline.written(SCAN), *where)
    assert said.startswith("shutter: expected Closed, saw Fault; no lease is held")
    said = refused("guard", "reset", "--reason", "hoping for the best", *where)
    assert said.startswith("the guard stays latched: the shutter was told to close and is still ")
    assert said.endswith("not reset: the shutter is not read closed; close it by hand first")
    # With the filters in nothing comes that would have to be reserved for; what came is.
    assert of_kind(entries(beamline, known), "reserve")[-1]["reserved_Gy"] >= reserved

    world.heal()
    wait_until_shut(beamline)
    beamline.wait(lambda: "closed" in str(of_kind(entries(beamline, known), "settle")[-1:]), 5)
    after_s = world.now_s()
    reset = command("guard", "reset", "--reason", "the blade was freed", *where)
    assert reset.communicate(timeout=30)[0].startswith("the guard gives leases again")
    (noted,) = of_kind(entries(beamline, known), "reset")
    assert noted["reason"] == "the blade was freed"
    counted_Gy = sum(cost["dose_Gy"] for cost in of_kind(entries(beamline, known), "exposure"))
    per_fluence = dose_per_fluence_Gy_cm2(material("NMC811"), beamline.file.energy_keV)
    true_Gy = fluence(world, before_s, after_s, 2.5) * per_fluence
    assert true_Gy <= counted_Gy <= 1.05 * true_Gy

    # The guard went the second way out, and leaves it to people to take the filters out again.
    (way_out,) = of_kind(entries(beamline, known), "way_out")
    assert way_out["taken"] == {"VT:Beam:Attenuator": True}
    assert epics.caput("VT:Beam:Attenuator", 1.0, wait=True)
    assert beamline.scan(SCAN).record.outcome == "success"
