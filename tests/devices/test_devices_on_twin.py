"""Devices against real IOC processes of the twin."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.bench import Bench, bench
from voltomo.twin.world import Fault

pytestmark = [pytest.mark.twin, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root: Path = tmp_path_factory.mktemp("devices")
    with bench(root) as made:
        yield made


STAGE = """
rotation = connected(RotationStage("VT:Stage:Rotation", name="rotation"))
"""


def test_a_move_ends_where_it_was_sent_and_a_stop_is_told(served: Bench) -> None:
    found = served.client(
        STAGE
        + """
rotation.set(5.0).wait(20)
arrived = rotation.position
usual = rotation.velocity.get()
rotation.prepare(20.0).wait(10)
rotation.prepare(10.0).wait(10)
slow = rotation.velocity.get()
rotation.prepare(None).wait(10)
answer(
    arrived=arrived, usual=usual, slow=slow, restored=rotation.velocity.get(),
    limit=refusal(lambda: rotation.set(5000.0)),
    fast=refusal(lambda: rotation.prepare(500.0).wait(10)),
)
"""
    )
    assert found["arrived"] == pytest.approx(5.0, abs=0.01)
    assert found["slow"] == 10.0
    assert found["restored"] == found["usual"]
    assert "5000" in found["limit"]
    assert "rotation: expected a sweep velocity" in found["fast"]
    assert "saw 500 deg/s" in found["fast"]


def test_a_stop_says_where_the_axis_stands(served: Bench) -> None:
    found = served.client(
        STAGE
        + """
move = rotation.set(300.0)
time.sleep(0.4)
rotation.stop()
failed = refusal(lambda: move.wait(10))
move = rotation.set(-300.0)
time.sleep(0.4)
rotation.stop(success=True)
answer(failed=failed, paused=refusal(lambda: move.wait(10)))
"""
    )
    assert found["failed"].startswith("rotation: expected 300 ± 0.01 deg, saw ")
    assert found["paused"] == ""


SWEEP = """
rotation = connected(RotationStage("VT:Stage:Rotation", name="rotation"))
trigger = connected(TriggerBox("VT:Trigger:", name="trigger"))
def train(first, count, start=None, step=None):
    block = Block(name="b", kind="sweep" if step else "priming", first=first, count=count,
                  period_s=0.02, start_deg=start, step_deg=step)
    return TriggerTrain(block, 0.015, 0.02, 0.016)
"""


def test_every_latch_of_timed_and_sweep_trains_arrives_once(served: Bench) -> None:
    found = served.client(
        SWEEP
        + """
rotation.set(-10.0).wait(20)
trigger.prepare(train(0, 12)).wait(20)
done = trigger.complete()
trigger.kickoff().wait(5)
done.wait(20)
latched = trigger.chunks()
trigger.prepare(train(12, 50, 0.0, 1.0)).wait(20)
rotation.prepare(50.0).wait(5)
done = trigger.complete()
rotation.set(60.0)
pages = []
while not done.done:
    pages += list(trigger.collect_pages())
    time.sleep(0.2)
done.wait(5)
pages += list(trigger.collect_pages())
rotation.prepare(None).wait(10)
wrong = refusal(lambda: trigger.prepare(train(12, 5)).wait(20))
index = [k for page in pages for k in page["data"]["trigger_index"]]
angle = [k for page in pages for k in page["data"]["trigger_angle_deg"]]
stamps = [k for page in pages for k in page["data"]["trigger_time_s"]]
answer(timed=[c.last - c.first for c in latched], index=index, angle=angle, stamps=stamps,
       wrong=wrong)
"""
    )
    assert sum(found["timed"]) == 12
    assert found["index"] == list(range(12, 62))
    assert found["angle"] == pytest.approx(list(range(50)), abs=2e-3)
    gaps = [b - a for a, b in itertools.pairwise(found["stamps"])]
    assert gaps == pytest.approx([0.02] * 49, abs=1e-3)
    assert "expected the trigger index at 12 before b, saw 62" in found["wrong"]


def test_a_block_that_is_taken_again_begins_at_its_own_index(served: Bench) -> None:
    found = served.client(
        SWEEP
        + """
