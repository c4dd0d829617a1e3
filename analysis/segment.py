"""Labels of a slice: pore or electrolyte, binder, active material, cracks, metal, gas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.disc import disc
from voltomo.analysis.segment_features import NAMES, Anchors, features, find_anchors
from voltomo.analysis.segment_range import TrainedRange
from voltomo.analysis.segment_trees import Trees, read_arrays
from voltomo.analysis.typed_scipy import smooth_image

CLASSES = ("pore", "binder", "active", "crack", "metal", "gas")
"""In the order of their labels, from 1; "pore" is pore or electrolyte, and hollows of particles."""
OUTSIDE = 0
"""Label of pixels that were not asked about."""
CONTEXT_SIGMAS = (1.5, 5.0)
"""Of the smoothing of what is likely, in pixels."""
CONTEXT = len(CLASSES) * len(CONTEXT_SIGMAS)
WEIGHTS = Path(__file__).with_name("segment_weights.npz")


@dataclass(frozen=True)
class Segmentation:
    """A labelled slice, and how far it can be believed.

    Attributes
    ----------
    labels : uint8 (N, N)
        1 + place in `CLASSES`; 0 outside of the mask.
    confidence : float32 (N, N)
        1 − entropy of the classes' probabilities over the greatest possible: 1 is sure, 0 knows
        nothing; 0 outside of the mask.
    fractions : dict of str to float
        Part of the mask's pixels that each class has.
    mean_confidence : float
        Within the mask.
    not_validated : tuple of str
        Why the labels lie outside of what the weights were trained for, in sentences; empty
        where they do not.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    fractions: dict[str, float]
    mean_confidence: float
    not_validated: tuple[str, ...]

    @property
    def validated(self) -> bool:
        """Whether slice and scan lie within what the weights were trained for."""
        return not self.not_validated


class Segmenter:
    """Labels slices by boosted trees over features of each pixel's surroundings, twice.

    What the first trees think likely of a pixel's surroundings is told to the second beside the
    features (auto-context: Z. Tu, CVPR 2008, 1): so a hollow is told from a crack by what lies
    round it, and a halo from binder.

    Parameters
    ----------
    first, second : Trees
        Of as many classes as `CLASSES`; over the features of `segment_features.NAMES`, and over
        those and the context.
    trained : TrainedRange
        What they were trained for.

    Notes
    -----
    The shipped weights (`Segmenter.shipped`) are trained on slices of composite electrodes in
    liquid electrolyte, reconstructed from phase-filtered projections (`phase.Paganin` with δ/β of
    the active material). One thread at a time; the heavy parts release the GIL.
    """

    def __init__(self, first: Trees, second: Trees, trained: TrainedRange) -> None:
        for trees, known in ((first, len(NAMES)), (second, len(NAMES) + CONTEXT)):
            if len(trees.start) != len(CLASSES) or int(trees.feature.max()) >= known:
                raise ValueError(
                    f"The trees are for {len(trees.start)} classes over at least "
                    f"{int(trees.feature.max()) + 1} features; needed are {len(CLASSES)} over "
                    f"{known}."
                )
        self.first = first
        self.second = second
        self.trained = trained

    @classmethod
    def shipped(cls) -> Segmenter:
        """The segmenter with the weights that come with voltomo."""
        return cls.load(WEIGHTS)

    @classmethod
    def load(cls, path: Path) -> Segmenter:
        """A segmenter from a file that ``tools/train_segmenter.py`` wrote; nothing in it runs."""
        held = read_arrays(path)
        first, second = (Trees.of_arrays(held, prefix) for prefix in ("first", "second"))
        return cls(first, second, TrainedRange.of_arrays(held))

    @property
    def digest(self) -> str:
        """Of all trees: the same weights, the same digest."""
        return self.first.digest[:32] + self.second.digest[:32]

    def segment(
        self,
        image: NDArray[np.float32],
        pixel_um: float,
        mask: NDArray[np.bool_] | None = None,
    ) -> Segmentation:
        """Label a slice.

        Parameters
        ----------
        image : float32 (N, N)
            Attenuation per pixel.
        pixel_um : float
            Pixel size.
        mask : bool (N, N), optional
            Pixels that are asked about; the disc of 0.9 of the radius by default.

        Raises
        ------
        ValueError
            If the image is not square or not finite, the pixel size is not above zero, the mask
            does not fit or selects nothing, or the slice has one grey value only.
        """
        mask = _checked(image, pixel_um, mask)
        image = np.ascontiguousarray(image, np.float32)
        anchors = find_anchors(image, mask)
        return self.label(features(image, anchors), anchors, pixel_um, mask)

    def label(
        self, seen: NDArray[np.float32], anchors: Anchors, pixel_um: float, mask: NDArray[np.bool_]
    ) -> Segmentation:
        """Label from features (features, N, N) that were made before."""
        asked = np.ascontiguousarray(seen[:, mask])
        context = with_context(self.first, asked, mask)
        likely = self.second.probabilities(context)
        best = likely.argmax(axis=0).astype(np.uint8) + np.uint8(1)
        entropy = -(likely * np.log(np.maximum(likely, np.float32(1e-9)))).sum(axis=0)
        sure = np.clip(1 - entropy / np.float32(math.log(len(CLASSES))), 0, 1)
        labels = np.zeros(mask.shape, np.uint8)
        confidence = np.zeros(mask.shape, np.float32)
        labels[mask], confidence[mask] = best, sure
        counts = np.bincount(best, minlength=len(CLASSES) + 1)[1:] / best.size
        return Segmentation(
            labels,
            confidence,
            {name: float(count) for name, count in zip(CLASSES, counts, strict=True)},
            float(sure.mean()),
            self.trained.reasons(asked, anchors, pixel_um, float(sure.mean())),
        )


def with_context(
    first: Trees, asked: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Features (features, n) of the mask's pixels, and what is likely round them below these."""
    likely = first.probabilities(asked)
    out = np.empty((len(asked) + CONTEXT, asked.shape[1]), np.float32)
    out[: len(asked)] = asked
    place = len(asked)
    chart = np.zeros(mask.shape, np.float32)
    for one in likely:
        chart[mask] = one
        for sigma in CONTEXT_SIGMAS:
            out[place] = smooth_image(chart, sigma)[mask]
            place += 1
    return out


def _checked(
    image: NDArray[np.float32], pixel_um: float, mask: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    if image.ndim != 2 or image.shape[0] != image.shape[1]:
        raise ValueError(f"A slice is square, (N, N); this one has shape {image.shape}.")
    if not 0 < pixel_um < math.inf:
        raise ValueError(f"The pixel size must be above zero, not {pixel_um} µm.")
    mask = disc(image.shape[0]) if mask is None else mask
    if mask.shape != image.shape or not mask.any():
        raise ValueError(
            f"The mask {mask.shape} must have the shape of the slice {image.shape} and select "
            f"some of it."
        )
    if not np.isfinite(image).all():
        bad = int(image.size - np.isfinite(image).sum())
        raise ValueError(
            f"The slice has {bad} values that are not finite. Nothing was segmented: check flats "
            f"and darks."
        )
    return mask
