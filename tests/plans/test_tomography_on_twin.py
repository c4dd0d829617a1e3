"""Whole scans on the twin's processes and the real guard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.bench import Bench, bench
from voltomo.twin.world import Fault

pytestmark = [pytest.mark.twin, pytest.mark.long]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root: Path = tmp_path_factory.mktemp("scans")
    with bench(root, "guard") as made:
        yield made


SCAN = """
import os, signal, threading
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.tomography import tomography
beamline = connect_beamline("VT:", 30.0, frames_folder=folder / "frames")
RE = RunEngine({})
documents, settled = [], []
RE.subscribe(lambda name, document: documents.append((name, document)))
beamline.lease.engine_running = lambda: str(RE.state) == "running"
beamline.lease.on_settlement = lambda s: settled.append((s.purpose, s.reason, s.open_s))
geometry = Geometry(rows=64, columns=48, pixel_um=2.5, step_deg=3.0, projections=60)
def spec(**changes):
    values = dict(sample="cell", geometry=geometry, exposure_s=0.015, period_s=0.02, darks=5,
                  flats_before=5, flats_after=5)
    return ScanSpec(**(values | changes))
def streams():
    names = {d["uid"]: d["name"] for n, d in documents if n == "descriptor"}
    count = {}
    for name, document in documents:
        if name == "stream_datum":
            span = document["indices"]
            key = names[document["descriptor"]]
            count[key] = count.get(key, 0) + span["stop"] - span["start"]
        elif name == "event_page":
            key = names[document["descriptor"]]
            count[key] = count.get(key, 0) + len(document["seq_num"])
    return count
def takes():
    (uid,) = [d["uid"] for n, d in documents if n == "descriptor" and d["name"] == "takes"]
    data = [d["data"] for n, d in documents if n == "event" and d["descriptor"] == uid]
    return [[d["take_block"], d["take_number"], d["take_outcome"]] for d in data]
def stop():
    return next(d for n, d in documents if n == "stop")
def in_mid_sweep(action):
    def wait():
        while not (beamline.lease.held and beamline.rotation.moving):
            time.sleep(0.01)
        time.sleep(0.6)
        action()
    threading.Thread(target=wait, daemon=True).start()
"""


def test_a_scan_leaves_all_its_documents_and_the_stage_as_it_was(served: Bench) -> None:
    served.world.inject(Fault("lose_after_numbering", 40, 42))
    served.world.inject(Fault("camera_misses", 50, 51))
    try:
        found = served.client(
            SCAN
            + """
usual = beamline.rotation.velocity.get()
beamline.energy.set(22.5).wait(timeout=60)
(uid,) = RE(tomography(beamline, spec(sweeps=2, order="alternate"), md={"source": "twin"}))
start = documents[0][1]
of_triggers = next(d for n, d in documents if n == "descriptor" and d["name"] == "triggers")
said = ("plan_name", "sample", "source", "num_points", "energy_keV")
answer(uid=uid, start={k: start[k] for k in said},
       configuration=of_triggers["configuration"]["trigger"]["data"],
       streams=streams(), settled=settled, same=usual == beamline.rotation.velocity.get(),
       x=beamline.sample_stage.x.position, exit=stop()["exit_status"],
       shutter=beamline.shutter.state.get())
"""
        )
    finally:
        served.world.heal()
    assert found["start"] == {
        "plan_name": "tomography",
        "sample": "cell",
        "source": "twin",
        "num_points": 12 + 5 + 5 + 120 + 5,
        "energy_keV": pytest.approx(22.5, abs=1e-3),
    }
    # Settings of the trains before would be said of all of them.
    assert found["configuration"] == {}
    expected = {"triggers": 147, "priming": 12, "darks": 5, "flats": 10, "primary": 117}
    assert found["streams"] == expected
    purposes = [(purpose, reason) for purpose, reason, _ in found["settled"]]
    assert purposes == [
        (name, "done") for name in ("flats_before", "sweep_0", "sweep_1", "flats_after")
    ]
    # Only as long as 60 triggers take, with shutter and stamps.
    assert 1.19 < found["settled"][1][2] < 1.35
    assert found["same"]
    assert found["x"] == pytest.approx(0.0, abs=0.01)
    assert (found["exit"], found["shutter"]) == ("success", "Closed")


def test_a_sample_without_budget_is_refused_before_a_run(served: Bench) -> None:
    found = served.client(
        SCAN
        + """
