"""Asks many PVs at once for their type, words and access."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.make_area_detector_table import components, known_words

STRING, SHORT, ENUM, CHAR, LONG, DOUBLE = 0, 1, 3, 4, 5, 6
"""Native types of Channel Access."""
_TYPES = {
    "enum": (ENUM,), "int": (LONG, SHORT), "double": (DOUBLE,), "string": (STRING,),
    "long_string": (CHAR,), "int_array": (LONG,), "double_array": (DOUBLE,),
}  # fmt: skip
_NAMES = {0: "string", 1: "short", 2: "float", 3: "enum", 4: "char", 5: "long", 6: "double"}
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Expected:
    """A PV, its kind (None: any), the words of an enumeration, whether it must be writable.

    ``words`` None: any. A server of an older or newer version may lack the last words, or have
    further ones behind them.
    """

    name: str
    kind: str | None
    words: tuple[str, ...] | None = None
    writable: bool = False


def of_class(cls: Any, prefix: str, group: str) -> list[Expected]:
    """What an areaDetector class of ophyd names under a prefix such as ``VT:Cam:ROI1:``."""
    known = known_words()
    found: dict[str, Expected] = {}
    for name, readback in components(cls, prefix):
        word = name.removeprefix(prefix)
        for pv in (name, f"{name}_RBV") if readback else (name,):
            fact = known.get((group, word.removesuffix("_RBV"))) or known.get(
                ("", word.removesuffix("_RBV"))
            )
            if fact is None:
                found[pv] = Expected(pv, None)
                continue
            fixed = fact["fixed"] == "1"
            words = tuple(fact["choices"].split("|")) if fixed else None
            writable = readback and pv == name
            found[pv] = Expected(pv, fact["type"], words, writable)
    return list(found.values())


def complaints(expected: Iterable[Expected]) -> list[str]:
    """A line for each PV that is not what it is expected to be."""
    from epics import ca

    wanted = list(expected)
    channels = [(one, ca.create_channel(one.name, connect=False)) for one in wanted]
    ca.flush_io()
    end_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end_s and not all(ca.isConnected(chid) for _, chid in channels):
        ca.poll(1e-3, 0.05)
    return [line for one, chid in channels for line in _judge(ca, one, chid)]


def _judge(ca: Any, one: Expected, chid: Any) -> Iterator[str]:
    if not ca.isConnected(chid):
        yield f"{one.name}: does not answer"
        return
    kind, count = ca.field_type(chid), ca.element_count(chid)
    if one.kind is not None and kind not in _TYPES[one.kind]:
        yield f"{one.name}: expected {one.kind}, saw {_NAMES.get(kind, kind)}"
    elif one.kind == "long_string" and count < 40:
        yield f"{one.name}: expected room for a long text, saw {count} bytes"
    elif kind == ENUM and one.words is not None:
        seen = tuple(map(str, ca.get_enum_strings(chid) or ()))
        if any(ours != theirs for ours, theirs in zip(one.words, seen, strict=False)) or not seen:
            yield f"{one.name}: expected the words {one.words}, saw {seen}"
    if one.writable and not ca.write_access(chid):
        yield f"{one.name}: expected to be writable, saw that it is not"
