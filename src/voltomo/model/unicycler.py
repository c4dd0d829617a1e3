"""Protocols as aurora-unicycler writes them (JSON), read into our own steps. Pure.

Its currents charge where they are positive, as ours do; it writes mA and mAh, we A and Ah.
"""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import CellProtocol, ProtocolStep
from voltomo.model.protocol_check import ProtocolRefused

__all__ = ["read_unicycler"]

_STEPS: dict[str, tuple[str, ...]] = {
    "open_circuit_voltage": ("until_time_s",),
    "constant_current": ("rate_C", "current_mA", "until_time_s", "until_voltage_V"),
    "constant_voltage": ("voltage_V", "until_time_s", "until_rate_C", "until_current_mA"),
    "loop": ("loop_to", "cycle_count"),
    "tag": ("tag",),
}
_STEP: TypeAdapter[ProtocolStep] = TypeAdapter(ProtocolStep)
_TOP = ("unicycler", "sample", "record", "safety", "method")
_SAFETY = (
    "max_voltage_V", "min_voltage_V", "max_current_mA", "min_current_mA", "max_capacity_mAh",
    "delay_s",
)  # fmt: skip


def read_unicycler(
    text: str, limits: CellLimits, capacity_Ah: float | None = None
) -> tuple[CellProtocol, CellLimits]:
    """A protocol and the limits that hold for it.

    Parameters
    ----------
    text : str
        The JSON.
    limits : CellLimits
        Of the cell; those of its ``safety`` only tighten them. ``delay_s`` is not used: limits
        act at once. ``record`` is not used: the cycler's own polls are recorded.
    capacity_Ah : float, optional
        Where the file's ``sample`` names none.

    Raises
    ------
    ProtocolRefused
        It is no such file, or holds what is not supported; the place is named.
    """
    document = _group(_parsed(text), "the file", _TOP)
    sample = _group(document.get("sample") or {}, "sample", ("name", "capacity_mAh"))
    given_mAh = _number(sample.get("capacity_mAh"), "sample.capacity_mAh")
    capacity = given_mAh / 1e3 if given_mAh is not None else capacity_Ah
    if capacity is None:
        raise _refused("sample.capacity_mAh", "the capacity of the cell", "none")
    method = document.get("method")
    if not isinstance(method, list) or not method:
        raise _refused("method", "a list of steps", str(cast("object", method)))
    name = str(sample.get("name") or "")
    steps = _steps(cast("list[Any]", method))
    try:
        protocol = CellProtocol(name=name, capacity_Ah=capacity, steps=steps)
        return protocol, limits.tightened(_safety(document.get("safety") or {}, limits))
    except ValidationError as error:
        raise _as_told("sample, safety or loops", error) from error


def _as_told(where: str, error: ValidationError) -> ProtocolRefused:
    """What a model says of its first mistake."""
    first = error.errors()[0]
    inside = [str(part) for part in first["loc"] if str(part) not in _STEPS]
    said = first["msg"].removeprefix("Value error, ")
    if not said.startswith("expected"):
        said = f"expected what fits, saw {first['input']!r}: {said}"
    return ProtocolRefused(f"{': '.join([where, *inside])}: {said}; the protocol was not read")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _refused(
            f"line {error.lineno}, column {error.colno}", "JSON of aurora-unicycler", error.msg
        ) from error


def _steps(method: list[Any]) -> tuple[ProtocolStep, ...]:
    """Our steps; tags fall away, and loops count without them."""
    kinds = [_kind(number, given) for number, given in enumerate(method, 1)]
    tags = {str(method[at].get("tag")): at for at, kind in enumerate(kinds) if kind == "tag"}
    ours = [sum(kind != "tag" for kind in kinds[:at]) for at in range(len(kinds))]
    made: list[ProtocolStep] = []
    for at, kind in enumerate(kinds):
        where = f"method, step {at + 1} ({kind})"
        values = _group(method[at], where, ("step", "id", *_STEPS[kind]))
        if kind == "loop":
            to = _loop_to(values.get("loop_to", 1), where, tags, len(kinds))
            count = values.get("cycle_count")
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise _refused(where, "cycle_count, a whole number from 1", repr(count))
            made.append(_step(where, {"step": "loop", "to": ours[to], "cycles": count}))
        elif kind != "tag":
            made.append(_step(where, {"step": kind, **_values(values, where, _STEPS[kind])}))
    return tuple(made)