answer(said=refusal(lambda: RE(tomography(beamline, spec(sample="spent cell")))),
       unknown=refusal(lambda: RE(tomography(beamline, spec(sample="nobody")))),
       documents=len(documents))
"""
    )
    assert "of beam for the whole scan of 'spent cell', saw 1.5 s" in found["said"]
    assert "nobody" in found["unknown"]
    assert found["documents"] == 0


def test_a_pause_in_mid_sweep_closes_the_beam_and_the_sweep_is_taken_again(
    served: Bench,
) -> None:
    found = served.client(
        SCAN
        + """
in_mid_sweep(lambda: RE.request_pause(False))
try:
    RE(tomography(beamline, spec()))
    paused = False
except RunEngineInterrupted:
    paused = True
time.sleep(0.2)
shutter = beamline.shutter.state.get()
said = refusal(RE.resume)
answer(paused=paused, shutter=shutter, said=said, stop=stop()["exit_status"], settled=settled,
       takes=takes(), streams=streams())
"""
    )
    assert found["paused"]
    assert found["shutter"] == "Closed"
    assert (found["said"], found["stop"]) == ("", "success")
    ended = {purpose: reason for purpose, reason, _ in found["settled"]}
    # The engine's word, or that of the lease's own heartbeat: whichever comes first.
    cut = ended.pop("sweep_0")
    assert cut == "stopped" or "the RunEngine is not running" in cut
    again = ["flats_before", "flats_before_take2", "sweep_0_take2", "flats_after"]
    assert ended == dict.fromkeys(again, "done")
    assert found["takes"] == [
        ["priming", 1, "complete"],
        ["darks", 1, "complete"],
        ["flats_before", 1, "complete"],
        ["sweep_0", 1, "interrupted"],
        ["flats_before", 2, "complete"],
        ["sweep_0", 2, "complete"],
        ["flats_after", 1, "complete"],
    ]
    # All that was latched is told, that of the take that was cut short, too.
    assert 12 + 5 + 5 + 5 + 60 + 5 < found["streams"]["triggers"] < 12 + 5 + 5 + 5 + 120 + 5


def test_a_suspension_is_waited_for_and_the_sweep_is_taken_again(served: Bench) -> None:
    found = served.client(
        SCAN
        + """
import asyncio
def suspend():
    back = []
    def make():
        event = asyncio.Event()
        back.append(event)
        RE.request_suspend(event.wait, justification="ring current: below 20 mA")
    RE.loop.call_soon_threadsafe(make)
    time.sleep(1.5)
    seen.append((beamline.shutter.state.get(), len(settled), str(RE.state)))
    RE.loop.call_soon_threadsafe(back[0].set)
seen = []
in_mid_sweep(suspend)
said = refusal(lambda: RE(tomography(beamline, spec())))
answer(said=said, seen=seen, settled=settled, takes=takes(), stop=stop()["exit_status"])
"""
    )
    assert (found["said"], found["stop"]) == ("", "success")
    # Nothing went on meanwhile: flats and the cut sweep had the beam before.
    assert found["seen"] == [["Closed", 2, "running"]]
    assert ["sweep_0", 1, "interrupted"] in found["takes"]
    assert found["takes"][-2:] == [["sweep_0", 2, "complete"], ["flats_after", 1, "complete"]]


@pytest.mark.kill
def test_a_writer_that_dies_ends_the_scan_with_its_name_and_the_next_one_works(
    served: Bench,
) -> None:
    pid = served.processes["writer"].pid
    found = served.client(
        SCAN
        + f"""
in_mid_sweep(lambda: os.kill({pid}, signal.SIGKILL))
said = refusal(lambda: RE(tomography(beamline, spec())))
answer(said=said, exit=stop()["exit_status"], reason=stop()["reason"],
       shutter=beamline.shutter.state.get(), triggers=streams()["triggers"])
"""
    )
    served.kill("writer")
    served.start("writer")
    assert "writer: expected VT:Cam:HDF1:NumCaptured_RBV to answer" in found["said"]
    assert (found["exit"], found["reason"]) == ("fail", found["said"])
    assert found["shutter"] == "Closed"
    assert found["triggers"] > 30
    after = served.client(SCAN + "RE(tomography(beamline, spec()))\nanswer(found=streams())")
    assert after["found"]["primary"] == 60
