"""Fills what the stream did not bring, from the files, which are the truth."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voltomo.live.live_slice import LiveSlice
from voltomo.model.frame_table import Frames, Triggers, join, track_clock
from voltomo.runtime.frame_files import FrameFile

_FILE_SHIFT = 1 << 32

log = logging.getLogger(__name__)


def fill(live: LiveSlice, files: Sequence[Path], limit: int = 64) -> int:
    """Read wanted frames from the files and use them.

    Parameters
    ----------
    live : LiveSlice
        The scan.
    files : sequence of Path
        Its files so far, in any order; those that cannot be read yet are passed over.
    limit : int
        At most this many frames, so that the stream does not wait for long.

    Returns
    -------
    int
        How many frames were used.
    """
    wanted = set(live.wanted())
    if not wanted:
        return 0
    opened: list[FrameFile] = []
    try:
        for path in files:
            try:
                opened.append(FrameFile(path))
            except (OSError, KeyError, ValueError) as error:
                log.debug("%s cannot be read yet: %s", path, error)
        return _fill_from(live, opened, wanted, limit)
    finally:
        for file in opened:
            file.close()


def _fill_from(live: LiveSlice, files: list[FrameFile], wanted: set[int], limit: int) -> int:
    if not files:
        return 0
    frames = Frames(
        np.concatenate([file.time_s for file in files]),
        np.concatenate([file.unique_id for file in files]),
        np.concatenate(
            [number * _FILE_SHIFT + np.arange(len(f)) for number, f in enumerate(files)]
        ),
    )
    matcher = live.matcher
    index = np.flatnonzero(~np.isnan(matcher.time_s))
    triggers = Triggers.of_blocks(
        matcher.blocks, index, matcher.time_s[index], matcher.angle_deg[index]
    )
    if matcher.clock is None:
        try:
            matcher.adopt(track_clock(triggers, frames, matcher.blocks[0]))
        except ValueError as error:
            log.debug("no clock map from the files yet: %s", error)
            return 0
    if matcher.clock is None:
        return 0
    table = join(triggers, frames, matcher.clock, live.spec.exposure_s)
    used = 0
    for row in np.flatnonzero(table.valid):
        if int(table.index[row]) not in wanted:
            continue
        number, place = divmod(int(table.source[row]), _FILE_SHIFT)
        live.use(int(table.index[row]), files[number].frames(place, place + 1)[0])
        used += 1
        if used >= limit:
            break
    return used
