"""How fast the sheared rows add, and how near that is to what the core can load at all."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel
from voltomo.analysis.disc import disc
from voltomo.analysis.sheared_kernels import (
    PHASES,
    VIEWS_IN_A_PASS,
    back_project,
    half_length,
)
from voltomo.analysis.sheared_rows import padding_of_row


@kernel
def total(numbers: NDArray[np.float32], times: int) -> float:
    """Sum all numbers as often as said: nothing but loads."""
    result = 0.0
    for _ in range(times):
        part = np.float32(0)
        for i in range(numbers.shape[0]):
            part += numbers[i]
        result += float(part)
        numbers[0] += np.float32(1)  # or the sums would be made once
    return float(result)


def updates_and_bandwidth(size: int, views: int, rounds: int = 7) -> tuple[float, float]:
    """Updates a second of one core, and their loads over the core's load bandwidth.

    An update adds one view to one pixel of the disc, resampling of the view included, the filter
    not. It loads 4 bytes, and an eighth of the pixel, as eight views are added in a pass. The
    bandwidth is that of a sum over as much data as the eight resampled views are.

    Returns
    -------
    updates_per_s : float
        Of one core.
    fraction : float
        Bytes loaded a second over those of the plain sum.
    """
    left, right = padding_of_row(size, (size - 1) / 2, size)
    rows = np.ones((VIEWS_IN_A_PASS, left + size + right), np.float32)
    resampled = np.zeros((VIEWS_IN_A_PASS, PHASES, 2 * half_length(size)), np.float32)
    image = np.zeros((size, size), np.float32)
    angle = np.arange(views) * np.pi / views
    cosine, sine = np.cos(angle), np.sin(angle)
    upright = np.abs(cosine) >= np.abs(sine)
    along, across = np.where(upright, cosine, sine), np.where(upright, sine, cosine)
    origin = left + (size - 1) / 2
    numbers = resampled.ravel().copy()
    sums = 200

    def add() -> None:
        for first in range(0, views, VIEWS_IN_A_PASS):
            some = slice(first, first + VIEWS_IN_A_PASS)
            count = along[some].size
            eight = np.ones(VIEWS_IN_A_PASS), np.zeros(VIEWS_IN_A_PASS)
            eight[0][:count], eight[1][:count] = along[some], across[some]
            back_project(image, rows, origin, *eight, count, resampled)

    adding: list[float] = []
    loading: list[float] = []
    add()
    total(numbers, 1)
    for _ in range(rounds):
        begin = time.process_time()
        add()
        middle = time.process_time()
        total(numbers, sums)
        adding.append(middle - begin)
        loading.append(time.process_time() - middle)
    updates = float(disc(size, 1.0).sum()) * views / float(np.median(adding))
    loads = numbers.nbytes * sums / float(np.median(loading))
    return updates, updates * 4 * (1 + 1 / VIEWS_IN_A_PASS) / loads
