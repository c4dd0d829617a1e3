"""Values of the baseline during a scan: positions and machine current between its readings."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from voltomo.records.scan_record import Reading, ScanRecord

Floats = NDArray[np.float64]

_TO_METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "": 1e-3}
_TO_AMPERES = {"A": 1.0, "mA": 1e-3, "": 1e-3}


def stage_position_m(record: ScanRecord, axis: str, utc_s: Floats) -> Floats | None:
    """Position of a sample stage in metres at these times, or None where it was not read.

    Parameters
    ----------
    axis : str
        "x", "y" or "z" of the stage: across the beam, along it, up.
    """
    return _between(record, rf"(^|[_.])stage_{axis}$|^sample_{axis}$", utc_s, _TO_METRES)


def ring_current_A(record: ScanRecord, utc_s: Floats) -> Floats | None:
    """Machine current in amperes at these times, or None where it was not read."""
    return _between(record, r"ring_current$", utc_s, _TO_AMPERES)


def _between(
    record: ScanRecord, pattern: str, utc_s: Floats, factors: dict[str, float]
) -> Floats | None:
    """A quantity between the readings of the baseline, held beyond them."""
    points = sorted(
        (reading.utc_s, value)
        for reading in record.baseline
        for value in [_value(reading, pattern, factors)]
        if value is not None
    )
    if not points:
        return None
    table: Floats = np.array(points, dtype=np.float64)
    at, values = table[:, 0], table[:, 1]
    return np.asarray(np.interp(utc_s, at, values), dtype=np.float64)


def _value(reading: Reading, pattern: str, factors: dict[str, float]) -> float | None:
    for key, value in reading.values.items():
        factor = factors.get(reading.units.get(key, ""))
        if re.search(pattern, key) and factor is not None and isinstance(value, (int, float)):
            return float(value) * factor
    return None