from dataclasses import replace
def taken(train):
    trigger.prepare(train).wait(20)
    done = trigger.complete()
    trigger.kickoff().wait(5)
    done.wait(20)
    return list(trigger.collect_pages())
taken(train(0, 40))
trigger.prepare(train(40, 500)).wait(20)
done = trigger.complete()
trigger.kickoff().wait(5)
time.sleep(0.5)
trigger.pause()
done.wait(5)
cut = list(trigger.collect_pages())
again = taken(replace(train(20, 10), take=2, sets_index=True))
ahead = taken(replace(train(40, 10), take=3, sets_index=True))
answer(cut=len(cut[0]["time"]), data=[page["data"] for page in again + ahead])
"""
    )
    assert 5 < found["cut"] < 100
    data = found["data"]
    index = [k for page in data for k in page["trigger_index"]]
    assert index == [*range(20, 30), *range(40, 50)]
    assert {k for page in data for k in page["trigger_take"]} == {2, 3}


def test_latches_whose_news_were_lost_are_read_back(served: Bench) -> None:
    found = served.client(
        SWEEP
        + """
trigger.prepare(train(0, 30)).wait(20)
done = trigger.complete()
trigger.kickoff().wait(5)
time.sleep(0.3)
trigger._arrived.clear()
done.wait(20)
time.sleep(3.0)
trigger._arrived.clear()
trigger.prepare(train(30, 30)).wait(20)
done = trigger.complete()
trigger.kickoff().wait(5)
done.wait(20)
answer(index=[k for c in trigger.chunks() for k in range(c.first, c.last)])
"""
    )
    assert found["index"] == list(range(60))


CAMERA = """
camera = connected(Camera("VT:Cam:", name="camera", frames_folder=folder / "frames"))
trigger = connected(TriggerBox("VT:Trigger:", name="trigger"))
setup = CameraSetup(64, 48, 0.015, 0.02, 50)
def take(name, first, count):
    block = Block(name=name, kind="priming", first=first, count=count, period_s=0.02)
    camera.prepare(FrameBlock(name, block, 0.015)).wait(30)
    trigger.prepare(TriggerTrain(block, 0.015, 0.02, 0.016)).wait(20)
    done = trigger.complete()
    trigger.kickoff().wait(5)
    documents = []
    while not done.done:
        documents += list(camera.collect_asset_docs())
        time.sleep(0.1)
    done.wait(5)
    began = time.monotonic()
    camera.complete().wait(30)
    took = time.monotonic() - began
    documents += list(camera.collect_asset_docs())
    return documents, took
"""


def test_frames_are_announced_as_they_land_and_the_file_is_closed(served: Bench) -> None:
    found = served.client(
        CAMERA
        + """
camera.prepare(setup).wait(40)
documents, took = take("whole", 0, 30)
frames = camera.last_frames()
again = refusal(lambda: take("whole", 30, 3))
camera.prepare(None).wait(30)
answer(documents=documents, key=camera.describe_collect(), frames=len(frames.time_s),
       again=again, acquire=int(camera.cam.acquire.get()))
"""
    )
    (name, resource), *data = found["documents"]
    assert name == "stream_resource"
    assert resource["mimetype"] == "application/x-hdf5"
    assert resource["uri"] == f"file://localhost{served.folder.frames}/whole.h5"
    assert resource["parameters"]["block"] == "whole"
    assert resource["parameters"]["chunk_shape"] == [1, 64, 48]
    spans = [(d["indices"]["start"], d["indices"]["stop"]) for _, d in data]
    assert spans[0][0] == 0
    assert spans[-1][1] == 30
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
    assert found["key"]["camera_image"]["shape"] == [64, 48]
    assert found["frames"] == 30
    assert "no frame is ever overwritten" in found["again"]
    assert found["acquire"] == 0


def test_frames_that_were_lost_are_not_waited_for(served: Bench) -> None:
    served.world.inject(Fault("lose_after_numbering", 3, 5))
    served.world.inject(Fault("camera_misses", 29, 30))
    try:
        found = served.client(
            CAMERA
            + """
