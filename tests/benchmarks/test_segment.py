"""Training of the segmenter repeats itself, and its benchmark counts right."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.segment import dice
from benchmarks.segment_gas import Series, delay, detected, false_alarms, size_detected
from benchmarks.segment_scans import NOMINAL, SHIFTED, labelled, rows_of, varied
from tools.train_segmenter import Recipe, gather, grow, make, recipe_digest, write
from voltomo.analysis.segment import WEIGHTS, Segmenter
from voltomo.analysis.segment_features import NAMES

SMALL = replace(NOMINAL, columns=96, made_columns=96, rows=24, views=60, slices=2)
RECIPE = replace(
    Recipe(), first_seeds=(1,), seeds=(2,), conditions=SMALL, pixels_a_class=200, first_rounds=2,
    rounds=3, depth=4, leaves=12, pixels_a_leaf=5,
)  # fmt: skip


def test_the_same_recipe_makes_the_same_weights(tmp_path: Path) -> None:
    one, other = make(RECIPE), make(RECIPE)
    assert one.digest == other.digest
    for name, array in one.trained.arrays().items():
        assert np.array_equal(array, other.trained.arrays()[name]), name
    write(tmp_path / "weights.npz", RECIPE, one)
    read = Segmenter.load(tmp_path / "weights.npz")
    assert read.digest == one.digest
    assert recipe_digest(tmp_path / "weights.npz") == RECIPE.digest
    assert make(replace(RECIPE, seeds=(3,))).digest != one.digest


def test_the_shipped_weights_are_those_of_the_recipe() -> None:
    assert recipe_digest(WEIGHTS) == Recipe().digest


def test_exported_trees_answer_like_the_library() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    got = gather(RECIPE)
    values = np.concatenate(got.values, 1)
    learner = cast(Any, HistGradientBoostingClassifier)(
        max_iter=2, learning_rate=RECIPE.learning_rate, max_depth=4, max_leaf_nodes=12,
        min_samples_leaf=5, l2_regularization=1.0, early_stopping=False, random_state=0,
    )  # fmt: skip
    weights = np.concatenate(got.weights)
    learner.fit(
        np.ascontiguousarray(values.T), np.concatenate(got.classes),
        sample_weight=weights / weights.mean(),
    )  # fmt: skip
    expected = learner.predict_proba(values.T)
    assert values.shape[0] == len(NAMES)
    found = grow(RECIPE, got, 2).probabilities(values)
    # Thresholds are rounded to single precision: a value may lie just on one.
    assert np.mean(np.abs(found.T - expected).max(axis=1) > 1e-5) < 1e-3


def test_conditions_of_training_never_reach_the_shifted_ones() -> None:
    for seed in Recipe().first_seeds + Recipe().seeds:
        made = varied(seed)
        assert made.pixel_um < SHIFTED.pixel_um
        assert made.energy_keV > SHIFTED.energy_keV
        assert made.distance_mm < SHIFTED.distance_mm
        assert made.counts > SHIFTED.counts
        assert made.blur_pixels < SHIFTED.blur_pixels
        assert made.assumed < SHIFTED.assumed
    assert max(Recipe().seeds) < 100_000


def test_slices_and_truth_lie_on_each_other() -> None:
    images, truths = labelled(5, SMALL)
    assert images.shape == truths.shape == (2, 96, 96)
    assert rows_of(SMALL) == [6, 17]
    for image, truth in zip(images, truths, strict=True):
        assert np.median(image[truth == 3]) > 3 * np.median(image[truth == 1])


def test_dice_is_twice_the_common_part_over_the_sum() -> None:
    truth = np.array([1, 1, 1, 2, 2, 3], np.uint8)
    labels = np.array([1, 1, 2, 2, 3, 3], np.uint8)
    found = dice(truth, labels)
    assert (found["pore"], found["binder"], found["active"]) == (0.8, 0.5, 0.6667)
    assert math.isnan(found["gas"])


def test_the_size_that_is_detected_lies_between_those_tried() -> None:
    assert size_detected([(10, 0.2), (20, 0.8), (30, 1.0)]) == pytest.approx(25)
    assert size_detected([(10, 1.0), (20, 1.0)]) == 10
    assert size_detected([(10, 1.0), (20, 0.5)]) is None


def test_large_bubbles_alarm_and_none_do_not() -> None:
    series = Series(900_100)
    assert detected(series, 4.0, 2) == 1.0
    assert 2 <= delay(series, 120.0, 6) <= 4
    assert false_alarms(900_101, 3) == 0
