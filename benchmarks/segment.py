"""How well offline slices are segmented, at what cost: ``python -m benchmarks.segment --seed S``.

The slices are what offline reconstruction makes of whole scans: of all views, by gridding, filtered
for phase. Live slices of the web page have neither, and are not measured here.

``cpu_s_512`` is processor time for one slice of 512², from attenuation to labels and stamp, the
median of five. ``dice`` is over all labelled pixels of electrodes whose seeds follow from S and are
in no training; ``dice_shifted`` of the same electrodes with another pixel size, contrast and
fringes than any in training. ``gas``: ``false_per_1000_volumes`` are alarms of a watch over volumes
in which nothing but noise and place changed, by up to eight voxels; ``pod90_voxels`` is the size
from which on nine in ten bubbles are found, in two volumes of fresh noise; ``delay_volumes`` the
median number of volumes from the first that holds a bubble, growing by 40 voxels a volume, to the
alarm. ``not_validated`` are the parts of nominal and of shifted slices that were stamped.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.segment_gas import Series, delay, detected, false_alarms, size_detected
from benchmarks.segment_scans import NOMINAL, SHIFTED, Conditions, labelled
from voltomo.analysis.segment import CLASSES, Segmenter

_FIRST_SEED = 100_000
_STRIDE = 1000
_RADII = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
_GROWTH_VOXELS = 40.0


def dice(truth: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, float]:
    """Dice coefficient of each class over pixels."""
    found: dict[str, float] = {}
    for number, name in enumerate(CLASSES, 1):
        one, other = truth == number, labels == number
        total = int(one.sum()) + int(other.sum())
        found[name] = round(2 * int((one & other).sum()) / total, 4) if total else math.nan
    return found


def score(
    segmenter: Segmenter, seeds: list[int], conditions: Conditions
) -> tuple[dict[str, float], float]:
    """Dice over some electrodes, and the part of their slices that were stamped."""
    truths: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.uint8]] = []
    stamped = 0
    for seed in seeds:
        images, known = labelled(seed, conditions)
        for image, truth in zip(images, known, strict=True):
            made = segmenter.segment(image, conditions.pixel_um)
            # What lies beyond the mask was not asked for.
            asked = (truth > 0) & (made.labels > 0)
            truths.append(truth[asked])
            labels.append(made.labels[asked])
            stamped += not made.validated
    return dice(np.concatenate(truths), np.concatenate(labels)), stamped / len(truths)


def cpu_s(segmenter: Segmenter, seed: int) -> float:
    """Processor time for a slice of 512²: four slices of 256² side by side."""
    images, _ = labelled(seed, NOMINAL)
    image = np.block([[images[0], images[1]], [images[2], images[3]]])
    times: list[float] = []
    for _ in range(6):
        before = time.process_time()
        segmenter.segment(image, NOMINAL.pixel_um)
        times.append(time.process_time() - before)
    return float(np.median(times[1:]))


def gas(seed: int, volumes: int, trials: int) -> dict[str, float | None]:
    """False alarms, least size, delay."""
    electrodes = 8
    each = math.ceil(volumes / electrodes)
    alarms = 0
    for number in range(electrodes):
        alarms += false_alarms(seed + number, each)
        sys.stderr.write(f"gas: {alarms} false alarms in {(number + 1) * each} volumes\n")
    series = Series(seed + electrodes)
    parts = [(4 / 3 * math.pi * radius**3, detected(series, radius, trials)) for radius in _RADII]
    sys.stderr.write(f"gas: detected {[(round(v), round(p, 2)) for v, p in parts]}\n")
    delays = [delay(series, _GROWTH_VOXELS) for _ in range(max(3, trials // 3))]
    least = size_detected(parts)
    return {
        "false_per_1000_volumes": round(1000 * alarms / (each * electrodes), 2),
        "pod90_voxels": None if least is None else round(least, 1),
        "delay_volumes": float(np.median(delays)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--electrodes", type=int, default=4)
    parser.add_argument("--volumes", type=int, default=1000, help="without gas")
    parser.add_argument("--trials", type=int, default=20, help="bubbles of each size")
    options = parser.parse_args()
    first = _FIRST_SEED + _STRIDE * options.seed
    seeds = [first + number for number in range(options.electrodes)]
    segmenter = Segmenter.shipped()
    spent = cpu_s(segmenter, first)
    plain, stamped = score(segmenter, seeds, NOMINAL)
    shifted, stamped_shifted = score(segmenter, seeds, SHIFTED)
    sys.stderr.write(f"dice {plain}, shifted {shifted}\n")
    result = {
        "cpu_s_512": round(spent, 3),
        "dice": plain,
        "dice_shifted": shifted,
        "gas": gas(first + 500, options.volumes, options.trials),
        "not_validated": {"nominal": round(stamped, 3), "shifted": round(stamped_shifted, 3)},
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
