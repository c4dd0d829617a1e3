"""Monitors on PVs that tell when they know nothing, and that never fall silent by themselves."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

__all__ = ["Monitors", "number", "text", "whole"]

Take = Callable[[float | None, float], Coroutine[Any, Any, None]]
"""Takes a number, or None where there is none, and its stamp (UTC by the sender's clock, s)."""

TakeText = Callable[[str | None], Coroutine[Any, Any, None]]
"""Takes a text, or None where there is none."""

_INVALID = 3

log = logging.getLogger(__name__)


def number(value: Any) -> float | None:
    """A reading as a number; None where it is disconnected, marked invalid, text or an array."""
    if not getattr(value, "ok", False) or getattr(value, "severity", 0) >= _INVALID:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def text(value: Any) -> str | None:
    """A reading as a text; None where it is disconnected, marked invalid or empty."""
    if not getattr(value, "ok", False) or getattr(value, "severity", 0) >= _INVALID:
        return None
    return str(value).strip() or None


def whole(value: float | None) -> int | None:
    """A reading as a whole number; None where it is none."""
    return None if value is None or not math.isfinite(value) else int(value)


class Monitors:
    """Monitors of several PVs.

    Parameters
    ----------
    table : mapping
        What takes the readings of each PV, by its full name.
    now_s : callable
        UTC now, the stamp of a disconnection.
    texts : mapping
        What takes the readings of PVs that are texts or named states.
    """

    def __init__(
        self,
        table: Mapping[str, Take],
        now_s: Callable[[], float],
        texts: Mapping[str, TakeText] | None = None,
    ) -> None:
        self._table = table
        self._now_s = now_s
        self._texts = dict(texts or {})
        self._subscriptions: dict[str, Any] = {}
        self._useless: set[str] = set()

    def open(self) -> None:
        """Subscribe to all; from within the running loop."""
        for name in (*self._table, *self._texts):
            self._subscribe(name)

    async def mend(self) -> None:
        """Subscribe again where the client library gave a monitor up, and tell that it was away."""
        for name, subscription in self._subscriptions.items():
            if subscription.state == subscription.CLOSED:
                log.warning("the monitor of %s had ended; it is opened again", name)
                if name in self._texts:
                    await self._texts[name](None)
                else:
                    await self._table[name](None, self._now_s())
                self._subscribe(name)

    def _subscribe(self, name: str) -> None:
        import aioca

        as_text = name in self._texts
        self._subscriptions[name] = aioca.camonitor(
            name,
            self._text_arrived(name) if as_text else self._arrived(name),
            # Named states by their names, and what is text anyway.
            datatype=aioca.DBR_STRING if as_text else None,
            format=aioca.FORMAT_TIME,
            notify_disconnect=True,
            all_updates=True,
        )

    def _text_arrived(self, name: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
        take = self._texts[name]

        async def arrived(value: Any) -> None:
            await take(text(value))

        return arrived

    def _arrived(self, name: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
        take = self._table[name]

        async def arrived(value: Any) -> None:
            read = number(value)
            if read is not None or not getattr(value, "ok", False):
                self._useless.discard(name)
            elif name not in self._useless:
                self._useless.add(name)
                log.warning("%s reads nothing that can be used: %s", name, value)
            await take(read, float(getattr(value, "timestamp", 0.0) or self._now_s()))

        return arrived
