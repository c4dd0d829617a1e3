"""Whatever files or frames lack, no frame gets the angle of another trigger."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.model.camera_clock import track_clock
from voltomo.model.frame_table import Frames, FrameTable, Triggers, join
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import Block, ScanSpec

EXPOSURE_S, PERIOD_S = 0.038, 0.04
SPEC = ScanSpec(
    sample="cell 3",
    geometry=Geometry(rows=8, columns=8, pixel_um=1, step_deg=0.4, projections=450),
    exposure_s=EXPOSURE_S,
    period_s=PERIOD_S,
    flats_before=24,
    flats_after=12,
)
BLOCKS = SPEC.blocks()
PRIMING, COUNT = BLOCKS[0], SPEC.triggers

seeds = st.integers(0, 2**32 - 1)


def fired(
    blocks: tuple[Block, ...], rng: np.random.Generator, longest_pause_s: float = 2.0
) -> Triggers:
    times: list[float] = []
    angles: list[float] = []
    now_s = 0.0
    for block in blocks:
        now_s += rng.uniform(0.2, longest_pause_s)
        times += [now_s + at * block.period_s for at in range(block.count)]
        step = block.step_deg or 0.0
        angles += [step * at for at in range(block.count)]
        now_s = times[-1] + 0.9 * block.period_s
    index = np.arange(len(times))
    return Triggers.of_blocks(blocks, index, np.array(times), np.array(angles))


def seen(triggers: Triggers, rng: np.random.Generator, jitter_s: float = 1e-4) -> Frames:
    """Each frame's ``source`` is the trigger that it belongs to."""
    skew = rng.uniform(-50e-6, 50e-6)
    noise = rng.normal(0, jitter_s, triggers.index.size)
    stamps = triggers.time_s * (1 + skew) + rng.uniform(-1e4, 1e4) + noise
    return Frames(stamps, triggers.index + 5, triggers.index, triggers.block)


def joined(triggers: Triggers, frames: Frames) -> FrameTable | None:
    """None where the clock is refused."""
    try:
        clock = track_clock(triggers, frames, PRIMING)
    except ValueError:
        return None
    return join(triggers, frames, clock, EXPOSURE_S)


def assert_true(table: FrameTable | None) -> None:
    if table is not None:
        assert np.array_equal(table.source[table.valid], table.index[table.valid])


@settings(max_examples=60, deadline=None)
@given(seed=seeds, lacking=st.integers(0, len(BLOCKS) - 1))
def test_without_any_one_file(seed: int, lacking: int) -> None:
    rng = np.random.default_rng(seed)
    triggers = fired(BLOCKS, rng)
    frames = seen(triggers, rng)
    frames = frames.chosen(triggers.block != lacking)
    if lacking == 0:
        with pytest.raises(ValueError, match="restore that file"):
            track_clock(triggers, frames, PRIMING)
        return
    table = joined(triggers, frames)
    assert table is not None
    assert_true(table)
    assert np.array_equal(table.valid, triggers.block != lacking)


@settings(max_examples=150, deadline=None)
@given(
    seed=seeds,
    kept=st.one_of(st.floats(0, 1), st.sets(st.integers(0, COUNT - 1), max_size=40), st.just(None)),
    runs=st.lists(st.tuples(st.integers(0, COUNT), st.integers(1, 300)), max_size=4),
    longest_pause_s=st.sampled_from([0.5, 5.0, 300.0]),
    unlatched=st.integers(0, 60),
)
def test_without_any_of_the_frames_and_the_last_latches(
    seed: int,
    kept: float | set[int] | None,
    runs: list[tuple[int, int]],
    longest_pause_s: float,
    unlatched: int,
) -> None:
    rng = np.random.default_rng(seed)
    triggers = fired(BLOCKS, rng, longest_pause_s)
    frames = seen(triggers, rng)
    stay = np.ones(COUNT, dtype=bool)
    if isinstance(kept, set):
        stay[list(kept)] = False
    elif kept is not None:
        stay &= rng.random(COUNT) < kept
    for first, count in runs:
        stay[first : first + count] = False
    stay[PRIMING.first : PRIMING.last] |= rng.random() < 0.7
    frames = frames.chosen(stay)
    known = slice(0, COUNT - unlatched)
    told = Triggers.of_blocks(
        BLOCKS, triggers.index[known], triggers.time_s[known], triggers.angle_deg[known]
    )
    assert_true(joined(told, frames))


@settings(max_examples=60, deadline=None)
@given(seed=seeds, period_s=st.sampled_from([0.002, 0.04, 1.0]))
def test_whole_scans_are_followed_over_pauses(seed: int, period_s: float) -> None:
    """Even where few frames precede the sweep: flats and darks show which trigger is which."""
    rng = np.random.default_rng(seed)
    spec = SPEC.model_copy(update={"period_s": period_s, "exposure_s": 0.9 * period_s})
    blocks = spec.blocks()
    triggers = fired(blocks, rng, longest_pause_s=20.0)
    frames = seen(triggers, rng, jitter_s=2e-3 * period_s)
    table = join(triggers, frames, track_clock(triggers, frames, blocks[0]), spec.exposure_s)
    assert_true(table)
    assert table.missing.size == 0


@settings(max_examples=150, deadline=None)
@given(
    seed=seeds,
    block=st.integers(1, len(BLOCKS) - 1),
    periods=st.one_of(st.integers(-30, 30), st.floats(-30, 30), st.floats(-3e5, 3e5)),
    lost=st.sets(st.integers(PRIMING.last, COUNT - 1), max_size=5),
)
def test_a_clock_that_was_set_between_two_blocks_shifts_nothing(
    seed: int, block: int, periods: float, lost: set[int]
) -> None:
    rng = np.random.default_rng(seed)
    triggers = fired(BLOCKS, rng)
    frames = seen(triggers, rng)
    later = frames.time_s + np.where(triggers.block >= block, periods * PERIOD_S, 0.0)
    moved = Frames(later, frames.unique_id, frames.source, frames.block)
    edges = {at for b in BLOCKS for at in (b.first, b.last - 1)}
    stay = np.array([at not in lost - edges for at in range(COUNT)])
    assert_true(joined(triggers, moved.chosen(stay)))


def test_frames_without_a_block_cannot_prime() -> None:
    rng = np.random.default_rng(1)
    triggers = fired(BLOCKS, rng)
    frames = seen(triggers, rng)
    nameless = Frames(frames.time_s, frames.unique_id, frames.source)
    with pytest.raises(ValueError, match="saw 12 pulses and 0 frames"):
        track_clock(triggers, nameless, PRIMING)