def _step(where: str, values: dict[str, Any]) -> ProtocolStep:
    try:
        return _STEP.validate_python(values)
    except ValidationError as error:
        raise _as_told(where, error) from error


def _kind(number: int, given: Any) -> str:
    kind = cast("dict[str, Any]", given).get("step") if isinstance(given, dict) else None
    if kind not in _STEPS:
        known = ", ".join(_STEPS)
        raise _refused(f"method, step {number}", f"one of {known}", repr(kind))
    return str(kind)


def _loop_to(given: Any, where: str, tags: dict[str, int], count: int) -> int:
    if isinstance(given, str):
        if given not in tags:
            raise _refused(where, f"loop_to one of the tags {sorted(tags)}", repr(given))
        return tags[given]
    if not isinstance(given, int) or not 1 <= given <= count:
        raise _refused(where, f"loop_to a tag, or a step from 1 to {count}", repr(given))
    return given - 1


def _values(values: dict[str, Any], where: str, names: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in names:
        rate = name.endswith("rate_C")
        value = (_rate if rate else _number)(values.get(name), f"{where}: {name}")
        if value is None:
            continue
        if name.endswith("_mA"):
            name, value = f"{name[:-3]}_A", value / 1e3
        # The end of a discharge may be written with its sign; ours is a size.
        found[name] = abs(value) if name in ("until_current_A", "until_rate_C") else value
    return found


def _rate(given: Any, where: str) -> float | None:
    """A rate as a number, or as text such as ``C/10``, ``2D`` or ``0.5``."""
    if not isinstance(given, str) or not given.strip():
        return _number(given, where)
    text = given.replace(" ", "")
    top, _, below = text.partition("/")
    sign = -1.0 if "D" in top else 1.0
    lettered = "C" in top or "D" in top
    digits = top.replace("C", "", 1).replace("D", "", 1)
    try:
        return sign * float(digits if digits or not lettered else 1) / float(below or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise _refused(where, "a rate such as 0.5, C/10 or D/2", repr(given)) from error


def _number(given: Any, where: str) -> float | None:
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    try:
        if isinstance(given, bool):
            raise TypeError
        return float(given)
    except (TypeError, ValueError) as error:
        raise _refused(where, "a number", repr(given)) from error


def _safety(given: Any, limits: CellLimits) -> CellLimits:
    values = _group(given, "safety", _SAFETY)
    told = {name: _number(values.get(name), f"safety.{name}") for name in _SAFETY}
    made = limits.model_dump()
    high_mA, low_mA, most_mAh = (
        told[n] for n in ("max_current_mA", "min_current_mA", "max_capacity_mAh")
    )
    changed = {
        "max_voltage_V": told["max_voltage_V"],
        "min_voltage_V": told["min_voltage_V"],
        "max_charge_current_A": None if high_mA is None else max(high_mA, 0.0) / 1e3,
        "max_discharge_current_A": None if low_mA is None else max(-low_mA, 0.0) / 1e3,
        "max_charge_Ah": None if not most_mAh else most_mAh / 1e3,
    }
    return CellLimits.model_validate(
        made | {name: value for name, value in changed.items() if value is not None}
    )


def _group(given: Any, where: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _refused(where, "a group of keys", repr(given))
    values = cast("dict[str, Any]", given)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise _refused(where, f"only {', '.join(known)}", ", ".join(unknown))
    return values


def _refused(where: str, expected: str, seen: str) -> ProtocolRefused:
    return ProtocolRefused(f"{where}: expected {expected}, saw {seen}; the protocol was not read")
