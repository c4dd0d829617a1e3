"""The guard's own PVs."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

_LONG = 16384
_REASON = 1024
_WORD = 40
_STATES = ("Idle", "Leased", "Latched")
_REPLIES = 8
_SENTENCE = 1200


def clipped(text: str, room: int) -> str:
    """Text that fits into a record of so many bytes, its end mark included."""
    whole = text.encode(errors="replace")
    if len(whole) < room:
        return whole.decode()
    return whole[: room - 4].decode(errors="ignore") + "…"


def _short(value: Any) -> Any:
    """An answer in which no text is longer than a sentence may be."""
    if isinstance(value, str):
        return clipped(value, _SENTENCE)
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return value


class GuardRecords:
    """Records of real EPICS base; to be made before ``iocInit``.

    Parameters
    ----------
    prefix : str
        Of all PVs of the beamline.
    command : callable
        Takes the text of a command; the put completes when it returns.
    stop_beam, reset : callable
        Called on puts to ``StopBeam`` and ``Reset``.
    run : str
        Identity of the run that the guard belongs to, in ``Run``.
    """

    def __init__(
        self,
        prefix: str,
        command: Callable[[str], Awaitable[None]],
        stop_beam: Callable[[int], Awaitable[None]],
        reset: Callable[[str], Awaitable[None]],
        run: str = "",
    ) -> None:
        from softioc import alarm, builder

        builder.SetDeviceName(f"{prefix}Guard")
        self._command = builder.longStringOut(
            "Command", length=_LONG, always_update=True, on_update=command, blocking=True
        )
        self._reply = builder.longStringIn("Reply", length=_LONG, initial_value="{}")
        builder.stringIn("Run", initial_value=run)
        self._heartbeat = builder.longIn("Heartbeat", initial_value=0)
        self._state = builder.mbbIn("State", *_STATES)
        self._reason = builder.longStringIn("Reason", length=_REASON)
        self._lease_id = builder.stringIn("LeaseId")
        self._sample = builder.stringIn("Sample")
        self._numbers = {
            name: builder.aIn(name, EGU=unit, PREC=3, initial_value=0.0)
            for name, unit in (
                ("Dose", "Gy"),
                ("DoseRate", "Gy/s"),
                ("BudgetDose", "Gy"),
                ("BudgetSeconds", "s"),
                ("Rise", "K"),
            )
        }
        self._numbers["Stops"] = builder.longIn("Stops", initial_value=0)
        self._stop_beam = builder.longOut(
            "StopBeam", initial_value=0, always_update=True, on_update=stop_beam, blocking=True
        )
        self._reset = builder.longStringOut(
            "Reset", length=_REASON, always_update=True, on_update=reset, blocking=True
        )
        self._quiet = {"severity": alarm.NO_ALARM, "alarm": alarm.NO_ALARM}
        self._low = {"severity": alarm.MINOR_ALARM, "alarm": alarm.STATE_ALARM}
        self._loud = {"severity": alarm.MAJOR_ALARM, "alarm": alarm.STATE_ALARM}
        self._replies: deque[dict[str, Any]] = deque(maxlen=_REPLIES)
        self._beats = 0
        self._shown: dict[str, Any] = {}

    def reply(self, answer: dict[str, Any]) -> None:
        """Put an answer where clients look for it; the oldest ones make room."""
        self._replies.append(_short(answer))
        while True:
            text = json.dumps({"replies": list(self._replies)})
            if len(text) < _LONG or len(self._replies) == 1:
                break
            self._replies.popleft()
        self._reply.set(text)

    def beat(self) -> None:
        """Say that the guard's own loop runs."""
        self._beats = self._beats % 1_000_000_000 + 1
        self._heartbeat.set(self._beats)

    def show(self, words: dict[str, str], numbers: dict[str, float], *, alarm: int) -> None:
        """Write what has changed: State, Reason, LeaseId, Sample, and the numbers.

        State and Reason carry the alarm: 2 while somebody must look, 1 while something could be
        better.
        """
        for name, value in numbers.items():
            if self._changed(name, value):
                self._numbers[name].set(value)
        severity = (self._quiet, self._low, self._loud)[alarm]
        if self._changed("State", (words["State"], alarm)):
            self._state.set(_STATES.index(words["State"]), **severity)
        if self._changed("Reason", (words["Reason"], alarm)):
            self._reason.set(clipped(words["Reason"], _REASON), **severity)
        if self._changed("LeaseId", words["LeaseId"]):
            self._lease_id.set(clipped(words["LeaseId"], _WORD))
        if self._changed("Sample", words["Sample"]):
            self._sample.set(clipped(words["Sample"], _WORD))

    def _changed(self, name: str, value: Any) -> bool:
        changed = self._shown.get(name) != value
        self._shown[name] = value
        return changed
