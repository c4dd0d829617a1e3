"""Limits of axes: whether there are any, and whether a place lies within them."""

from __future__ import annotations

from typing import Any

from voltomo.plans.words import ScanRefused


def has_limits(axis: Any) -> bool:
    """Whether an axis has limits, as far as it says; equal ones are none in EPICS."""
    limits = getattr(axis, "limits", None)
    return limits is None or limits[0] < limits[1]


def demand_limits(name: str, axis: Any) -> None:
    """Refuse to move an axis that nothing would stop.

    Raises
    ------
    ScanRefused
        Its limits are not set.
    """
    if not has_limits(axis):
        low, high = axis.limits
        raise ScanRefused(
            f"{name}: expected limits, saw none set ({low:g} to {high:g}), so that nothing would "
            "stop a wrong move; no beam was used; set the limits of the axis"
        )


def demand_reachable(name: str, axis: Any, target: float, units: str) -> None:
    """Refuse a place that an axis cannot or must not go to.

    Raises
    ------
    ScanRefused
        It lies beyond a limit, or a rule of the beamline keeps the axis out.
    """
    try:
        axis.check_value(target)
    except Exception as error:
        raise ScanRefused(
            f"{name}: expected a path within the limits, run-up included, saw "
            f"{target:g} {units} ({error}); no beam was used; shift the range or the limits"
        ) from error
