"""Labels of slices: trees, features, the stamp, and the weights that ship."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.segment import dice
from benchmarks.segment_scans import NOMINAL, labelled
from voltomo.analysis.disc import disc
from voltomo.analysis.segment import CLASSES, WEIGHTS, Segmenter
from voltomo.analysis.segment_features import NAMES, Anchors, features, find_anchors
from voltomo.analysis.segment_trees import Trees, read_arrays

SEED = 900_001


@pytest.fixture(scope="module")
def shipped() -> Segmenter:
    return Segmenter.shipped()


@pytest.fixture(scope="module")
def slices():
    return labelled(SEED, replace(NOMINAL, rows=44, slices=2))


def test_a_tree_asks_and_answers() -> None:
    # One tree for each of two classes: is feature 1 above 0.5, and then is feature 0 above 2?
    feature = np.array([[1, 0, 0], [0, 0, 0]], np.uint8)
    threshold = np.array([[0.5, np.inf, 2.0], [np.inf] * 3], np.float32)
    leaf = np.array([[1, -9, 2, 3], [0, -9, -9, -9]], np.float32)
    trees = Trees(feature, threshold, leaf, np.array([0.5, 0.0], np.float32))
    values = np.array([[0, 2, 2.1, np.inf], [0.5, 1, 1, 0]], np.float32)
    likely = trees.probabilities(values)
    raw = np.array([1.5, 2.5, 3.5, 1.5])
    np.testing.assert_allclose(likely[0], 1 / (1 + np.exp(-raw)), rtol=1e-6)
    np.testing.assert_allclose(likely.sum(axis=0), 1.0, rtol=1e-6)


def test_many_pixels_are_answered_like_one() -> None:
    random = np.random.default_rng(0)
    trees = Trees(
        random.integers(0, 4, (12, 7)).astype(np.uint8),
        random.normal(size=(12, 7)).astype(np.float32),
        random.normal(size=(12, 8)).astype(np.float32),
        np.zeros(3, np.float32),
    )
    values = random.normal(size=(4, 1500)).astype(np.float32)
    alone = np.concatenate(
        [trees.probabilities(values[:, n : n + 1].copy()) for n in range(1500)], axis=1
    )
    np.testing.assert_allclose(trees.probabilities(values), alone, rtol=1e-6)


def test_features_know_neither_scale_nor_direction() -> None:
    image = np.random.default_rng(1).random((64, 64)).astype(np.float32)
    image[20:40, 10:30] += 4
    mask = disc(64)
    seen = features(image, find_anchors(image, mask))
    assert seen.shape == (len(NAMES), 64, 64)
    brighter = image * 3 + 7
    again = features(brighter, find_anchors(brighter, mask))
    np.testing.assert_allclose(again, seen, atol=2e-4)
    turned = np.ascontiguousarray(np.rot90(image))
    turned_seen = features(turned, find_anchors(turned, mask))
    np.testing.assert_allclose(turned_seen, np.rot90(seen, axes=(1, 2)), atol=2e-4)


def test_anchors_are_the_two_phases_whatever_the_metal() -> None:
    random = np.random.default_rng(2)
    image = random.normal(0.1, 0.01, (128, 128)).astype(np.float32)
    image[30:90, 40:80] += 1.0
    image[60:64, 100:104] += 30.0
    found = find_anchors(image, disc(128))
    assert found.low == pytest.approx(0.1, abs=0.01)
    assert found.high == pytest.approx(1.1, abs=0.01)
    assert found.noise == pytest.approx(0.01 / 0.68, rel=0.2)


@pytest.mark.parametrize(
    ("image", "pixel_um", "message"),
    [
        (np.ones((8, 9), np.float32), 1.0, "square"),
        (np.full((32, 32), np.nan, np.float32), 1.0, "not finite"),
        (np.ones((32, 32), np.float32), 1.0, "grey value|pixels of the slice are"),
        (np.eye(32, dtype=np.float32), 0.0, "pixel size"),
    ],
)
def test_what_cannot_be_labelled_is_refused(
    shipped: Segmenter, image: np.ndarray, pixel_um: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        shipped.segment(image, pixel_um)


def test_the_shipped_weights_label_a_new_electrode(shipped: Segmenter, slices) -> None:
    images, truths = slices
    found = [shipped.segment(image, NOMINAL.pixel_um) for image in images]
    scores = dice(truths[truths > 0], np.stack([made.labels for made in found])[truths > 0])
    assert scores["active"] > 0.95
    assert min(scores.values()) > 0.7
    for made in found:
        assert made.validated, made.not_validated
        assert sum(made.fractions.values()) == pytest.approx(1.0)
        assert set(made.fractions) == set(CLASSES)
        assert 0.5 < made.mean_confidence <= 1
        inside = disc(256)
        assert (made.labels[inside] > 0).all()
        assert not made.labels[~inside].any()


def test_confidence_is_lower_where_labels_are_wrong(shipped: Segmenter, slices) -> None:
    image, truth = slices[0][0], slices[1][0]
    made = shipped.segment(image, NOMINAL.pixel_um)
    asked = (truth > 0) & (made.labels > 0)
    right = asked & (made.labels == truth)
    wrong = asked & (made.labels != truth)
    assert made.confidence[right].mean() > made.confidence[wrong].mean() + 0.2


def test_a_foreign_slice_is_stamped_with_the_reason(shipped: Segmenter, slices) -> None:
    image = slices[0][0]

    def reasons(other: np.ndarray, pixel_um: float = 1.0) -> str:
        return " ".join(shipped.segment(other.astype(np.float32), pixel_um).not_validated)

    assert reasons(image) == ""
    assert "pixel size" in reasons(image, 2.5)
    assert "contrast of the two main phases" in reasons(image * 3)
    noise = np.random.default_rng(3).normal(0, 0.3 * image.std(), image.shape)
    assert "noise" in reasons(image + noise)
    # The same grey values in other shapes: stripes.
    stripes = np.where(np.arange(256) % 40 < 6, image.max() / 3, 0)[None, :] + 0 * image
    assert "surroundings" in reasons(stripes + image * 0.02)


def test_weights_are_plain_arrays_and_small(tmp_path) -> None:
    assert WEIGHTS.stat().st_size < 1_000_000
    held = read_arrays(WEIGHTS)
    assert all(array.dtype.kind in "fui" for array in held.values())
    held.pop("first_leaf")
    np.savez(tmp_path / "less.npz", allow_pickle=False, **held)
    with pytest.raises(ValueError, match="first_leaf"):
        Segmenter.load(tmp_path / "less.npz")


def test_anchors_say_their_contrast_to_noise() -> None:
    assert Anchors(0.0, 1.0, 0.1, 0.5).contrast_to_noise == pytest.approx(10)
    assert Anchors(0.0, 1.0, 0.0, 0.5).contrast_to_noise == float("inf")
