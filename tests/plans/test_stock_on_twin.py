"""Stock plans with beam on the twin's processes and the real guard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from event_model import DocumentNames, schema_validators

from tests.devices.bench import Bench, bench
from voltomo.dose.ledger import Ledger
from voltomo.runtime.log_reader import LogReader

pytestmark = [pytest.mark.twin, pytest.mark.long]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root: Path = tmp_path_factory.mktemp("stock")
    with bench(root, "guard") as made:
        yield made


RUN = """
import threading
from bluesky import plans as bp
from bluesky.utils import RunEngineInterrupted
from voltomo.plans.with_beam import with_beam
from voltomo.profiles.engine import SessionEngine
from voltomo.profiles.interrupts import Interrupts
beamline = connect_beamline("VT:", 30.0, frames_folder=folder / "frames")
camera, rotation, x = beamline.camera, beamline.rotation, beamline.sample_stage.x
RE = SessionEngine(Interrupts())
documents, settled = [], []
RE.subscribe(lambda name, document: documents.append((name, document)))
beamline.lease.engine_running = lambda: str(RE.state) == "running"
beamline.lease.on_settlement = lambda s: settled.append([s.purpose, s.reason, s.open_s, s.dose_Gy])
def lit(plan, **further):
    return with_beam(beamline, plan, sample="cell", exposure_s=0.1, **further)
def events(stream):
    uids = {d["uid"] for n, d in documents if n == "descriptor" and d["name"] == stream}
    return [d["data"] for n, d in documents if n == "event" and d["descriptor"] in uids]
def rows():
    return [[d["indices"]["start"], d["indices"]["stop"]] for n, d in documents
            if n == "stream_datum"]
def shutter():
    return beamline.shutter.state.get(use_monitor=False)
"""

EACH = """
(uid,) = RE(lit(bp.count([camera, beamline.beam_monitor], 3)))
counted = events("primary"); cost = events("beam"); spans = rows(); first = list(documents)
documents.clear()
RE(lit(bp.rel_scan([camera], x, -0.02, 0.02, 3), points=3))
moved = [[e["sample_stage_x"], e["camera_mean_counts"]] for e in events("primary")]
documents.clear()
RE(lit(bp.adaptive_scan([camera], "camera_mean_counts", rotation, 0, 6, 1, 4, 50, False),
       points=8))
adaptive = len(events("primary"))
documents.clear()
RE(lit(bp.count([beamline.beam_monitor], 2), points=2))
monitor = len(events("primary"))
left = beamline.sample_stage.x.position
answer(uid=uid, counted=counted, cost=cost, spans=spans, moved=moved, adaptive=adaptive,
       monitor=monitor, left=left, settled=settled, shutter=shutter(),
       documents=[[n, d] for n, d in first], start=first[0][1])
"""


def test_count_scan_and_adaptive_plans_run_under_leases(served: Bench) -> None:
    before_s = served.world.now_s()
    found = served.client(RUN + EACH)
    assert len(found["counted"]) == len(found["cost"]) == 3
    assert found["spans"] == [[0, 1], [1, 2], [2, 3]]
    assert [e["camera_row"] for e in found["counted"]] == [0, 1, 2]
    assert found["start"]["beam"]["points"] == 3
    assert len(found["moved"]) == 3
    assert 2 <= found["adaptive"] <= 8
    assert found["monitor"] == 2
    assert found["left"] == pytest.approx(0.0, abs=0.003)
    assert found["shutter"] == "Closed"
    # Beam is on for an exposure and the shutter's way, and not a moment longer.
    assert all(0.1 < cost["beam_open_s"] < 0.25 for cost in found["cost"])
    assert all(reason == "done" for _, reason, _, _ in found["settled"])
    for name, document in found["documents"]:
        schema_validators[DocumentNames[name]].validate(document)
    # Every frame saw the beam, and the ledger all of it.
    light = [event["camera_mean_counts"] for event in found["counted"]]
    assert min(light) > 1000
    assert np.ptp(light) < 0.05 * np.mean(light)
    ledger = Ledger()
    for entry in LogReader(served.folder.exposure_log).entries():
        ledger.add(entry.kind, entry.data)
    told_Gy = sum(dose for *_, dose in found["settled"])
    assert ledger.account("cell").dose_Gy == pytest.approx(told_Gy, rel=1e-6)
    shutter = served.world.channel("shutter")
    times = np.arange(before_s, served.world.now_s(), 0.002)
    open_s = float(np.sum(shutter.at(times))) * 0.002
    told_s = sum(seconds for _, _, seconds, _ in found["settled"])
    assert told_s == pytest.approx(open_s, rel=0.3)
    assert told_s >= open_s - 0.01


PAUSED = """
def in_an_exposure(action):
    def wait():
        while not (beamline.lease.held and len(events("primary")) == 1):
            time.sleep(0.002)
        time.sleep(0.05)
        action()
    threading.Thread(target=wait, daemon=True).start()
in_an_exposure(lambda: RE.request_pause(False))
try:
    RE(with_beam(beamline, bp.count([camera], 4), sample="cell", exposure_s=0.4))
    paused = False
