"""What areaDetector's plugins do with an image: region, transformation, processing, statistics.

Pure functions of an image and of settings by the names of their PVs, as areaDetector describes
them. Images are (rows, columns).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Settings = Mapping[str, Any]

TURNS = {
    "None": (0, False),
    "Rot90": (1, False),
    "Rot180": (2, False),
    "Rot270": (3, False),
    "Mirror": (0, True),
    "Rot90Mirror": (1, True),
    "Rot180Mirror": (2, True),
    "Rot270Mirror": (3, True),
}


def region(image: Image, own: Settings) -> tuple[Image, dict[str, Any]]:
    """Cut, bin, reverse and scale; the place as it was taken."""
    out, place = image, {}
    for axis, name in ((1, "X"), (0, "Y")):
        full = image.shape[axis]
        place[f"MaxSize{name}_RBV"] = full
        if own[f"Enable{name}"] != "Enable":
            continue
        low = min(max(int(own[f"Min{name}"]), 0), full - 1)
        asked = full if own[f"AutoSize{name}"] == "Yes" else int(own[f"Size{name}"])
        size = min(max(asked, 1), full - low)
        bins = min(max(int(own[f"Bin{name}"]), 1), size)
        out = np.take(out, range(low, low + size // bins * bins), axis)
        if bins > 1:
            shape = list(out.shape)
            shape[axis : axis + 1] = [size // bins, bins]
            out = out.reshape(shape).sum(axis + 1)
        if own[f"Reverse{name}"] == "Yes":
            out = np.flip(out, axis)
        place |= {f"Min{name}_RBV": low, f"Size{name}_RBV": size, f"Bin{name}_RBV": bins}
    if own["EnableScale"] == "Enable" and own["Scale"] != 0:
        out = out / own["Scale"]
    return as_type(out, own["DataTypeOut"], image.dtype), place


def transformed(image: Image, own: Settings) -> Image:
    """Turn and mirror."""
    turns, mirrored = TURNS.get(str(own["Type"]), (0, False))
    out = np.rot90(image, -turns)
    return np.fliplr(out) if mirrored else out


@dataclass
class Processing:
    """What the process plugin remembers: stored images, and its filter."""

    background: Image | None = None
    flat: Image | None = None
    filtered: int = 0
    mean: Image = field(default_factory=lambda: np.empty(0))
    last: Image = field(default_factory=lambda: np.empty(0))


def processed(image: Image, own: Settings, memory: Processing) -> Image:
    """Background, flat field, offset and scale, clips, filter."""
    out = image.astype(np.float64)
    background = _stored(memory.background, out, 0.0)
    flat = _stored(memory.flat, out, 1.0)
    if own["EnableBackground"] == "Enable":
        out = out - background
    if own["EnableFlatField"] == "Enable" and memory.flat is not None:
        scale = float(own["ScaleFlatField"]) or float(flat.mean())
        out = out * scale / np.where(flat == 0, 1, flat)
    if own["EnableOffsetScale"] == "Enable":
        out = (out + own["Offset"]) * own["Scale"]
    if own["EnableLowClip"] == "Enable":
        out = np.maximum(out, own["LowClip"])
    if own["EnableHighClip"] == "Enable":
        out = np.minimum(out, own["HighClip"])
    if own["EnableFilter"] == "Enable":
        out = _filtered(out, own, memory)
    return as_type(out, own["DataTypeOut"], image.dtype)


def _stored(stored: Image | None, image: Image, otherwise: float) -> Image:
    """What was stored, if it fits; else what changes nothing."""
    if stored is None or stored.shape != image.shape:
        return np.full(image.shape, otherwise)
    return stored


def _filtered(image: Image, own: Settings, memory: Processing) -> Image:
    if memory.filtered == 0 or memory.mean.shape != image.shape:
        memory.filtered, memory.mean, memory.last = 0, np.zeros_like(image), image
    memory.filtered = min(memory.filtered + 1, max(int(own["NumFilter"]), 1))
    memory.mean = memory.mean + (image - memory.mean) / memory.filtered
    kind, last, memory.last = str(own["FilterType"]), memory.last, image
    return {
        "Sum": memory.mean * memory.filtered,
        "Difference": image - last,
        "RecursiveAveDiff": image - memory.mean,
        "CopyToFilter": image,
    }.get(kind, memory.mean)


def statistics(image: Image, own: Settings) -> dict[str, Any]:
    """Statistics, centroid, profiles and histogram, as far as they are asked for."""
    found: dict[str, Any] = {}
    values = image.astype(np.float64)
    if own["ComputeStatistics"] == "Yes":
        low, high = (np.unravel_index(at, image.shape) for at in (image.argmin(), image.argmax()))
        found |= {
            "MinValue": float(values[low]), "MaxValue": float(values[high]),
            "MinX": float(low[1]), "MinY": float(low[0]),
            "MaxX": float(high[1]), "MaxY": float(high[0]),
            "Total": float(values.sum()), "MeanValue": float(values.mean()),
            "Net": float(values.sum()) - _background(values, int(own["BgdWidth"])),
            "Sigma": float(values.std()),
        }  # fmt: skip
    if own["ComputeCentroid"] == "Yes":
        found |= _centroid(values, float(own["CentroidThreshold"]))
    if own["ComputeProfiles"] == "Yes":
        found |= _profiles(values, own)
    if own["ComputeHistogram"] == "Yes":
        found |= _histogram(values, own)
    return found


def _background(values: Image, width: int) -> float:
    """Sum over the image if all of it were as the mean of its edge of this width."""
    if width <= 0 or 2 * width >= min(values.shape):
        return 0.0
    inner = values[width:-width, width:-width]
    return float((values.sum() - inner.sum()) / (values.size - inner.size) * values.size)


def _centroid(values: Image, threshold: float) -> dict[str, Any]:
    weights = np.where(values >= threshold, values, 0.0)
    total = float(weights.sum())
    if total <= 0:
        return {"CentroidTotal": 0.0}
    rows, columns = (np.arange(n, dtype=np.float64) for n in values.shape)
    across, up = weights.sum(0) / total, weights.sum(1) / total
    x, y = float(across @ columns), float(up @ rows)
    wide, tall = float(across @ (columns - x) ** 2), float(up @ (rows - y) ** 2)
    both = float((rows - y) @ weights @ (columns - x)) / total
    spread = np.sqrt(wide * tall)
    return {
        "CentroidTotal": total, "CentroidX": x, "CentroidY": y,
        "SigmaX": float(np.sqrt(wide)), "SigmaY": float(np.sqrt(tall)),
        "SigmaXY": both / spread if spread > 0 else 0.0,
    }  # fmt: skip


def _profiles(values: Image, own: Settings) -> dict[str, Any]:
    rows, columns = values.shape
    row = min(max(int(own["CursorY"]), 0), rows - 1)
    column = min(max(int(own["CursorX"]), 0), columns - 1)
    bright = np.where(values >= float(own["CentroidThreshold"]), values, 0.0)
    return {
        "ProfileSizeX": columns, "ProfileSizeY": rows,
        "ProfileAverageX": values.mean(0), "ProfileAverageY": values.mean(1),
        "ProfileThresholdX": bright.mean(0), "ProfileThresholdY": bright.mean(1),
        "ProfileCursorX": values[row], "ProfileCursorY": values[:, column],
    }  # fmt: skip


def _histogram(values: Image, own: Settings) -> dict[str, Any]:
    low, high = float(own["HistMin"]), float(own["HistMax"])
    size = min(max(int(own["HistSize"]), 1), 256)
    if high <= low:
        return {}
    counts, edges = np.histogram(values, size, (low, high))
    part = counts[counts > 0] / values.size
    return {
        "Histogram": counts.astype(np.float64), "HistogramX": edges[:-1],
        "HistBelow": int((values < low).sum()), "HistAbove": int((values > high).sum()),
        "HistEntropy": -float(part @ np.log(part)),
    }  # fmt: skip


def as_type(image: Image, word: str, automatic: np.dtype[Any]) -> Image:
    """An image as a plugin puts it out: clipped to what its type holds."""
    kind = automatic if word == "Automatic" else np.dtype(word.lower())
    if kind.kind == "f":
        return image.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(image), limits.min, limits.max).astype(kind)
