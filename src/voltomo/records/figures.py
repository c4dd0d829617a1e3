"""Pictures of a report as inline SVG: readable on paper, on light and on dark screens."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.records.dose_account import DoseAccount
from voltomo.records.scan import Scan
from voltomo.records.svg import INK, LOST, SECOND, SERIES, new_figure, to_svg
from voltomo.records.transmission import Transmission

Floats = NDArray[np.float64]

_BAR_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def transmission_chart(name: str, seen: Transmission) -> str:
    """Mean transmission over the sweeps."""
    figure, axes = new_figure(name, 1, 2.6)
    axis = axes[0, 0]
    axis.plot(seen.time_s, 100 * seen.mean, color=SERIES, lw=1.4)
    axis.set_xlabel("time since the first projection / s")
    axis.set_ylabel("mean transmission / %")
    low, high = 100 * float(seen.mean.min()), 100 * float(seen.mean.max())
    margin = max(0.15 * (high - low), 0.5)
    axis.set_ylim(low - margin, high + margin)
    return to_svg(figure, name, "Mean transmission over the scan")


def residual_chart(name: str, scan: Scan) -> str:
    """Encoder against the grid that was asked for, and frame times against trigger edges."""
    figure, axes = new_figure(name, 2, 4.2)
    table, latches, blocks = scan.table, scan.record.latches, scan.record.blocks
    for number, block in enumerate(blocks):
        inside, asked = table.block == number, block.asked_deg
        if asked is None:
            continue
        grid = asked[table.index[inside] - block.first]
        off = 1e3 * (latches.angle_deg[inside] - grid)
        axes[0, 0].plot(table.index[inside], off, ".", ms=3, color=SERIES)
    axes[0, 0].set_ylabel("encoder − grid / mdeg")
    axes[1, 0].plot(table.index, 1e3 * table.residual_s, ".", ms=3, color=SERIES)
    axes[1, 0].set_ylabel("frame − edge / ms")
    axes[1, 0].set_xlabel("trigger index")
    for axis in axes[:, 0]:
        axis.vlines(
            scan.scan_rows.missing, 0, 1, color=LOST, lw=1, alpha=0.6, label="no valid frame",
            transform=axis.get_xaxis_transform(),
        )  # fmt: skip
        axis.set_xlim(-1, max(int(table.index.max(initial=1)), 1) + 1)
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, -1e-3), max(high, 1e-3))
    if scan.scan_rows.missing.size:
        # Above the drawing, where no point can lie under it.
        axes[0, 0].legend(
            frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, fontsize=9,
            labelcolor=INK,
        )  # fmt: skip
    return to_svg(figure, name, "Residuals of angles and frame times")


def dose_chart(name: str, dose: DoseAccount) -> str:
    """Where the dose went, one bar for each cause."""
    causes = [(cause, value) for cause, value in dose.by_cause.items() if value > 0]
    figure, axes = new_figure(name, 1, 0.75 + 0.34 * len(causes))
    axis = axes[0, 0]
    names = [cause if cause != "frames" else "valid frames of the sweeps" for cause, _ in causes]
    colours = [SERIES if cause == "frames" else SECOND for cause, _ in causes]
    percent = [100 * value / dose.dose_Gy for _, value in causes]
    bars = axis.barh(names, percent, color=colours, height=0.62)
    words = [
        f"{part:.1f} %, {value:.3g} Gy" for part, (_, value) in zip(percent, causes, strict=True)
    ]
    axis.bar_label(bars, words, color=INK, padding=5)
    axis.set_xlim(0, 1.3 * max(percent))
    axis.set_xticks([tick for tick in range(0, 101, 20) if tick <= max(percent) + 1])
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("part of the dose / %")
    return to_svg(figure, name, "Where the dose went")


def png_bytes(grey: NDArray[np.uint8]) -> bytes:
    """A grey picture as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def png_uri(grey: NDArray[np.uint8]) -> str:
    """A grey picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(grey)).decode()


def grey_range(image: NDArray[Any]) -> tuple[float, float]:
    """Values that are drawn black and white: the 0.5 and 99.5 percentiles of what is known."""
    known = np.asarray(image, dtype=np.float64)
    known = known[np.isfinite(known)]
    low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0.0, 1.0)
    return float(low), float(high)


def slice_picture(image: NDArray[Any], pixel_um: float | None) -> str:
    """A slice as inline SVG with a scale bar; see `grey_range`.

    Parameters
    ----------
    image : array, shape (rows, columns)
        The slice; NaN is drawn black.
    pixel_um : float or None
        Size of a pixel; where it is not known, the bar counts pixels.
    """
    shown = np.asarray(image, dtype=np.float64)
    low, high = grey_range(shown)
    span = high - low if high > low else 1.0
    grey = np.clip((np.nan_to_num(shown, nan=low) - low) / span * 255, 0, 255).astype(np.uint8)
    height, width = grey.shape
    pixel = pixel_um or 1.0
    fitting = [length for length in _BAR_LENGTHS if length <= 0.3 * width * pixel]
    length = fitting[-1] if fitting else _BAR_LENGTHS[0]
    bar, unit = length / pixel, width / 100
    label = f"{length} µm" if length < 1000 else f"{length // 1000} mm"
    if pixel_um is None:
        label = f"{length} pixels"
    x, y = 4 * unit, height - 5 * unit
    return (
        f'<svg role="img" aria-label="Slice with a scale bar of {label}" class="slice" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f'<image href="{png_uri(grey)}" width="{width}" height="{height}" '
        'style="image-rendering:pixelated"/>'
        f'<rect x="{x - 2 * unit:.2f}" y="{y - 6 * unit:.2f}" width="{bar + 4 * unit:.2f}" '
        f'height="{9 * unit:.2f}" rx="{unit:.2f}" fill="#000" fill-opacity=".55"/>'
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{bar:.2f}" height="{1.2 * unit:.2f}" fill="#fff"/>'
        f'<text x="{x + bar / 2:.2f}" y="{y - 1.3 * unit:.2f}" font-size="{3.6 * unit:.2f}" '
        f'fill="#fff" text-anchor="middle" font-family="system-ui,sans-serif">{label}</text></svg>'
    )