except RunEngineInterrupted:
    paused = True
time.sleep(0.5)
dark = [shutter(), beamline.lease.held]
RE.resume()
kept = [[e["camera_row"], e["camera_mean_counts"]] for e in events("primary")]
seqs = [d["seq_num"] for n, d in documents if n == "event" and "camera_row" in d["data"]]
files = [d["uri"].rpartition("_")[2] for n, d in documents if n == "stream_resource"]
answer(paused=paused, dark=dark, kept=kept, seqs=seqs, files=files, settled=settled,
       cost=events("beam"), stop=documents[-1][1]["exit_status"], shutter=shutter())
"""


def test_a_pause_in_an_exposure_closes_and_the_point_is_taken_again(served: Bench) -> None:
    found = served.client(RUN + PAUSED)
    assert found["paused"]
    assert found["dark"] == ["Closed", False]
    assert (found["stop"], found["shutter"]) == ("success", "Closed")
    assert len(found["kept"]) == 4
    assert found["seqs"] == [1, 2, 3, 4]
    light = [mean for _, mean in found["kept"]]
    assert np.ptp(light) < 0.05 * np.mean(light)
    assert [row for row, _ in found["kept"]] == [0, 0, 1, 2]
    assert found["files"] == ["points.h5", "take2.h5"]
    # Five openings, all of them told: the one that was cut short, too.
    assert len(found["settled"]) == len(found["cost"]) == 5
    assert sum(reason == "done" for _, reason, _, _ in found["settled"]) == 4


LOST = """
from voltomo.devices.beamline import BeamlinePlan, connect_beamline
from voltomo.model.beam_loss import BeamLossLimits
from voltomo.model.geometry import Geometry
from voltomo.model.pv_names import PvNames
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.scan import scan
from voltomo.plans.tomography import tomography
from voltomo.profiles.beam_loss import BeamLossSuspender
from voltomo.twin.world import Fault, World
limits = BeamLossLimits(ring_current_mA=20, settle_s=0.5)
plan = BeamlinePlan("VT:", PvNames(prefix="VT:"), beam_loss=limits)
beamline = connect_beamline("VT:", 30.0, frames_folder=folder / "frames", plan=plan)
beamline.lease.engine_running = lambda: str(RE.state) == "running"
beamline.lease.on_settlement = lambda s: settled.append([s.purpose, s.reason, s.open_s, s.dose_Gy])
camera = beamline.camera
noted = []
RE.install_suspender(BeamLossSuspender(beamline.presence, lambda *what: noted.append(what)))
world = World.open(folder / "WORLD")
def dump_when(ready):
    def wait():
        while not ready():
            time.sleep(0.002)
        world.inject(Fault("beam_dump", 0, 0, value=1.0, at_s=world.now_s() + 0.1))
    threading.Thread(target=wait, daemon=True).start()
dump_when(lambda: beamline.lease.held and len(events("primary")) == 1)
RE(with_beam(beamline, bp.count([camera], 3), sample="cell", exposure_s=0.4))
light = [e["camera_mean_counts"] for e in events("primary")]
points = [documents[-1][1]["exit_status"], [kind for kind, _ in noted]]
documents.clear(); noted.clear()
geometry = Geometry(rows=64, columns=48, pixel_um=2.5, step_deg=3.0, projections=60)
spec = ScanSpec(sample="cell", geometry=geometry, exposure_s=0.015, period_s=0.02, darks=5,
                flats_before=5, flats_after=5)
dump_when(lambda: beamline.lease.held and beamline.rotation.moving)
def two_runs():
    yield from scan(beamline, spec.model_copy(update={"sweeps": 0, "flats_after": 0}))
    yield from tomography(beamline, spec)
RE(two_runs())
takes = [[e["take_block"], e["take_number"], e["take_outcome"], e["take_reason"]]
         for e in events("takes")]
answer(light=light, points=points, takes=takes, stop=documents[-1][1]["exit_status"],
       noted=[kind for kind, _ in noted], shutter=shutter(), settled=settled)
"""


def test_a_lost_beam_is_waited_for_and_what_it_cut_short_is_taken_again(served: Bench) -> None:
    try:
        found = served.client(RUN + LOST.replace("WORLD", served.folder.world.name))
    finally:
        served.world.heal()
    assert found["points"] == ["success", ["beam_lost", "beam_back"]]
    assert len(found["light"]) == 3
    assert np.ptp(found["light"]) < 0.05 * np.mean(found["light"])
    assert (found["stop"], found["noted"]) == ("success", ["beam_lost", "beam_back"])
    assert found["shutter"] == "Closed"
    cut = [take for take in found["takes"] if take[2] == "interrupted"]
    assert [take[:2] for take in cut] == [["sweep_0", 1]]
    assert cut[0][3].startswith("the beam was lost: ring current: expected at least 20 mA, saw")
    done = [take[:2] for take in found["takes"] if take[2] == "complete"]
    assert done[-3:] == [["flats_before", 2], ["sweep_0", 2], ["flats_after", 1]]
