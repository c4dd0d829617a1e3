"""``voltomo beam off``, ``voltomo guard status`` and ``voltomo guard reset``, from any terminal.

By plain Channel Access and nothing heavier: whoever wants the beam off does not wait for imports.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.say import say
from voltomo.profiles.beamline_file import running_beamline
from voltomo.profiles.run_identity import RunIdentity, WrongRun, look_there_alone
from voltomo.runtime.run_folder import RunFolder

_ANSWER_S = 5.0
_SHUT_S = 3.0
_POLL_S = 0.02
_CLOSED = "Closed"
_LATCHED = "Latched"
_OFF = "the beam is off: the shutter reads Closed; no scan that had begun gets it again"


class _Line:
    """A line to the guard of a run folder, and to the shutter that it guards."""

    def __init__(self, folder: RunFolder) -> None:
        addresses = folder.addresses()
        look_there_alone(addresses.client_environment())
        self._identity = RunIdentity(folder, addresses)
        self._guard = f"{addresses.prefix}Guard:"
        self._shutter = f"{addresses.names.shutter}State_RBV"
        self._known: dict[str, Any] = {}

    def demand_guard(self) -> None:
        """Refuse to go on without the guard of this run."""
        self._identity.demand_guard(_ANSWER_S)

    def put(self, name: str, value: int | str) -> None:
        """Write to the guard and wait until it has done what that means."""
        done = self._pv(self._guard + name).put(value, wait=True, timeout=_ANSWER_S)
        if done is None or done < 0:
            raise Refused(f"the guard did not take {name} within {_ANSWER_S:g} s; {self.shutter}")

    def get(self, name: str, *, text: bool = True) -> Any:
        """Read from the guard."""
        return self._read(self._guard + name, text=text)

    def state(self) -> str:
        """How the guard is, in a word; silence is none."""
        seen = self.get("State")
        if seen is None:
            raise Refused(f"the guard does not say how it is; {self.shutter}")
        return str(seen)

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        """Give a command; the guard's reply to it."""
        identity = uuid.uuid4().hex
        self.put("Command", json.dumps({"id": identity, "op": op, **words}))
        replies: list[dict[str, Any]] = json.loads(self.get("Reply"))["replies"]
        return next(reply for reply in reversed(replies) if reply.get("id") == identity)

    @property
    def shutter(self) -> str:
        """Where the shutter stands, in words."""
        seen = self._read(self._shutter, text=True)
        if seen is None:
            return "the shutter does not answer: look at it"
        return f"the shutter reads {seen}"

    def wait_closed(self) -> bool:
        """Whether the shutter comes to read closed."""
        end_s = time.monotonic() + _SHUT_S
        while self._read(self._shutter, text=True) != _CLOSED:
            if time.monotonic() > end_s:
                return False
            time.sleep(_POLL_S)
        return True

    def _read(self, name: str, *, text: bool) -> Any:
        return self._pv(name).get(as_string=text, use_monitor=False, timeout=_ANSWER_S)

    def _pv(self, name: str) -> Any:
        import epics

        if name not in self._known:
            self._known[name] = epics.PV(name, auto_monitor=False, connection_timeout=_ANSWER_S)
        return self._known[name]


def run_beam_off(run_folder: Path | None) -> None:
    """Take the beam from whoever has it, and say where the shutter stands; exit code 1 if open.

    Raises
    ------
    Refused
        The guard does not answer; the shutter was read nevertheless.
    """
    line = _Line(RunFolder.locate(run_folder))
    try:
        line.demand_guard()
    except WrongRun as error:
        raise Refused(
            f"{error}; {line.shutter}; without its guard the shutter's controller closes by itself"
        ) from error
    line.put("StopBeam", 1)
    if line.wait_closed():
        say(_OFF)
        return
    say(f"the guard enables the beam no more, but {line.shutter}: close it by hand", err=True)
    raise typer.Exit(1)


def run_guard_status(run_folder: Path | None) -> None:
    """Say how the guard is, and what each sample has received and may receive."""
    folder = RunFolder.locate(run_folder)
    line = _Line(folder)
    line.demand_guard()
    reason = line.get("Reason")
    say(f"guard   {line.get('State')}{f': {reason}' if reason else ''}")
    lease = line.get("LeaseId")
    if lease:
        say(f"lease   {lease} for {line.get('Sample')!r}")
    say(f"beam    {line.shutter}")
    for sample in running_beamline(folder).samples:
        found = line.ask("status", sample=sample.name)
        if not found.get("ok"):
            say(f"sample  {sample.name}: {found.get('error')}")
            continue
        say(
            f"sample  {sample.name}: {found['dose_Gy']:.4g} Gy received, "
            f"{found['dose_left_Gy']:.4g} Gy and {found['seconds_left']:.4g} s of beam left"
        )
        for line_of_policy in _policy_lines(found):
            say(f"        {line_of_policy}")


def run_guard_reset(reason: str, run_folder: Path | None) -> None:
    """Let a latched guard give leases again; the reason goes into the exposure log.

    Raises
    ------
    Refused
        There is no reason, or the guard stays latched.
    """
    if not reason.strip():
        raise Refused("a reset needs a reason: the cause, and what was done about it")
    line = _Line(RunFolder.locate(run_folder))
    line.demand_guard()
    if line.state() != _LATCHED:
        say("the guard is not latched; nothing was changed")
        return
    line.put("Reset", reason)
    end_s = time.monotonic() + _SHUT_S
    while line.state() == _LATCHED:
        if time.monotonic() > end_s:
            raise Refused(f"the guard stays latched: {line.get('Reason')}")
        time.sleep(_POLL_S)
    say("the guard gives leases again; the reason is in the exposure log")


def _policy_lines(found: dict[str, Any]) -> Iterator[str]:
    """How a sample stands to its policy; nothing where it has none."""
    if "policy" not in found:
        return
    unverified = found["unverified"]
    stamp = f" (unverified default: {', '.join(unverified)})" if unverified else ""
    yield f"policy {found['policy']}: {found['colour']}{stamp}"
    for name, limit_Gy in found["class_limit_Gy"].items():
        if limit_Gy is not None and name in found["class_dose_Gy"]:
            yield f"{name}: {found['class_dose_Gy'][name]:.4g} Gy of {limit_Gy:.4g} Gy"


def run_guard_override(
    sample: str,
    extra_Gy: dict[str, float],
    hours: float,
    by: str,
    reason: str,
    run_folder: Path | None,
) -> None:
    """Set a limit aside; who, why, how much and until when goes into the exposure log.

    Raises
    ------
    Refused
        The guard does not take it: no such limit, no reason, too long.
    """
    line = _Line(RunFolder.locate(run_folder))
    line.demand_guard()
    wanted = {
        "by": by,
        "reason": reason,
        "extra_Gy": extra_Gy,
        "until_utc_s": time.time() + 3600 * hours,
    }
    answer = line.ask("override", sample=sample, override=wanted)
    if not answer.get("ok"):
        raise Refused(str(answer.get("error", "the guard gave no reason")))
    say(f"set aside for {hours:g} h; who, why and how much is in the exposure log")
    for line_of_policy in _policy_lines(answer):
        say(line_of_policy)
