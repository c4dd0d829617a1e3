"""The world: one writer a channel, everyone else sees the same, the dead stand still."""

import subprocess
import sys
import time

import numpy as np
import pytest

from voltomo.twin.world import GRACE_S, Fault, Segment, World


def test_a_trajectory_is_evaluated_at_any_time(tmp_path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    rotation = world.channel("rotation")
    now = world.now_s()
    rotation.put(
        [
            Segment(now, now + 1, 0.0, 0.0, 10.0),
            Segment(now + 1, now + 2, 5.0, 10.0),
            Segment(now + 2, now + 3, 15.0, 10.0, -10.0),
        ]
    )
    rotation._state["beat_s"] = now + 10
    values = rotation.at(np.array([now - 1, now, now + 0.5, now + 1.5, now + 3, now + 9]))
    assert np.isnan(values[0])
    assert np.allclose(values[1:], [0, 1.25, 10, 20, 20])
    assert rotation.velocity(now + 1.5) == pytest.approx(10)
    assert rotation.velocity(now + 4) == 0


def test_a_stop_replaces_the_future_only(tmp_path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    rotation = world.channel("rotation")
    now = world.now_s()
    rotation.put([Segment(now, now + 10, 0.0, 1.0)])
    rotation.put([Segment(now + 5, now + 5, 5.0)])
    rotation._state["beat_s"] = now + 20
    assert np.allclose(rotation.at(np.array([now + 4, now + 9])), [4, 5])


def test_without_a_heartbeat_it_stands_still_and_the_gate_is_low(tmp_path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    rotation, gate = world.channel("rotation"), world.channel("gate")
    now = world.now_s()
    rotation.put([Segment(now, now + 100, 0.0, 1.0)])
    gate.put([Segment(now, now + 100, 1.0)])
    assert gate.at(world.now_s()) == 1
    time.sleep(GRACE_S + 0.1)
    late = world.now_s() + 5
    assert not rotation.alive
    assert rotation.at(late) == pytest.approx(GRACE_S, abs=0.05)
    assert rotation.velocity(late) == 0
    assert gate.at(late) == 0
    gate.beat()
    assert gate.at(world.now_s()) == 1


def test_other_processes_see_the_same_world(tmp_path) -> None:
    path = tmp_path / "world.bin"
    world = World.create(path, seed=42)
    world.channel("sample_x").put([Segment(world.now_s(), world.now_s(), 7.5)])
    world.edges.append(index=3, time_s=1.5, angle_deg=0.45, latched_deg=0.4501)
    world.inject(Fault("camera_misses", first=5, last=7))
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from voltomo.twin.world import World\n"
            "w = World.open(Path(sys.argv[1])); t = w.now_s()\n"
            "sys.stdout.write(f'{w.seed} {float(w.channel(\"sample_x\").at(t))} '\n"
            'f\'{w.edges.since(0)["index"][0]} {w.has_fault("camera_misses", 6)} \'\n'
            "f'{w.has_fault(\"camera_misses\", 7)} {t}')",
            str(path),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert seen[:5] == ["42", "7.5", "3", "True", "False"]
    assert float(seen[5]) <= world.now_s()


def test_clocks_differ_as_the_world_was_told(tmp_path) -> None:
    world = World.create(tmp_path / "w", seed=1, camera_offset_s=-10.0, camera_skew=1e-4)
    assert world.camera_clock_s(100.0) == pytest.approx(world.utc_s(100.0) - 10 + 0.01)


def test_an_unknown_channel_and_a_foreign_file_are_refused(tmp_path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    with pytest.raises(KeyError, match="no channel 'tilt'"):
        world.channel("tilt")
    (tmp_path / "other").write_bytes(b"\0" * 8192)
    with pytest.raises(ValueError, match="no world"):
        World.open(tmp_path / "other")
