"""What a segmenter was trained for, and the sentences that say where data leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.segment_features import NAMES, Anchors

_TAIL = 5e-4
"""Part of training's pixels beyond each end of a feature's range."""
_LEVELS = np.array(
    [name.startswith(("grey", "smoothed", "closed", "rough")) for name in NAMES], np.bool_
)
"""Features whose median says something of a slice; that of a slope is all but zero."""
_MARGIN = 1.5
"""A slice may be so many times as strange as the strangest of training."""


@dataclass(frozen=True)
class TrainedRange:
    """Ranges of training.

    Attributes
    ----------
    pixel_um : float32 (2,)
        Least and greatest pixel size.
    contrast_per_cm : float32 (2,)
        Of the distance of the two phases.
    low_over_high : float32 (2,)
        Of the dark phase's attenuation over the bright one's.
    contrast_to_noise : float32 ()
        Least.
    bright_part : float32 (2,)
        Of the pixels nearer to the bright phase.
    confidence : float32 ()
        Least mean confidence of a slice.
    feature_ranges : float32 (features, 2)
        Between which nearly all pixels had their feature.
    medians : float32 (features, 2)
        Least and greatest median of a slice.
    strange : float32 ()
        Greatest part of a slice's pixels with any feature beyond its range.
    """

    pixel_um: NDArray[np.float32]
    contrast_per_cm: NDArray[np.float32]
    low_over_high: NDArray[np.float32]
    contrast_to_noise: NDArray[np.float32]
    bright_part: NDArray[np.float32]
    confidence: NDArray[np.float32]
    feature_ranges: NDArray[np.float32]
    medians: NDArray[np.float32]
    strange: NDArray[np.float32]

    @classmethod
    def of_arrays(cls, held: Mapping[str, NDArray[np.float32]]) -> TrainedRange:
        """From the arrays of a weights file; others beside them are passed over.

        Raises
        ------
        ValueError
            One is missing.
        """
        names = list(cls.__dataclass_fields__)
        missing = [name for name in names if name not in held]
        if missing:
            raise ValueError(f"The weights say no range of training: {', '.join(missing)} missing.")
        return cls(**{name: held[name] for name in names})

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """As `of_arrays` takes them."""
        return {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}

    def reasons(
        self, seen: NDArray[np.float32], anchors: Anchors, pixel_um: float, confidence: float
    ) -> tuple[str, ...]:
        """Why a slice lies outside, in sentences; none where it lies within.

        Parameters
        ----------
        seen : float32 (features, n)
            Of the pixels asked about.
        anchors : Anchors
        pixel_um : float
        confidence : float
            Mean over the pixels.
        """
        found: list[str] = []

        def within(value: float, limits: NDArray[np.float32], what: str, unit: str) -> None:
            low, high = (float(limit) for limit in limits)
            if not low <= value <= high:
                found.append(
                    f"{what} is {value:.3g}{unit}, trained for {low:.3g} to {high:.3g}{unit}."
                )

        within(pixel_um, self.pixel_um, "The pixel size", " µm")
        contrast = (anchors.high - anchors.low) / (pixel_um * 1e-4)
        within(contrast, self.contrast_per_cm, "The contrast of the two main phases", "/cm")
        ratio = anchors.low / anchors.high
        within(ratio, self.low_over_high, "The dark phase over the bright one", "")
        within(anchors.bright_part, self.bright_part, "The part of bright pixels", "")
        least = float(self.contrast_to_noise)
        if anchors.contrast_to_noise < least:
            found.append(
                f"The contrast is {anchors.contrast_to_noise:.3g} times the noise, trained for "
                f"{least:.3g} and more."
            )
        part = strange_part(seen, self.feature_ranges)
        if part > float(self.strange):
            found.append(
                f"{part:.1%} of the pixels have surroundings that training did not hold, "
                f"{float(self.strange):.1%} are usual; most by their {self._strangest(seen)}."
            )
        away = self._medians_away(seen)
        if away is not None:
            found.append(f"The typical {away} of the slice lies beyond all slices of training.")
        if confidence < float(self.confidence):
            found.append(
                f"The mean confidence is {confidence:.2f}, in training at least "
                f"{float(self.confidence):.2f}."
            )
        return tuple(found)

    def _strangest(self, seen: NDArray[np.float32]) -> str:
        low, high = self.feature_ranges[:, :1], self.feature_ranges[:, 1:]
        return NAMES[int(((seen < low) | (seen > high)).sum(axis=1).argmax())]

    def _medians_away(self, seen: NDArray[np.float32]) -> str | None:
        medians = np.median(seen[:, :: max(1, seen.shape[1] // 20_000)], axis=1)
        span = self.medians[:, 1] - self.medians[:, 0] + 1e-9
        beyond = np.maximum(self.medians[:, 0] - medians, medians - self.medians[:, 1]) / span
        beyond[~_LEVELS] = 0
        return NAMES[int(beyond.argmax())] if float(beyond.max()) > _MARGIN - 1 else None


def strange_part(seen: NDArray[np.float32], ranges: NDArray[np.float32]) -> float:
    """Part of pixels (features, n) with any feature beyond its range (features, 2)."""
    some = seen[:, :: max(1, seen.shape[1] // 50_000)]
    return float(((some < ranges[:, :1]) | (some > ranges[:, 1:])).any(axis=0).mean())


def trained_range(
    slices: list[NDArray[np.float32]],
    anchors: list[Anchors],
    pixels_um: list[float],
    confidences: list[float],
) -> TrainedRange:
    """The ranges of slices whose pixels' features are (features, n) each, with some margin."""
    together = np.concatenate([seen[:, ::7] for seen in slices], axis=1)
    ranges = np.quantile(together, (_TAIL, 1 - _TAIL), axis=1).T.astype(np.float32)
    medians = np.stack(
        [np.median(seen[:, :: max(1, seen.shape[1] // 20_000)], axis=1) for seen in slices]
    )
    contrast = [(a.high - a.low) / (p * 1e-4) for a, p in zip(anchors, pixels_um, strict=True)]

    def spread(values: list[float], part: float = 0.1) -> NDArray[np.float32]:
        low, high = min(values), max(values)
        margin = part * (high - low)
        return np.array((low - margin, high + margin), np.float32)

    bright = [a.bright_part for a in anchors]
    return TrainedRange(
        pixel_um=spread(pixels_um, 0.02),
        contrast_per_cm=spread(contrast),
        low_over_high=spread([a.low / a.high for a in anchors], 0.5),
        contrast_to_noise=_number(min(a.contrast_to_noise for a in anchors) / _MARGIN),
        bright_part=np.array((min(bright) / _MARGIN, max(bright) * _MARGIN), np.float32),
        confidence=_number(1 - _MARGIN * (1 - min(confidences))),
        feature_ranges=ranges,
        medians=np.stack([medians.min(axis=0), medians.max(axis=0)], 1).astype(np.float32),
        strange=_number(_MARGIN * max(strange_part(seen, ranges) for seen in slices)),
    )


def _number(value: float) -> NDArray[np.float32]:
    return np.array(value, np.float32)
