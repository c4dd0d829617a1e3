"""How the world lies in its file: records, and tables and rows of them in place."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

MAGIC = b"voltomo4"

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("seed", "<i8"),
        ("monotonic_s", "<f8"),
        ("utc_s", "<f8"),
        ("skipped_s", "<f8"),
        ("trigger_offset_s", "<f8"),
        ("trigger_skew", "<f8"),
        ("camera_offset_s", "<f8"),
        ("camera_skew", "<f8"),
        ("camera_jitter_s", "<f8"),
    ]
)
SEGMENT = np.dtype([("t0", "<f8"), ("t1", "<f8"), ("x0", "<f8"), ("v0", "<f8"), ("a", "<f8")])
CHANNEL = np.dtype([("count", "<i8"), ("beat_s", "<f8")])
EDGE = np.dtype([("index", "<i8"), ("time_s", "<f8"), ("angle_deg", "<f8"), ("latched_deg", "<f8")])
FRAME = np.dtype(
    [
        ("index", "<i8"),
        ("unique_id", "<i8"),
        ("start_s", "<f8"),
        ("end_s", "<f8"),
        ("angle_deg", "<f8"),
        ("open_part", "<f8"),
        ("fluence_per_cm2", "<f8"),
        ("fate", "<i8"),
        ("tilt_deg", "<f8"),
        ("error_x_mm", "<f8"),
        ("error_z_mm", "<f8"),
        ("lit_part", "<f8"),
        ("row_delay_s", "<f8"),
    ]
)
COUNT = np.dtype([("count", "<i8")])
FAULT = np.dtype(
    [
        ("kind", "S32"),
        ("first", "<i8"),
        ("last", "<i8"),
        ("value", "<f8"),
        ("at_s", "<f8"),
    ]
)


def place_of(name: str) -> int:
    """Which number of eight bytes of the header this is."""
    fields: Any = HEADER.fields
    return int(fields[name][1]) // 8


class Table:
    """An append-only ring of records with one writer."""

    def __init__(self, count: Any, rows: Any) -> None:
        self._count = count
        self._rows = rows

    def __len__(self) -> int:
        return int(self._count["count"][0])

    def append(self, **values: Any) -> None:
        """Add one record."""
        number = len(self)
        row = self._rows[number % self._rows.shape[0] : number % self._rows.shape[0] + 1]
        for name, value in values.items():
            row[name] = value
        self._count["count"] = number + 1

    def clear(self) -> None:
        """Forget all records."""
        self._count["count"] = 0

    def since(self, number: int) -> NDArray[Any]:
        """Records from this running number on, as far as the ring still holds them."""
        count = len(self)
        first = max(number, count - self._rows.shape[0], 0)
        return cast("NDArray[Any]", self._rows[np.arange(first, count) % self._rows.shape[0]])
