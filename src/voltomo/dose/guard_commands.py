"""From the text that a client sent to what the guard's core is asked; nothing of it is trusted."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from voltomo.dose.guard_core import GuardCore
from voltomo.dose.lease import LeaseRequest
from voltomo.dose.policies import Override

__all__ = ["obey", "parse"]

_KNOWN = "request, renew, settle, status, override"
_LONGEST_ID = 64
_LONGEST_WORD = 200


def parse(text: str) -> dict[str, Any] | None:
    """A command with its identity, or None where it is none."""
    try:
        order = json.loads(text.encode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(order, dict):
        return None
    identity = order.get("id")
    if not isinstance(identity, str) or not 0 < len(identity) <= _LONGEST_ID:
        return None
    return order


def obey(core: GuardCore, order: dict[str, Any], now_s: float) -> None:
    """Ask the core what a command asks; the core answers."""
    identity, op = order["id"], order.get("op")
    if op == "request":
        try:
            wanted = LeaseRequest.model_validate(order.get("request"))
        except ValidationError as error:
            core.refuse(identity, f"the request is not understood: {_found(error)}", None)
            return
        core.request(identity, wanted, now_s)
    elif op == "renew":
        core.renew(identity, _word(order, "lease_id"), now_s)
    elif op == "settle":
        core.settle(identity, _word(order, "lease_id"), _word(order, "reason", "done"), now_s)
    elif op == "status":
        seconds = order.get("seconds")
        wanted_s = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None
        last = order.get("last_scan") is True
        core.ask_status(identity, _word(order, "sample"), now_s, wanted_s, last=last)
    elif op == "override":
        try:
            given = Override.model_validate(order.get("override"))
        except ValidationError as error:
            core.answer_error(identity, f"the override is not understood: {_found(error)}")
            return
        core.override(identity, _word(order, "sample"), given, now_s)
    else:
        said = _word(order, "op") or "that was sent"
        core.answer_error(identity, f"the command '{said}' is not known; known: {_KNOWN}")


def _found(error: ValidationError) -> str:
    return _short("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))


def _word(order: dict[str, Any], name: str, default: str = "") -> str:
    """A text of a command; what is no text is none."""
    value = order.get(name, default)
    return _short(value) if isinstance(value, str) else ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_WORD else text[:_LONGEST_WORD] + "…"
