"""Tell a device something and wait until it has done it, for a bounded time."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky.utils import short_uid

Plan = Generator[Msg, Any, Any]


def set_within(device: Any, value: Any, patience_s: float) -> Plan:
    """Set a Movable, and wait for it.

    Raises
    ------
    TimeoutError
        It had not arrived in time.
    """
    group = short_uid("set")
    yield from bps.abs_set(device, value, group=group)
    yield from bps.wait(group, timeout=patience_s)


def prepare_within(device: Any, value: Any, patience_s: float) -> Plan:
    """Prepare a Preparable, and wait for it.

    Raises
    ------
    TimeoutError
        It was not ready in time.
    """
    group = short_uid("prepare")
    yield from bps.prepare(device, value, group=group)
    yield from bps.wait(group, timeout=patience_s)
