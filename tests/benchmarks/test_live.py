"""A rate is reached when nothing is lost, everything is shown, and in time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.live import _percentile_ms, reached

GOOD = {
    "kind": "tomography",
    "views_dropped": 0,
    "file_lost": 0,
    "processed": 2000,
    "frames": 2000,
    "latency_p99_ms": 180.0,
}

PLANES = {
    "kind": "laminography",
    "latency_p99_ms": 700.0,
    "in_planes": 2000,
    "planes_p99_ms": 600.0,
}


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({}, True),
        ({"file_lost": 1}, False),
        ({"processed": 1999}, False),
        ({"latency_p99_ms": 251.0}, False),
        ({"latency_p99_ms": None}, False),
        ({"views_dropped": 1}, False),
        (PLANES, True),
        (PLANES | {"in_planes": 1999}, False),
        (PLANES | {"planes_p99_ms": 1200.0}, False),
        (PLANES | {"planes_p99_ms": None}, False),
    ],
)
def test_each_demand_counts(changes: dict[str, str | float | None], whole: bool) -> None:
    assert reached({**GOOD, **changes}) is whole


def test_views_that_no_slice_showed_have_no_latency_and_leave_good_json() -> None:
    late = np.array([0.1, 0.12, np.inf])
    assert _percentile_ms(late, 50) == 120.0
    assert _percentile_ms(late, 99) is None
    json.dumps(_percentile_ms(np.full(3, np.inf), 50), allow_nan=False)
