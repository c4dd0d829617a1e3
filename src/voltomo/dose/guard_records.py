"""The guard's own PVs."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

_LONG = 16384
_REASON = 1024
_STRING = 40
_STATES = ("Idle", "Leased", "Latched")
_REPLIES = 8


def fitting(text: str, size: int) -> str:
    """As much of a text as a record of this size holds in UTF-8, its closing zero included.

    A text that is too long is refused by the record, and would end the guard's loop.
    """
    return text.encode()[: size - 1].decode(errors="ignore")


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
        from softioc import builder

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
            )
        }
        self._stop_beam = builder.longOut(
            "StopBeam", initial_value=0, always_update=True, on_update=stop_beam, blocking=True
        )
        self._reset = builder.longStringOut(
            "Reset", length=1024, always_update=True, on_update=reset, blocking=True
        )
        self._replies: deque[dict[str, Any]] = deque(maxlen=_REPLIES)
        self._beats = 0
        self._shown: dict[str, Any] = {}

    def reply(self, answer: dict[str, Any]) -> None:
        """Put an answer where clients look for it."""
        self._replies.append(answer)
        self._reply.set(json.dumps({"replies": list(self._replies)}))

    def beat(self) -> None:
        """Say that the guard's own loop runs."""
        self._beats += 1
        self._heartbeat.set(self._beats)

    def show(self, words: dict[str, str], numbers: dict[str, float]) -> None:
        """Write what has changed: State, Reason, LeaseId, Sample, and the numbers."""
        for name, value in {**words, **numbers}.items():
            if self._shown.get(name) != value:
                self._shown[name] = value
                self._write(name, value)

    def _write(self, name: str, value: Any) -> None:
        if name in self._numbers:
            self._numbers[name].set(value)
        elif name == "State":
            self._state.set(_STATES.index(value))
        elif name == "Reason":
            self._reason.set(fitting(value, _REASON))
        elif name == "LeaseId":
            self._lease_id.set(fitting(value, _STRING))
        elif name == "Sample":
            self._sample.set(fitting(value, _STRING))
