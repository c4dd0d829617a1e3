"""Pictures of dose: the line of voxel, contrast and dose, energies, the curve, the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.records.svg import INK, LOST, SECOND, SERIES, new_figure, to_svg

Floats = NDArray[np.float64]

_SPAN = 1e7
"""Decades that are shown of a dose."""


def trade_off_chart(
    voxel_um: Floats,
    lines: Mapping[str, Floats],
    allowed_Gy: float,
    at: tuple[float, float] | None,
    who: str,
) -> str:
    """Dose at which a contrast is seen against the size of the voxel.

    Parameters
    ----------
    voxel_um : array, shape (n,)
        Sides of voxels.
    lines : mapping of str to array, shape (n,)
        Dose in Gy by what is said of the line; the first is the plan's own.
    allowed_Gy : float
        What one scan may cost; not drawn where it is not finite.
    at : (float, float) or None
        Voxel in µm and dose in Gy of the planned scan.
    who : str
        Whose dose.
    """
    figure, axes = new_figure("trade", 1, 4.2)
    axis = axes[0, 0]
    styles = [("-", 2.0), ("--", 1.2), (":", 1.2)]
    for (label, dose), (style, width) in zip(lines.items(), styles, strict=False):
        axis.loglog(voxel_um, dose, style, color=SERIES, lw=width, label=label)
    if np.isfinite(allowed_Gy) and allowed_Gy > 0:
        axis.axhline(allowed_Gy, color=LOST, lw=1.4, label="what one scan may cost")
        axis.fill_between(voxel_um, allowed_Gy, allowed_Gy * _SPAN, color=LOST, alpha=0.08, lw=0)
    if at is not None:
        axis.plot(*at, "o", ms=8, color=SECOND, label="the planned scan")
    middle = at[1] if at is not None else float(np.median(next(iter(lines.values()))))
    axis.set_ylim(middle / 1e4, middle * 1e4)
    axis.set_xlim(float(voxel_um[0]), float(voxel_um[-1]))
    axis.set_xlabel("voxel / µm")
    axis.set_ylabel(f"dose of {who} a scan / Gy")
    axis.legend(frameon=False, fontsize=9, labelcolor=INK)
    return to_svg(figure, "trade", "Dose against voxel size")


def energy_chart(energy_keV: Floats, dose_Gy: Floats, now_keV: float) -> str:
    """Dose at which the feature is seen against photon energy."""
    figure, axes = new_figure("energy", 1, 3.0)
    axis = axes[0, 0]
    shown = np.where(np.isfinite(dose_Gy), dose_Gy, np.nan)
    axis.semilogy(energy_keV, shown, "o-", ms=3, lw=1.4, color=SERIES)
    axis.axvline(now_keV, color=SECOND, lw=1.4, label="the planned beam")
    axis.set_xlabel("photon energy / keV")
    axis.set_ylabel("dose that it takes / Gy")
    axis.legend(frameon=False, fontsize=9, labelcolor=INK)
    return to_svg(figure, "energy", "Dose against photon energy")


def curve_chart(hours: Floats, bound_Gy: Floats, central_Gy: Floats, limit_Gy: float | None) -> str:
    """Dose that a sample had received against time, as a staircase."""
    figure, axes = new_figure("curve", 1, 3.2)
    axis = axes[0, 0]
    axis.step(hours, bound_Gy, where="post", color=SERIES, lw=1.8, label="upper bound")
    axis.step(hours, central_Gy, where="post", color=SERIES, lw=1.0, ls="--", label="best estimate")
    if limit_Gy is not None:
        axis.axhline(limit_Gy, color=LOST, lw=1.4, label="limit")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("time since the first exposure / h")
    axis.set_ylabel("dose / Gy")
    axis.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper left")
    return to_svg(figure, "curve", "Dose over time")


def map_chart(planes: Sequence[tuple[str, str, Floats, tuple[float, float, float, float]]]) -> str:
    """Planes through the dose map.

    Parameters
    ----------
    planes : sequence of (str, str, array, extent)
        Names of the axes across and up in mm, dose in Gy with shape (up, across), and left,
        right, bottom, top in mm.
    """
    figure, axes = new_figure("map", 1, 4.2, len(planes))
    highest = max((float(plane[2].max(initial=0.0)) for plane in planes), default=0.0)
    image: Any = None
    for axis, (across, up, dose, extent) in zip(axes[0], planes, strict=True):
        image = axis.imshow(
            dose, origin="lower", extent=extent, cmap="magma", vmin=0, vmax=highest or 1.0,
            aspect="equal", interpolation="nearest",
        )  # fmt: skip
        axis.set_xlabel(f"{across} / mm")
        axis.set_ylabel(f"{up} / mm")
        axis.grid(visible=False)
    if image is not None:
        figure.colorbar(image, ax=list(axes[0]), label="dose, upper bound / Gy", shrink=0.85)
    return to_svg(figure, "map", "Dose in the sample's frame")
