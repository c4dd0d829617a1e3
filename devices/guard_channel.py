"""Talking to the guard over Channel Access: a command out, the reply to it back."""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
import uuid
from typing import Any

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO

from voltomo.devices.background import put, wait_until
from voltomo.devices.faults import fault
from voltomo.dose.lease import LeaseLost, LeaseRefused, LeaseRequest, Settlement

_REPLY_S = 2.0


def _ourselves() -> str:
    """Who we are, for whoever finds the beam taken by us."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # In a container a user may have a number and no name.
        user = str(os.getuid())
    return f"process {os.getpid()} of {user} on {socket.gethostname()}"[:200]


class GuardChannel(Device):
    """The guard's PVs, and its commands as methods; an `ExposureLease` of this process.

    The client of a plan speaks by the same library as its devices: two Channel Access
    libraries in one process would not share a connection's fate.
    """

    command = Component(EpicsSignal, "Command", string=True, kind="omitted")
    reply = Component(EpicsSignalRO, "Reply", string=True, kind="omitted")
    reset_command = Component(EpicsSignal, "Reset", string=True, kind="omitted")
    heartbeat = Component(EpicsSignalRO, "Heartbeat", kind="omitted", auto_monitor=True)
    state = Component(EpicsSignalRO, "State", string=True, kind="normal", auto_monitor=True)
    reason = Component(EpicsSignalRO, "Reason", string=True, kind="omitted")
    dose_Gy = Component(EpicsSignalRO, "Dose", kind="hinted", auto_monitor=True)
    dose_rate_Gy_s = Component(EpicsSignalRO, "DoseRate", kind="normal", auto_monitor=True)
    budget_dose_Gy = Component(EpicsSignalRO, "BudgetDose", kind="normal", auto_monitor=True)
    stops = Component(EpicsSignalRO, "Stops", kind="omitted", auto_monitor=True)
    budget_s = Component(EpicsSignalRO, "BudgetSeconds", kind="normal", auto_monitor=True)

    def __init__(self, prefix: str = "", *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self._one_at_a_time = threading.Lock()
        self._lease_id: str | None = None

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        """Give a command and return the guard's reply to it.

        Raises
        ------
        ConnectionError
            The guard does not answer.
        """
        identity = uuid.uuid4().hex
        text = json.dumps({"id": identity, "op": op, **words})
        with self._one_at_a_time:
            if not self.command.connected:
                raise ConnectionError(self._silent(op, "its PVs are disconnected"))
            self.command.put(text, wait=True, timeout=_REPLY_S)
            if not self.reply.connected:
                raise ConnectionError(self._silent(op, "it disconnected"))
            raw = self.reply.get(use_monitor=False, timeout=_REPLY_S, connection_timeout=_REPLY_S)
        for reply in reversed(json.loads(raw or "{}").get("replies", [])):
            if reply.get("id") == identity:
                return reply
        raise ConnectionError(self._silent(op, "no reply to the command"))

    def request(self, request: LeaseRequest) -> str:
        """Ask for beam; see `ExposureLease`."""
        if not request.holder:
            request = request.model_copy(update={"holder": _ourselves()})
        try:
            reply = self.ask("request", request=request.model_dump(mode="json"))
        except (ConnectionError, TimeoutError) as error:
            raise LeaseRefused(str(error)) from error
        if not reply.get("ok"):
            raise LeaseRefused(str(reply.get("error", "the guard refused and gave no reason")))
        self._lease_id = str(reply["lease_id"])
        return self._lease_id

    def renew(self) -> None:
        """Keep the lease for one more stale time; see `ExposureLease`."""
        try:
            reply = self.ask("renew", lease_id=self._lease_id)
        except (ConnectionError, TimeoutError) as error:
            raise LeaseLost(str(error)) from error
        if not reply.get("ok"):
            raise LeaseLost(str(reply.get("error", "the guard ended the lease")))

    def settle(self, reason: str = "done") -> Settlement:
        """Give the beam back; see `ExposureLease`."""
        lease_id, self._lease_id = self._lease_id, None
        reply = self.ask("settle", lease_id=lease_id, reason=reason)
        if not reply.get("ok"):
            raise LeaseLost(str(reply.get("error", "the guard knows no such lease")))
        return Settlement.model_validate(reply["settlement"])

    def status_of(self, sample: str, **wanted: Any) -> dict[str, Any]:
        """What the sample has received and may still receive.

        Parameters
        ----------
        sample : str
            Whose account.
        wanted : dict
            ``seconds`` of beam and ``last_scan`` of a scan: ``refusal`` then says why its policy
            does not allow it, if it does not.
        """
        return self.ask("status", sample=sample, **wanted)

    def reset(self, reason: str) -> None:
        """Let a latched guard give leases again.

        Parameters
        ----------
        reason : str
            What the cause was and what was done about it; it goes into the exposure log.

        Raises
        ------
        DeviceFault
            The guard stays latched: the shutter is not read closed, or there is no reason.
        """
        put(self.reset_command, reason, _REPLY_S)
        wait_until(
            lambda: str(self.state.get(use_monitor=False)) != "Latched",
            _REPLY_S,
            lambda: fault(self.name, "to be reset", f"it latched: {self.reason.get()}"),
        )

    def _silent(self, op: str, seen: str) -> str:
        return (
            f"{self.name}: expected an answer to {op!r} within {_REPLY_S:g} s, saw {seen}; "
            "without a guard the shutter stays closed; start it with 'voltomo up'"
        )
