"""Fills what the stream did not bring, from the files, which are the truth."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from voltomo.live.live_slice import LiveSlice
from voltomo.live.run_follower import FileOpened
from voltomo.model.clock import ClockMap
from voltomo.model.frame_table import Floats, Frames, Ints, Triggers, join, track_clock
from voltomo.runtime.frame_files import FrameFile, FrameFileUnreadable

_FILE_SHIFT = 1 << 32

log = logging.getLogger(__name__)


def fill(live: LiveSlice, files: Sequence[FileOpened], limit: int = 256) -> int:
    """Read wanted rows from the files and use them.

    Parameters
    ----------
    live : LiveSlice
        The scan.
    files : sequence of FileOpened
        Its files so far, in any order; those that cannot be read yet are passed over.
    limit : int
        At most this many frames, so that the stream does not wait for long.

    Returns
    -------
    int
        How many frames were used.
    """
    wanted = live.wanted()
    if not wanted:
        return 0
    blocks = {live.block_of(index).name for index in wanted}
    with ExitStack() as stack:
        opened: list[FrameFile] = []
        for file in files:
            # The clock map needs the scan from its beginning on.
            if file.block and file.block not in blocks and live.matcher.clock is not None:
                continue
            try:
                reader = stack.enter_context(FrameFile(file.path))
                if reader.shape[1:] == live.shape:
                    opened.append(reader)
            except (FrameFileUnreadable, OSError, RuntimeError) as error:
                log.debug("%s cannot be read yet: %s", file.path, error)
        return _fill_from(live, opened, np.array(wanted), limit) if opened else 0


def _fill_from(live: LiveSlice, files: list[FrameFile], wanted: Ints, limit: int) -> int:
    stamps, numbers = [file.time_s for file in files], [file.unique_id for file in files]
    frames = Frames(
        np.concatenate(stamps),
        np.concatenate(numbers),
        np.concatenate([n * _FILE_SHIFT + np.arange(len(s)) for n, s in enumerate(stamps)]),
    )
    matcher = live.matcher
    index = np.flatnonzero(~np.isnan(matcher.time_s))
    triggers = Triggers.of_blocks(
        matcher.blocks, index, matcher.time_s[index], matcher.angle_deg[index]
    )
    clock = matcher.clock or _clock_of(live, triggers, frames)
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
        number, first = divmod(int(source[run[0]]), _FILE_SHIFT)
        try:
            rows = files[number].rows(first, first + run.size, live.row)
        except (OSError, RuntimeError, IndexError) as error:
            log.debug("%s cannot be read there yet: %s", files[number].path, error)
            continue
        for place, counts in zip(run, rows, strict=True):
            live.use_row(int(index[place]), counts)
            used += 1
    return used
