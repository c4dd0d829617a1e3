"""Frame truth: whatever is lost, every remaining frame keeps its angle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.model.camera_clock import track_clock
from voltomo.model.clock import ClockMap
from voltomo.model.frame_table import Frames, FrameTable, Outcome, Triggers, join
from voltomo.model.scan_spec import Block

PERIOD_S = 0.02
BLOCKS = (
    Block(name="priming", kind="priming", first=0, count=12, period_s=PERIOD_S),
    Block(
        name="sweep_0",
        kind="sweep",
        first=12,
        count=100,
        period_s=PERIOD_S,
        start_deg=0.0,
        step_deg=1.8,
    ),
)
CAMERA = ClockMap(offset_s=1234.5, skew=40e-6, origin_s=0.0)


def fired() -> Triggers:
    index = np.arange(112)
    time_s = np.where(index < 12, index * PERIOD_S, 1.0 + index * PERIOD_S)
    angle = np.where(index < 12, 0.0, (index - 12) * 1.8)
    return Triggers.of_blocks(BLOCKS, index, time_s, angle)


def delivered(triggers: Triggers, jitter_s: float = 2e-4, first_id: int = 7) -> Frames:
    rng = np.random.default_rng(3)
    on_camera = (triggers.time_s - CAMERA.offset_s) / (1 + CAMERA.skew)
    stamps = on_camera + rng.normal(0, jitter_s, triggers.index.size)
    unique_id = (first_id + np.arange(triggers.index.size) + 2**31) % 2**32 - 2**31
    places = np.arange(triggers.index.size)
    return Frames(stamps, unique_id.astype(np.int64), places, triggers.block)


def keep(frames: Frames, places: np.ndarray) -> Frames:
    return frames.chosen(places)


def with_one_more(frames: Frames, time_s: float, block: int) -> Frames:
    return Frames(
        np.append(frames.time_s, time_s),
        np.append(frames.unique_id, 999),
        np.append(frames.source, 999),
        np.append(frames.block if frames.block is not None else [], block).astype(np.int64),
    )


def joined(triggers: Triggers, frames: Frames) -> FrameTable:
    return join(triggers, frames, track_clock(triggers, frames, BLOCKS[0]), 0.01)


@settings(max_examples=150, deadline=None)
@given(
    lost=st.sets(st.integers(12, 111), max_size=60),
    missed=st.sets(st.integers(12, 111), max_size=30),
    repeated=st.sets(st.integers(0, 111), max_size=10),
    order=st.randoms(use_true_random=False),
    first_id=st.sampled_from([0, 7, 2**31 - 40, 2**32 - 30]),
)
def test_remaining_frames_keep_their_trigger(lost, missed, repeated, order, first_id) -> None:
    triggers = fired()
    seen = np.array([i for i in range(112) if i not in missed])
    frames = keep(delivered(triggers), seen)
    numbered = delivered(triggers, first_id=first_id).unique_id[: seen.size]
    frames = Frames(frames.time_s, numbered, frames.source, frames.block)
    places = [p for p in range(seen.size) if seen[p] not in lost]
    places += [p for p in places if seen[p] in repeated]
    order.shuffle(places)
    frames = keep(frames, np.array(places))

    table = joined(triggers, frames)

    gone = sorted(lost | missed)
    assert table.missing.tolist() == gone
    assert np.array_equal(table.source[table.valid], np.setdiff1d(np.arange(112), gone))
    sweep = table.valid & (table.block == 1)
    expected = (table.index[sweep] - 12) * 1.8 + 1.8 * 0.01 / PERIOD_S / 2
    assert np.allclose(table.angle_deg[sweep], expected)
    assert table.orphans.size == 0
    assert set(table.duplicates.tolist()) == repeated - set(gone)


@pytest.mark.parametrize("gone", [[12], [111], [12, 13, 14], [40, 41, 42, 43], [20, 50, 90]])
def test_lost_after_numbering_is_told_from_missed_by_the_camera(
    gone: list[int],
) -> None:
    triggers = fired()
    stay = np.setdiff1d(np.arange(112), gone)
    lost = keep(delivered(triggers), stay)
    missed = Frames(lost.time_s, np.arange(stay.size), lost.source, lost.block)
    end = [111] if 111 in gone else []

    after = joined(triggers, lost)
    before = joined(triggers, missed)

    inner = np.isin(after.index, np.setdiff1d(gone, end))
    assert np.all(after.outcome[inner] == Outcome.LOST_AFTER_NUMBERING)
    assert np.all(before.outcome[inner] == Outcome.MISSED_BY_CAMERA)
    assert np.all(after.outcome[np.isin(after.index, end)] == Outcome.MISSING)


def test_two_candidates_make_both_invalid() -> None:
    triggers = fired()
    frames = delivered(triggers)
    table = joined(triggers, with_one_more(frames, frames.time_s[60] + 0.002, 1))
    assert table.outcome[60] == Outcome.AMBIGUOUS
    assert table.source[60] == -1
    assert table.missing.tolist() == [60]


def test_a_frame_between_triggers_is_an_orphan_and_shifts_nothing() -> None:
    triggers = fired()
    frames = delivered(triggers)
    table = joined(triggers, with_one_more(frames, frames.time_s[60] + PERIOD_S / 2, 1))
    assert table.missing.size == 0
    assert table.orphans.tolist() == [999]


def test_a_missed_priming_pulse_is_refused_with_a_sentence() -> None:
    triggers = fired()
    frames = keep(delivered(triggers), np.setdiff1d(np.arange(112), [4]))
    with pytest.raises(ValueError, match="prime again"):
        joined(triggers, frames)


def test_a_frame_of_another_file_gets_no_trigger_of_this_block() -> None:
    triggers = fired()
    frames = keep(delivered(triggers), np.setdiff1d(np.arange(112), [60]))
    strange = with_one_more(frames, delivered(triggers).time_s[60], 0)
    table = join(triggers, strange, track_clock(triggers, frames, BLOCKS[0]), 0.01)
    assert table.missing.tolist() == [60]
    assert table.orphans.tolist() == [999]


def test_a_clock_that_cannot_tell_triggers_apart_gives_none() -> None:
    triggers = fired()
    vague = ClockMap(CAMERA.offset_s, CAMERA.skew, sigma_s=0.6 * PERIOD_S / 4)
    assert not join(triggers, delivered(triggers), vague, 0.01).valid.any()


def test_an_index_latched_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="latched twice"):
        Triggers.of_blocks(BLOCKS, np.array([3, 3]), np.zeros(2), np.zeros(2))


def test_a_scan_without_any_frame_has_every_trigger_missing() -> None:
    triggers = fired()
    nothing = Frames(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    table = join(triggers, nothing, CAMERA, 0.01)
    assert table.missing.size == 112
    assert np.all(table.outcome == Outcome.MISSING)


@given(lost=st.sets(st.integers(12, 131), max_size=40))
def test_a_block_that_was_taken_again_keeps_its_frames_whenever_that_was(lost: set[int]) -> None:
    flats = Block(name="flats", kind="flats", first=12, count=20, period_s=PERIOD_S)
    sweep = BLOCKS[1].model_copy(update={"first": 32})
    index = np.arange(132)
    again = (index >= 12) & (index < 32)
    shift_s = np.select([index < 12, again], [0.0, 5.0], 1.0)
    time_s = (index * PERIOD_S + shift_s).astype(np.float64)
    angle = np.where(index < 32, 0.0, (index - 32) * 1.8)
    triggers = Triggers.of_blocks((BLOCKS[0], flats, sweep), index, time_s, angle)
    # The camera numbers frames as they come: those of the flats come last.
    order = np.argsort(np.argsort(time_s))
    whole = delivered(triggers)
    frames = Frames(whole.time_s, 7 + order, whole.source, triggers.block)
    table = joined(triggers, keep(frames, np.array([i for i in index if i not in lost])))
    assert set(table.missing) == lost
    assert np.array_equal(table.source[table.valid], table.index[table.valid])
    inner = np.isin(table.index, [*range(13, 31), *range(33, 131)])
    if not {12, 31, 32, 131} & lost:
        assert set(table.outcome[inner & ~table.valid]) <= {Outcome.LOST_AFTER_NUMBERING}


def test_a_stage_that_stands_has_no_speed_between_its_stops() -> None:
    targets = tuple((np.arange(100) * 1.8).tolist())
    stepped = Block(
        name="sweep_0", kind="sweep", first=12, count=100, period_s=PERIOD_S, targets_deg=targets
    )
    flying = fired()
    standing = Triggers.of_blocks(
        (BLOCKS[0], stepped), flying.index, flying.time_s, flying.angle_deg
    )
    assert np.array_equal(standing.angle_mid_exposure_deg(0.01), flying.angle_deg)
    assert np.allclose(flying.angle_mid_exposure_deg(0.01)[12:], flying.angle_deg[12:] + 0.45)
