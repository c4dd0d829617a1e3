"""Slits, lens, photon shutter, rules and blind sectors on the virtual beamline, in one session."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.virtual_beamline import VirtualBeamline, command, scan_file, stored
from voltomo.cli.export import export_run
from voltomo.model.keep_out import KeepOut
from voltomo.model.names import run_name
from voltomo.model.rotation_range import RotationRange

pytestmark = [pytest.mark.twin, pytest.mark.long]

DAY = """
import json, sys, time
from pathlib import Path
from bluesky import plan_stubs as bps
from voltomo.plans.tomography import tomography
from voltomo.plans.words import ScanRefused
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.session import open_session
from voltomo.profiles.startup import namespace
from voltomo.runtime.run_folder import RunFolder
from voltomo.model.device_entries import PhotonShutterEntry, SensorEntry, SlitsEntry

folder = RunFolder(Path(sys.argv[1]))
file = BeamlineFile.model_validate_json(sys.argv[2])
scan = ScanFile.model_validate_json(sys.argv[3])
seen = {}

def refused(plan):
    try:
        RE(plan)
    except Exception as error:
        while error.__cause__ is not None:
            error = error.__cause__
        return str(error)
    return "nothing was refused"

def without_readback():
    blind = PhotonShutterEntry(
        kind="PhotonShutter", command="VT:Beam:PhotonShutter", travel_s=0.5)
    away = SlitsEntry(kind="Slits", left="B:m1", right="B:m2", bottom="B:m3", top="B:m4")
    oven = SensorEntry(kind="Sensor", pv="B:T", required=False)
    made = {"front": make_device("front", blind), "blades": make_device("blades", away),
            "oven": make_device("oven", oven)}
    states = wait_for([Wanted(name, device, name != "oven") for name, device in made.items()], 2.0)
    front = made["front"]
    begun = time.monotonic()
    closing = front.set("Closed")
    time.sleep(0.2)
    words = [front.state.get()]
    closing.wait(10)
    words += [front.state.get(), bool(front.assumed.get())]
    took = time.monotonic() - begun
    front.set("Open").wait(10)
    try:
        demand_required(states, 2.0)
    except BeamlineIncomplete as error:
        return {"assumed": words, "took": took, "incomplete": str(error),
                "table": table_lines(states)}

with open_session(folder, file) as session:
    from voltomo.devices.connection_table import (
        BeamlineIncomplete, Wanted, demand_required, table_lines, wait_for)
    from voltomo.devices.registry import make_device
    RE, line = session.RE, session.beamline
    seen["absent"] = [one.name for one in line.states if one.state != "connected"]
    left, distance, front = line.slits.left, line.distance, line.photon_shutter
    home = left.position, distance.position
    RE(bps.mv(left, home[0] + 0.5))
    seen["moved"] = left.position - home[0]
    seen["opening"] = line.slits.opening_mm
    RE(bps.mv(left, home[0]))
    seen["pixel"] = line.lens.pixel_um.get(), namespace(session)["spec"]().geometry.pixel_um
    RE(bps.mv(front, "Closed"))
    seen["front"] = front.state.get(), bool(front.assumed.get())
    seen["dark"] = refused(tomography(line, scan.spec(file)))
    RE(bps.mv(front, "Open"))
    seen["limits"] = refused(bps.mv(distance, 900.0))
    y = line.sample_stage.y
    y.move(6.0)
    seen["kept_out"] = refused(bps.mv(distance, 2.0))
    under_way = y.move(0.0, wait=False)
    seen["on_its_way"] = refused(bps.mv(distance, 2.0))
    under_way.wait(20)
    RE(bps.mv(distance, 2.0))
    seen["other_way"] = refused(bps.mv(y, 6.0))
    RE(bps.mv(distance, home[1]))
    seen |= without_readback()
    seen["forbidden"] = refused(tomography(line, scan.spec(file).model_copy(
        update={"whole_range": True})))
    RE(bps.mv(line.rotation, 400.0))
    (uid,) = RE(tomography(line, scan.spec(file)))
    seen["uid"], seen["where"] = uid, line.rotation.position
