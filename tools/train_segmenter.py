"""Make the weights of the live segmenter: ``python -m tools.train_segmenter``.

Electrodes of fixed seeds go through the virtual beamline's physics and the product's
reconstruction; boosted trees learn the truth of some of their pixels; their numbers are written as
plain arrays to ``analysis/segment_weights.npz``, with the recipe and the ranges that it covers.

The same recipe makes the same weights, bit for bit, on the same machine and libraries: ``--check``
makes them anew and compares. Other processors may round sums differently in the last digit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.segment_scans import NOMINAL, Conditions, labelled, varied
from voltomo.analysis.disc import disc
from voltomo.analysis.segment import CLASSES, WEIGHTS, Segmenter, with_context
from voltomo.analysis.segment_features import NAMES, Anchors, features, find_anchors
from voltomo.analysis.segment_range import TrainedRange, trained_range
from voltomo.analysis.segment_trees import Trees, read_arrays

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """All that the weights depend on.

    Parameters
    ----------
    first_seeds, seeds : tuple of int
        Electrodes of the first and of the second trees, and of the ranges; none of them is in
        any benchmark or test.
    conditions : Conditions
        Round which those of training vary (`benchmarks.segment_scans.varied`).
    pixels_a_class : int
        That are learnt from each electrode, at most.
    balance : float
        1 weighs classes by how many pixels they have, 0 gives each the same.
    first_rounds, rounds, learning_rate, depth, leaves, pixels_a_leaf, ridge
        Of the boosting.
    """

    first_seeds: tuple[int, ...] = tuple(range(1, 13))
    seeds: tuple[int, ...] = tuple(range(13, 41))
    conditions: Conditions = NOMINAL
    pixels_a_class: int = 2500
    balance: float = 0.9
    first_rounds: int = 20
    rounds: int = 40
    learning_rate: float = 0.2
    depth: int = 6
    leaves: int = 48
    pixels_a_leaf: int = 40
    ridge: float = 1.0

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass
class Gathered:
    """What is learnt from: pixels with class and weight, and slices for the ranges."""

    values: list[Floats]
    classes: list[NDArray[np.uint8]]
    weights: list[NDArray[np.float64]]
    slices: list[Floats]
    anchors: list[Anchors]
    pixels_um: list[float]


def gather(recipe: Recipe, first: Trees | None = None) -> Gathered:
    """Scan and reconstruct all electrodes, and pick pixels; with context if there are trees."""
    got = Gathered([], [], [], [], [], [])
    for seed in recipe.seeds if first else recipe.first_seeds:
        conditions = varied(seed, recipe.conditions)
        images, truths = labelled(seed, conditions)
        random = np.random.default_rng((seed, 0x9A6))
        values: list[Floats] = []
        classes: list[NDArray[np.uint8]] = []
        mask = disc(images.shape[1])
        for image, truth in zip(images, truths, strict=True):
            anchors = find_anchors(image, mask)
            asked = np.ascontiguousarray(features(image, anchors)[:, mask])
            seen = with_context(first, asked, mask) if first else asked
            known = truth[mask] > 0
            values.append(seen[:, known])
            classes.append(truth[mask][known])
            got.slices.append(np.ascontiguousarray(seen[:, ::11]))
            got.anchors.append(anchors)
            got.pixels_um.append(conditions.pixel_um)
        _pick(np.concatenate(values, 1), np.concatenate(classes), recipe, random, got)
        sys.stderr.write(f"electrode of seed {seed}\n")
    return got


def _pick(
    values: Floats,
    classes: NDArray[np.uint8],
    recipe: Recipe,
    random: np.random.Generator,
    got: Gathered,
) -> None:
    for number in range(1, len(CLASSES) + 1):
        places = np.flatnonzero(classes == number)
        count = min(len(places), recipe.pixels_a_class)
        some = np.sort(random.choice(places, count, replace=False))
        got.values.append(values[:, some])
        got.classes.append(classes[some])
        got.weights.append(np.full(count, (len(places) / max(count, 1)) ** recipe.balance))


def grow(recipe: Recipe, got: Gathered, rounds: int) -> Trees:
    """Boost the trees, and take their numbers out of the library."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    # Its stubs know early_stopping as a word alone.
    learner = cast(Any, HistGradientBoostingClassifier)(
        max_iter=rounds,
        learning_rate=recipe.learning_rate,
        max_depth=recipe.depth,
        max_leaf_nodes=recipe.leaves,
        min_samples_leaf=recipe.pixels_a_leaf,
        l2_regularization=recipe.ridge,
        early_stopping=False,
        random_state=0,
    )
    weights = np.concatenate(got.weights)
    learner.fit(
        np.ascontiguousarray(np.concatenate(got.values, 1).T),
        np.concatenate(got.classes),
        sample_weight=weights / weights.mean(),
    )
    return exported(learner, recipe.depth)