camera.prepare(setup).wait(40)
documents, took = take("holes", 0, 30)
answer(last=documents[-1][1]["indices"]["stop"], frames=len(camera.last_frames().time_s))
"""
        )
    finally:
        served.world.heal()
    assert found["last"] == 27
    assert found["frames"] == 27


def test_what_does_not_fit_the_scan_is_refused_in_a_sentence(served: Bench) -> None:
    found = served.client(
        CAMERA
        + """
camera.prepare(setup).wait(40)
def check(**changes):
    from dataclasses import replace
    return refusal(lambda: camera.prepare(replace(setup, **changes)).wait(40))
size = check(rows=65)
room = check(frames=10**12)
camera.frames_folder = Path("/nowhere/at/all")
place = check()
# It exists here, but not where the writer runs: as seen by a writer with another disk.
import voltomo.devices.camera_checks as checks
camera.hdf1.create_directory.put(0, wait=True)
checks.ARMING_S = 0.5
elsewhere = refusal(lambda: checks._set_path(camera, Path("/nowhere/at/all")))
checks.ARMING_S = 5.0
camera.frames_folder = folder / "frames"
camera.hdf1.nd_array_port.put("OTHER", wait=True)
port = check()
camera.hdf1.nd_array_port.put(camera.cam.port_name.get(), wait=True)
answer(size=size, room=room, place=place, elsewhere=elsewhere, port=port, whole=check())
"""
    )
    assert "expected frames of 65 rows × 48 columns, saw 64 × 48" in found["size"]
    assert "GB free" in found["room"]
    assert "/nowhere/at/all" in found["place"]
    assert "to exist where the writer runs, saw FilePathExists at No" in found["elsewhere"]
    assert "saw port 'OTHER'" in found["port"]
    assert found["whole"] == ""


def test_missing_pvs_are_listed_in_one_sentence(served: Bench) -> None:
    # No guard runs on this bench.
    found = served.client('answer(said=refusal(lambda: connect_beamline("VT:", timeout_s=4)))')
    assert "VT:Guard:" in found["said"]
    assert "VT:Stage:" not in found["said"]
    assert "no beam was used" in found["said"]


@pytest.mark.kill
def test_a_device_that_dies_fails_what_waits_for_it_at_once(served: Bench) -> None:
    pid = served.processes["motion"].pid
    found = served.client(
        STAGE
        + f"""
import os, signal
shutter = connected(Shutter("VT:Shutter:", name="shutter"))
watch = ConnectionWatch("beamline", {{"rotation": [rotation.user_readback],
                                     "shutter": [shutter.state]}})
status = watch.trigger()
before = watch.lost()
os.kill({pid}, signal.SIGKILL)
said = refusal(lambda: status.wait(2.0))
answer(before=before, said=said, lost=watch.lost(),
       move=refusal(lambda: rotation.set(1.0)))
"""
    )
    served.kill("motion")
    served.start("motion")
    assert found["before"] is None
    assert found["said"].startswith("rotation: expected VT:Stage:Rotation.RBV to answer")
    assert found["lost"] == found["said"]
    assert "rotation: expected to be moved to 1, saw it disconnected" in found["move"]


def test_nothing_is_armed_after_it_was_put_to_rest(served: Bench) -> None:
    found = served.client(
        CAMERA
        + """
camera.prepare(setup).wait(40)
states = []
for number, pause_s in enumerate((0.0, 0.01, 0.03, 0.06, 0.1)):
    block = Block(name="late", kind="priming", first=0, count=12, period_s=0.02)
    arming = [
        camera.prepare(FrameBlock(f"late_{number}", block, 0.015)),
        trigger.prepare(TriggerTrain(block, 0.015, 0.02, 0.016)),
    ]
    # The plan has given the group up, for another device's sake; the threads work on.
    time.sleep(pause_s)
    resting = [camera.prepare(None), trigger.prepare(None)]
    for status in resting:
        status.wait(40)
    for status in arming:
        refusal(lambda: status.wait(40))
    time.sleep(0.3)
    states.append([int(camera.cam.acquire.get(use_monitor=False)),
                   int(camera.hdf1.capture.get(use_monitor=False)),
                   int(trigger.armed.get(use_monitor=False))])
answer(states=states)
"""
    )
    assert found["states"] == [[0, 0, 0]] * 5