sys.stdout.write("ANSWER" + json.dumps(seen))
"""


def test_a_day_on_the_beamline(beamline: VirtualBeamline) -> None:
    file = beamline.file.model_copy(
        update={
            "rotation": RotationRange(
                wired=True, low_deg=-200, high_deg=400, blind_sectors=((85.0, 95.0),)
            ),
            "keep_out": (
                KeepOut(
                    name="camera hits the oven",
                    where={"distance": (None, 3.0), "sample_y": (5.0, None)},
                ),
            ),
        }
    )
    scan = scan_file(projections=90, flats_before=5, darks=5)
    world = beamline.world
    before_s = world.now_s()
    words = (str(beamline.folder.root), file.model_dump_json(), scan.model_dump_json())
    done = subprocess.run(
        [sys.executable, "-c", DAY, *words], capture_output=True, text=True, timeout=150
    )
    assert "ANSWER" in done.stdout, done.stdout[-2000:] + done.stderr[-4000:]
    seen = json.loads(done.stdout.partition("ANSWER")[2])

    assert seen["absent"] == []
    assert seen["moved"] == pytest.approx(0.5, abs=0.003)
    assert seen["pixel"] == [file.pixel_um, file.pixel_um]
    assert seen["front"] == ["Closed", False]
    assert "photon shutter: expected Open, saw Closed" in seen["dark"]
    assert "900" in seen["limits"]
    assert "camera hits the oven" in seen["kept_out"]
    assert "saw a move to 2" in seen["kept_out"]
    assert "camera hits the oven" in seen["on_its_way"]
    assert "sample_y: expected a path that keeps out of 5 to any" in seen["other_way"]
    assert "saw a blind sector across it" in seen["forbidden"]

    assert seen["assumed"] == ["Moving", "Closed", True]
    assert seen["took"] >= 0.5
    rows = {line.split()[0]: line for line in seen["table"]}
    assert "connected" in rows["front"]
    assert "optional, absent" in rows["oven"]
    assert "required, absent" in rows["blades"]
    assert "B:m1" in seen["incomplete"]
    assert "B:T" not in seen["incomplete"]

    _went_round(beamline, seen, before_s)


def test_the_table_of_devices(beamline: VirtualBeamline) -> None:
    checked = command("beamline", "check", "--run-folder", beamline.folder.root)
    said, _ = checked.communicate(timeout=60)
    assert checked.returncode == 0, said
    rows = [line.split() for line in said.splitlines()]
    assert ["slits", "Slits", "connected"] in [row[:3] for row in rows]
    assert all(row[2] == "connected" for row in rows[:-1])


def _went_round(beamline: VirtualBeamline, seen: dict[str, Any], before_s: float) -> None:
    world = beamline.world
    # Wired: from 400 deg it went to the nearest turn that its cables allow.
    made = beamline.last_scan()
    assert made.record.uid == seen["uid"]
    spec = made.record.spec
    assert seen["where"] > 180
    assert spec.geometry.start_deg % 360 == 0
    assert made.table.valid.all()
    assert [block.name for block in made.record.blocks if block.kind == "sweep"] == [
        "sweep_0_part_0",
        "sweep_0_part_1",
    ]
    # The world's own record: no beam where the rotation is blind.
    times = np.arange(before_s, world.now_s(), 0.001)
    lit = world.channel("shutter").at(times) > 0
    turned = np.mod(world.channel("rotation").at(times[lit]), 180.0)
    assert lit.any()
    assert not np.any((turned > 85) & (turned < 95))

    export_run(beamline.folder, seen["uid"])
    nexus = beamline.folder.exports / f"{run_name(seen['uid'])}.nxs"
    wedge = stored(nexus, "entry/voltomo/missing_wedge")
    assert wedge[0, 0] <= 85
    assert wedge[0, 1] >= 95
    report = (beamline.folder.exports / f"{run_name(seen['uid'])}.report.html").read_text()
    assert "missing wedge" in report