def exported(learner: Any, depth: int) -> Trees:
    """A fitted learner's trees, filled up to complete ones."""
    grown = [tree.nodes for of_round in learner._predictors for tree in of_round]
    inner = (1 << depth) - 1
    feature = np.zeros((len(grown), inner), np.uint8)
    threshold = np.full((len(grown), inner), np.inf, np.float32)
    leaf = np.zeros((len(grown), inner + 1), np.float32)
    for number, nodes in enumerate(grown):
        waiting = [(0, 0, 0)]
        while waiting:
            node, place, level = waiting.pop()
            if nodes[node]["is_leaf"]:
                first = ((place + 1) << (depth - level)) - (1 << depth)
                leaf[number, first : first + (1 << (depth - level))] = nodes[node]["value"]
                continue
            feature[number, place] = nodes[node]["feature_idx"]
            threshold[number, place] = nodes[node]["num_threshold"]
            waiting.append((int(nodes[node]["left"]), 2 * place + 1, level + 1))
            waiting.append((int(nodes[node]["right"]), 2 * place + 2, level + 1))
    start = np.asarray(learner._baseline_prediction, np.float32).reshape(-1)
    return Trees(feature, threshold, leaf, start)


def ranges(second: Trees, got: Gathered) -> TrainedRange:
    """What the slices of training cover."""
    confidences: list[float] = []
    for seen in got.slices:
        likely = second.probabilities(seen)
        entropy = -(likely * np.log(np.maximum(likely, 1e-9))).sum(axis=0)
        confidences.append(float(1 - entropy.mean() / np.log(len(CLASSES))))
    plain = [seen[: len(NAMES)] for seen in got.slices]
    return trained_range(plain, got.anchors, got.pixels_um, confidences)


def make(recipe: Recipe) -> Segmenter:
    """Train by a recipe."""
    first = grow(recipe, gather(recipe), recipe.first_rounds)
    got = gather(recipe, first)
    second = grow(recipe, got, recipe.rounds)
    return Segmenter(first, second, ranges(second, got))


def write(path: Path, recipe: Recipe, made: Segmenter) -> None:
    """Write plain arrays: trees, ranges, and the recipe as text."""
    text = json.dumps({"digest": recipe.digest, "recipe": asdict(recipe)}, sort_keys=True)
    np.savez_compressed(
        path,
        allow_pickle=False,
        recipe=np.frombuffer(text.encode(), np.uint8),
        **made.first.arrays("first"),
        **made.second.arrays("second"),
        **made.trained.arrays(),
    )


def recipe_digest(path: Path) -> str:
    """The digest of the recipe that a weights file says it was made by."""
    text = np.asarray(read_arrays(path)["recipe"], np.uint8).tobytes()
    return str(json.loads(text)["digest"])


def main() -> None:
    """Make the shipped weights, or compare with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    made = make(Recipe())
    if not options.check:
        write(options.out, Recipe(), made)
        sys.stdout.write(f"{options.out.name}: {made.digest}\n")
        return
    same = made.digest == Segmenter.load(options.out).digest
    sys.stdout.write("the same weights\n" if same else "other weights\n")
    sys.exit(not same)


if __name__ == "__main__":
    main()
