"""The world: one writer a channel, everyone else sees the same, the dead stand still."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    rotation.beat_s = now + 10
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
    rotation.beat_s = now + 20
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
    with pytest.raises(KeyError, match="no channel 'tlit'"):
        world.channel("tlit")
    (tmp_path / "other").write_bytes(b"\0" * 8192)
    with pytest.raises(ValueError, match="no world"):
        World.open(tmp_path / "other")


KILLED_IN_PUT = """
import os, signal, sys
from pathlib import Path
from voltomo.twin.world import Segment, World
class Deadly:
    def __init__(self, t0, t1):
        self.t0, self.t1 = t0, t1
    @property
    def x0(self):
        os.kill(os.getpid(), signal.SIGKILL)
world = World.open(Path(sys.argv[1]))
rotation = world.channel("rotation")
now = world.now_s()
rotation.put([Segment(now + 0.1, now + 9, 5.0), Deadly(now + 9, now + 10)])
"""


def test_an_owner_that_is_killed_while_it_plans_leaves_the_plan_that_was(tmp_path) -> None:
    path = tmp_path / "world.bin"
    world = World.create(path, seed=1)
    rotation = world.channel("rotation")
    now = world.now_s()
    rotation.put([Segment(now, now + 60, 0.0, 1.0), Segment(now + 60, now + 60, 60.0)])
    done = subprocess.run([sys.executable, "-c", KILLED_IN_PUT, str(path)], check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    rotation.beat_s = now + 60
    times = now + np.array([0.0, 1.0, 30.0])
    # Read in a process of its own: a reader that spins for ever must not hang the tests.
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; import numpy as np\n"
            "from voltomo.twin.world import World\n"
            "r = World.open(Path(sys.argv[1])).channel('rotation')\n"
            "sys.stdout.write(f'{r.at(np.array([float(w) for w in sys.argv[2:]])).tolist()}')",
            str(path),
            *map(str, times),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout
    assert json.loads(seen) == pytest.approx([0.0, 1.0, 30.0])
    # The owner that comes back plans on.
    rotation.put([Segment(now + 30, now + 31, 30.0)])
    rotation.beat_s = now + 60
    assert float(rotation.at(now + 40)) == 30.0


PLAN = st.lists(
    st.tuples(st.floats(-5, 40), st.lists(st.floats(0.01, 3), min_size=1, max_size=4)),
    min_size=1,
    max_size=20,
)


@given(PLAN, st.lists(st.floats(-10, 60), min_size=1, max_size=20))
def test_each_plan_replaces_the_future_of_those_before(plans, times) -> None:
    """Against the rule itself, piece by piece, and one value at a time as all together."""
    held: list[Segment] = []
    with tempfile.TemporaryDirectory() as folder:
        channel = World.create(Path(folder) / "w", seed=1).channel("rotation")
        for number, (begin, lengths) in enumerate(plans):
            pieces = []
            for length in lengths:
                pieces.append(Segment(begin, begin + length, float(number), 0.5, -0.1))
                begin += length
            channel.put(pieces)
            held = [piece for piece in held if piece.t0 < pieces[0].t0] + pieces
            channel.beat_s = 100.0
            for time_s in times:
                before = [piece for piece in held if piece.t0 <= time_s]
                wanted = np.nan
                if before:
                    since = min(time_s, before[-1].t1) - before[-1].t0
                    wanted = before[-1].x0 + 0.5 * since - 0.05 * since * since
                assert channel.value(time_s) == pytest.approx(wanted, nan_ok=True)
            found = channel.at(np.array(times)).tolist()
            alone = [channel.value(time_s) for time_s in times]
            assert found == pytest.approx(alone, nan_ok=True)


def test_the_ring_goes_round_and_keeps_the_newest(tmp_path) -> None:
    channel = World.create(tmp_path / "w", seed=1).channel("gate")
    for number in range(3 * 8192):
        channel.put([Segment(float(number), number + 0.5, float(number % 2))])
    channel.beat_s = 1e6
    assert channel.value(3 * 8192 - 1.0) == 1.0
    history = channel.history()
    assert history.size >= 7000
    assert history["t0"].tolist() == list(range(3 * 8192 - history.size, 3 * 8192))
    with pytest.raises(ValueError, match="may have 512 pieces"):
        channel.put([Segment(float(k), float(k), 0.0) for k in range(513)])


def test_the_next_change_of_a_plan_is_known(tmp_path) -> None:
    channel = World.create(tmp_path / "w", seed=1).channel("gate")
    assert channel.next_change_s(0.0) == np.inf
    channel.put([Segment(1.0, 1.0, 0.0), Segment(2.0, 3.0, 1.0), Segment(3.0, 3.0, 0.0)])
    assert [channel.next_change_s(t) for t in (0.5, 1.5, 2.0, 2.5, 3.0)] == [1, 2, 3, 3, np.inf]
    channel.put([Segment(2.2, 2.2, 0.0)])
    assert [channel.next_change_s(t) for t in (2.1, 2.3)] == [2.2, np.inf]
