"""Unmodified classes of ophyd and ophyd-async at work: connect, read, move, fly in one engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformity.conftest import option

CONNECT = """
import json, sys
from ophyd import Component, DetectorBase, Device
from ophyd.areadetector import cam, plugins
prefix, camera = sys.argv[1:3]
class Detector(DetectorBase):
    cam = Component(getattr(cam, camera), "cam1:")
    pva = Component(plugins.PvaPlugin, "Pva1:")
    hdf = Component(plugins.HDF5Plugin_V34, "HDF1:")
    transform = Component(plugins.TransformPlugin, "Trans1:")
    roi = Component(plugins.ROIPlugin, "ROI1:")
    stats = Component(plugins.StatsPlugin, "Stats1:")
    process = Component(plugins.ProcessPlugin, "Proc1:")
# Connect all at once, not one after the other.
Device.lazy_wait_for_connection = False
detector = Detector(prefix, name="detector")
detector.wait_for_connection(all_signals=True, timeout=60)
read = 0
for walk in detector.walk_signals(include_lazy=True):
    walk.item.get()
    read += 1
detector.hdf.validate_asyn_ports()
sys.stdout.write("ANSWER" + json.dumps(
    {"read": read, "ports": sorted(detector.get_asyn_digraph()[0].nodes)}))
"""

FLY = """
import asyncio, json, sys
from pathlib import Path
from bluesky import RunEngine, plan_stubs as bps
from ophyd import EpicsMotor
from ophyd_async.core import (
    StaticFilenameProvider, StaticPathProvider, TriggerInfo, init_devices)
from ophyd_async.epics import adcore
from ophyd_async.epics.adsimdetector import SimDetector
from ophyd_async.epics.motor import Motor
prefix, detector, folder = sys.argv[1:4]
RE = RunEngine()
documents = []
RE.subscribe(lambda name, document: documents.append((name, document)))
paths = StaticPathProvider(StaticFilenameProvider("flown"), Path(folder))
with init_devices():
    camera = SimDetector(detector, adcore.ADWriterFactory.hdf(paths))
    height = Motor(prefix + "Stage:Z")
across = EpicsMotor(prefix + "Stage:X", name="across")
across.wait_for_connection(timeout=20)
FRAMES = 5
def plan():
    start = yield from bps.rd(height)
    yield from bps.stage_all(camera)
    yield from bps.open_run()
    yield from bps.prepare(camera, TriggerInfo(number_of_events=FRAMES, livetime=0.02),
                           wait=True)
    yield from bps.declare_stream(camera, name="primary", collect=True)
    yield from bps.kickoff(camera, wait=True)
    yield from bps.complete(camera, group="fly")
    yield from bps.abs_set(across, 0.5, group="fly")
    yield from bps.abs_set(height, start + 0.25, group="fly")
    yield from bps.wait("fly")
    yield from bps.collect(camera, name="primary")
    yield from bps.create("places"); yield from bps.read(across); yield from bps.read(height)
    yield from bps.save()
    yield from bps.close_run()
    yield from bps.unstage_all(camera)
    yield from bps.mv(across, 0.0, height, start)
RE(plan())
kinds = [name for name, _ in documents]
places = next(d for n, d in documents if n == "event" and "across" in d["data"])["data"]
data = [d for n, d in documents if n == "stream_datum"]
sys.stdout.write("ANSWER" + json.dumps({
    "kinds": kinds, "across": places["across"], "height": places["height"],
    "frames": max(d["indices"]["stop"] for d in data),
    "uri": next(d for n, d in documents if n == "stream_resource")["uri"]}))
"""


def client(script: str, *words: str, timeout_s: float = 100) -> dict[str, Any]:
    """Run a client in a process of its own; what it answers."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", script, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, env=os.environ
    )
    assert "ANSWER" in done.stdout, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.partition("ANSWER")[2])


def test_ophyds_classes_connect_and_read_all_their_signals(
    prefix: str, request: pytest.FixtureRequest
) -> None:
    detector = prefix + option(request.config, "--detector")
    seen = client(CONNECT, detector, option(request.config, "--cam-class"))
    assert seen["read"] > 500
    assert {"CAM", "HDF1", "PROC1", "ROI1", "STATS1", "TRANS1"} <= set(seen["ports"])


def test_ophyd_async_flies_beside_classic_devices(
    prefix: str, request: pytest.FixtureRequest, may_move: None, tmp_path: Path
) -> None:
    pytest.importorskip("ophyd_async")
    detector = prefix + option(request.config, "--detector")
    seen = client(FLY, prefix, detector, str(tmp_path))
    assert seen["frames"] == 5
    assert seen["across"] == pytest.approx(0.5, abs=1e-3)
    assert seen["uri"].endswith(".h5")
    assert seen["kinds"].count("stream_resource") >= 1
    assert seen["kinds"][0] == "start"
    assert seen["kinds"][-1] == "stop"
    assert list(tmp_path.glob("*.h5"))
