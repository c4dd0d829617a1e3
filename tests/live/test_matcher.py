"""Frames find their triggers while both still come, in whatever order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.live.matcher import Matcher
from voltomo.model.scan_spec import Block
from voltomo.model.trigger_source import TriggerChunk

PERIOD_S = 0.02
BLOCKS = (
    Block(name="priming", kind="priming", first=0, count=8, period_s=PERIOD_S),
    Block(
        name="sweep_0", kind="sweep", first=8, count=60, period_s=PERIOD_S, start_deg=0, step_deg=3
    ),
)
EDGES_S = np.concatenate([np.arange(8) * PERIOD_S, 2 + np.arange(60) * PERIOD_S])


def chunk(first: int, last: int) -> TriggerChunk:
    return TriggerChunk(first, [0.0] * (last - first), EDGES_S[first:last].tolist())


def stamp(index: int) -> float:
    return (EDGES_S[index] + 7000.0) * (1 - 30e-6)


@settings(max_examples=60, deadline=None)
@given(
    lost=st.sets(st.integers(8, 67), max_size=30),
    lag=st.integers(0, 12),
    repeats=st.sets(st.integers(0, 67), max_size=5),
)
def test_every_frame_that_comes_finds_its_own_trigger(lost, lag, repeats) -> None:
    matcher: Matcher[int] = Matcher(BLOCKS)
    found: dict[int, int] = {}
    latched = 0
    for index in range(68):
        while latched < max(0, index - lag):
            matcher.latch(chunk(latched, latched + 1))
            latched += 1
        if index not in lost:
            matcher.frame(stamp(index), index)
            if index in repeats:
                matcher.frame(stamp(index), index)
        found.update(matcher.matched())
    matcher.latch(chunk(0, 68))
    found.update(matcher.matched())
    assert found == {index: index for index in range(68) if index not in lost}


def test_strange_frames_before_the_train_do_not_confuse_it() -> None:
    matcher: Matcher[int] = Matcher(BLOCKS)
    for early in range(5):
        matcher.frame(6990.0 + 0.0731 * early, -1)
    for index in range(20):
        matcher.frame(stamp(index), index)
    matcher.latch(chunk(0, 20))
    assert dict(matcher.matched()) == {index: index for index in range(20)}


def test_without_a_whole_priming_train_nothing_is_matched_until_a_clock_is_given() -> None:
    from voltomo.model.clock import ClockMap

    matcher: Matcher[int] = Matcher(BLOCKS)
    for index in range(1, 20):
        matcher.frame(stamp(index), index)
    matcher.latch(chunk(0, 20))
    assert matcher.matched() == []
    matcher.adopt(ClockMap.fit([stamp(1), stamp(60)], [EDGES_S[1], EDGES_S[60]]))
    assert dict(matcher.matched()) == {index: index for index in range(1, 20)}


def test_all_that_is_known_of_the_clock_counts_before_a_pause_is_crossed() -> None:
    random = np.random.default_rng(5)
    blocks = (
        Block(name="priming", kind="priming", first=0, count=8, period_s=PERIOD_S),
        Block(name="darks", kind="darks", first=8, count=20, period_s=PERIOD_S),
        Block(name="flats", kind="flats", first=28, count=10, period_s=PERIOD_S),
    )
    train_s = np.arange(20) * PERIOD_S
    edges_s = np.concatenate([train_s[:8], 2 + train_s, 20 + train_s[:10]])
    for _ in range(40):
        stamps_s = (edges_s + 7000.0) * (1 - 30e-6) + random.normal(0, 100e-6, edges_s.size)
        matcher: Matcher[int] = Matcher(blocks)
        found: dict[int, int] = {}
        for block in blocks:
            for index in range(block.first, block.last):
                matcher.frame(float(stamps_s[index]), index)
            count = block.count
            edges = edges_s[block.first : block.last].tolist()
            matcher.latch(TriggerChunk(block.first, [0.0] * count, edges))
            found.update(matcher.matched())
        assert found == {index: index for index in range(38)}


def test_after_a_restart_one_frame_before_a_pause_does_not_remake_the_clock() -> None:
    from voltomo.model.clock import ClockMap

    blocks = (
        *BLOCKS,
        Block(name="sweep_1", kind="sweep", first=68, count=60, period_s=PERIOD_S, start_deg=0,
              step_deg=3),
    )  # fmt: skip
    edges_s = np.concatenate([EDGES_S, 12 + np.arange(60) * PERIOD_S])
    stamps_s = (edges_s + 7000.0) * (1 - 30e-6)
    matcher: Matcher[int] = Matcher(blocks)
    clock = ClockMap.fit([stamps_s[0], stamps_s[60]], [edges_s[0], edges_s[60]])
    matcher.adopt(clock)
    matcher.latch(TriggerChunk(0, [0.0] * 128, edges_s.tolist()))
    found: list[int] = []
    for index in (67, 68, 69, *range(70, 128)):
        matcher.frame(float(stamps_s[index]), index)
        found += [at for at, _ in matcher.matched()]
        assert index >= 67 + 31 or matcher.clock is clock
    assert found == list(range(67, 128))
    assert matcher.clock is not clock
