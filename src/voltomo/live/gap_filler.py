"""Fills what the stream did not bring, from the files, which are the truth."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from voltomo.live.live_slice import LiveSlice
from voltomo.live.run_follower import FileOpened
from voltomo.model.camera_clock import track_clock
from voltomo.model.clock import ClockMap
from voltomo.model.frame_layout import file_of, frame_handles, place_of
from voltomo.model.frame_table import Floats, Frames, Ints, Triggers, join
from voltomo.runtime.frame_files import FrameFile, FrameFileUnreadable

log = logging.getLogger(__name__)


def fill(live: LiveSlice, files: Sequence[FileOpened], limit: int = 256) -> int:
    """Read wanted rows from the files and use them.

    Parameters
    ----------
    live : LiveSlice
        The scan.
    files : sequence of FileOpened
        Its files so far, in the order in which they were opened; those that cannot be read yet
        are passed over.
    limit : int
        At most this many frames, so that the stream does not wait for long.

    Returns
    -------
    int
        How many frames were used.

    Notes
    -----
    Where the clock map that was followed live gave no trigger of a block its frame, the map is
    made anew from the files, by which a block can be placed after a long pause.
    """
    wanted = live.wanted()
    if not wanted:
        return 0
    # A block that was taken again has a file for each take, and only the last one counts.
    files = list({file.block or str(file.path): file for file in files}.values())
    clock, used = live.matcher.clock, 0
    if clock is not None:
        blocks = {live.block_of(index).name for index in wanted}
        of_blocks = [file for file in files if not file.block or file.block in blocks]
        used = _fill(live, of_blocks, np.array(wanted), limit, clock)
    if used or (clock is not None and not _a_block_is_missing(live, wanted)):
        return used
    return _fill(live, files, np.array(wanted), limit, None)


def _a_block_is_missing(live: LiveSlice, wanted: Sequence[int]) -> bool:
    """Whether all that was latched of a block is wanted."""
    wants = Counter(live.block_of(index).name for index in wanted)
    latched = ~np.isnan(live.matcher.time_s)
    return any(
        0 < int(latched[block.first : block.last].sum()) <= wants[block.name]
        for block in live.matcher.blocks
    )


def _fill(
    live: LiveSlice, files: Sequence[FileOpened], wanted: Ints, limit: int, clock: ClockMap | None
) -> int:
    """Use wanted frames of these files by a clock map, or by their own, if none is given."""
    with ExitStack() as stack:
        opened: list[tuple[str, FrameFile]] = []
        for file in files:
            try:
                reader = stack.enter_context(FrameFile(file.path))
                if reader.shape[1:] == live.shape:
                    opened.append((file.block, reader))
            except (FrameFileUnreadable, OSError, RuntimeError) as error:
                log.debug("%s cannot be read yet: %s", file.path, error)
        return _fill_from(live, opened, wanted, limit, clock) if opened else 0


def _frames_of(live: LiveSlice, opened: list[tuple[str, FrameFile]]) -> Frames:
    """Stamps and numbers of all files, each frame with its place and its block."""
    block_of = {block.name: number for number, block in enumerate(live.matcher.blocks)}
    stamps = [file.time_s for _, file in opened]
    counts = [len(of_file) for of_file in stamps]
    blocks = [block_of.get(name, -1) for name, _ in opened]
    return Frames(
        np.concatenate(stamps),
        np.concatenate([file.unique_id[:n] for (_, file), n in zip(opened, counts, strict=True)]),
        np.concatenate([frame_handles(n, count) for n, count in enumerate(counts)]),
        np.repeat(blocks, counts),
    )


def _fill_from(
    live: LiveSlice,
    opened: list[tuple[str, FrameFile]],
    wanted: Ints,
    limit: int,
    clock: ClockMap | None,
) -> int:
    frames = _frames_of(live, opened)
    files = [file for _, file in opened]
    matcher = live.matcher
    index = np.flatnonzero(~np.isnan(matcher.time_s))
    triggers = Triggers.of_blocks(
        matcher.blocks, index, matcher.time_s[index], matcher.angle_deg[index]
    )
    clock = clock or _clock_of(live, triggers, frames)
    if clock is None:
        return 0
    matcher.adopt(clock)
    table = join(triggers, frames, clock, live.spec.exposure_s)
    here = table.valid & np.isin(table.index, wanted)
    return _use(live, files, table.index[here][:limit], table.source[here][:limit])


def _clock_of(live: LiveSlice, triggers: Triggers, frames: Frames) -> ClockMap | None:
    try:
        return track_clock(triggers, frames, live.matcher.blocks[0])
    except ValueError as error:
        log.debug("no clock map from the files yet: %s", error)
        return None


def _use(live: LiveSlice, files: list[FrameFile], index: Ints, source: Ints) -> int:
    """Use frames by their places, reading neighbours at once."""
    used = 0
    steps: Floats | Ints = np.diff(source)
    for run in np.split(np.arange(source.size), np.flatnonzero(steps != 1) + 1):
        if run.size == 0:
            continue
        handle = source[run[:1]]
        number, first = int(file_of(handle)[0]), int(place_of(handle)[0])
        try:
            rows = files[number].rows(first, first + run.size, live.row)
        except (OSError, RuntimeError, IndexError) as error:
            log.debug("%s cannot be read there yet: %s", files[number].path, error)
            continue
        for place, counts in zip(run, rows, strict=True):
            live.use_row(int(index[place]), counts)
            used += 1
    return used
