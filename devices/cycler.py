"""A cycler with one cell: protocols are checked, loaded, begun, held and stopped.

Stopping the beam never stops the cell, nor the other way round.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from ophyd.status import Status

from voltomo.devices.background import in_background, put, wait_until
from voltomo.devices.cycler_signals import CyclerSignals
from voltomo.devices.faults import DeviceFault, fault
from voltomo.devices.timeouts import MARGIN_S, SIGNAL_S, SLACK
from voltomo.model.cell_cycler import Hold, SafeState
from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import CellProtocol
from voltomo.model.cycler_records import LIMITS
from voltomo.model.protocol_check import ProtocolRefused, demand_possible

__all__ = ["Cycler"]

_UNDER_WAY = ("running", "paused", "holding")
_LOADING_S = 5.0
_COMMAND_S = 2 * SIGNAL_S + MARGIN_S


class Cycler(CyclerSignals):
    """A `voltomo.model.cell_cycler.CellCycler` over Channel Access.

    Commands give a status that fails with a sentence. ``pause``, ``resume`` and ``stop`` as bluesky
    calls them on the devices of a plan leave the cell alone; `pause_cell`, `resume_cell`, and
    ``stop()`` by hand act on it.

    Parameters
    ----------
    entry : CyclerEntry
        Names of its records.
    """

    _protocol: CellProtocol | None = None

    def load(self, protocol: CellProtocol, limits: CellLimits | None = None) -> str:
        """Check a protocol, have the instrument accept it, and read its limits back.

        Blocks for some seconds at most.

        Parameters
        ----------
        protocol : CellProtocol
            What is to be done.
        limits : CellLimits, optional
            Of this cell; the instrument's own hold in any case.

        Returns
        -------
        str
            Digest of the protocol, the same as the instrument's.

        Raises
        ------
        ProtocolRefused
            It would leave the limits, here or by the instrument's word; nothing was loaded.
        DeviceFault
            The instrument is silent, took something else, or holds other limits.
        """
        if limits is not None:
            demand_possible(protocol, limits)
        self.demand_fresh()
        identity = uuid.uuid4().hex
        words: dict[str, Any] = {"id": identity, "protocol": protocol.model_dump(mode="json")}
        words["limits"] = None if limits is None else limits.model_dump(mode="json")
        put(self.load_command, json.dumps(words), _LOADING_S)
        reply = json.loads(str(self.load_reply.get(use_monitor=False)) or "{}")
        if reply.get("id") != identity:
            raise fault(self.name, "a reply to the protocol", "none", "nothing was begun")
        if not reply.get("ok"):
            raise ProtocolRefused(f"{self.name}: {reply.get('error', 'no reason was given')}")
        if reply.get("digest") != protocol.digest:
            raise fault(
                self.name,
                f"the protocol {protocol.digest}",
                f"{reply.get('digest')} loaded",
                "do not start it; load it again",
            )
        if limits is not None:
            self._demand_as_tight(limits)
        self._protocol = protocol
        return protocol.digest

    def _demand_as_tight(self, limits: CellLimits) -> None:
        held = self.limits
        if held.tightened(limits) != held:
            wide = [n for n in LIMITS if getattr(held.tightened(limits), n) != getattr(held, n)]
            raise fault(
                self.name,
                f"limits at least as tight as {limits!r}",
                f"wider ones in the instrument: {', '.join(wide)}",
                "do not start it; set the instrument's own limits",
            )

    def start(self) -> Status:
        """Begin the protocol that is loaded."""
        return self._command("start", lambda: put(self.start_command, 1), (*_UNDER_WAY, "finished"))

    def pause_cell(self, hold: Hold = "ocv") -> Status:
        """Let the protocol wait, cut off, at its voltage, or with no current."""
        reached = ("holding",) if hold == "cv" else ("paused",)
        return self._command("pause", lambda: put(self.pause_command, hold), reached, fresh=False)

    def resume_cell(self) -> Status:
        """Go on where it waits; nothing is done twice."""
        return self._command("resume", lambda: put(self.resume_command, 1), ("running", "finished"))

    def next_step(self) -> Status:
        """End the step."""
        return self._command("next", lambda: put(self.next_command, 1), (*_UNDER_WAY, "finished"))

    def reset(self) -> Status:
        """Take a latched trip back; a protocol has to be loaded anew."""
        return self._command("reset", lambda: put(self.reset_command, 1), ("idle", "ready"))

    def stop(self, safe_state: SafeState | None = None, *, success: bool | None = None) -> Any:
        """End the protocol and leave the cell safe.

        Parameters
        ----------
        safe_state : {"ocv", "zero"}, optional
            How; as the instrument is configured if not given.
        success : bool, optional
            Given by bluesky at a pause or at the end of a plan: the cell goes on then.

        Returns
        -------
        Status or None
            None where the cell goes on.
        """
        if success is not None:
            return None
        ended = ("idle", "ready", "finished", "fault")
        word = safe_state or ""
        return self._command("stop", lambda: put(self.stop_command, word), ended, fresh=False)

    def until_finished(self, timeout_s: float | None = None) -> Status:
        """A status that ends with the protocol, and fails with a trip or with stale data.

        Parameters
        ----------
        timeout_s : float, optional
            If not given, what is left of the longest that the protocol may take; it must have
            been loaded by this device then. Pauses count.

        Raises
        ------
        DeviceFault
            Nobody said how long it may take.
        """
        if timeout_s is None:
            timeout_s = self._left_s()

        def work() -> None:
            wait_until(self._is_over, timeout_s + MARGIN_S, self._no_end)
            if str(self.state_word.get()) == "fault":
                raise DeviceFault(f"{self.name}: {self.last_error.get()}")

        return in_background(f"{self.name} to finish", work, timeout_s + 2 * MARGIN_S)

    def _left_s(self) -> float:
        protocol = self._protocol
        if protocol is None or str(self.digest.get()) != protocol.digest:
            raise fault(
                self.name,
                "the protocol that this session loaded",
                f"{self.digest.get() or 'none'} in the instrument",
                "say how long it may take: until_finished(timeout_s=…)",
            )
        left_s = protocol.duration_s - float(self.test_time.get())
        return SLACK * max(left_s, 0.0) / float(self.time_scale.get())

    def _is_over(self) -> bool:
        self.demand_fresh()
        return str(self.state_word.get()) not in _UNDER_WAY

    def _no_end(self) -> Exception:
        return fault(
            self.name,
            "the protocol to end by now",
            f"{self.cycler_state} in step {self.step.get()}",
            "the cell goes on; look whether the step can end at all",
        )

    def _command(
        self,
        name: str,
        act: Callable[[], object],
        reached: tuple[str, ...],
        *,
        fresh: bool = True,
    ) -> Status:
        """Give a command and wait for its state; what makes safe is tried on stale data, too."""

        def work() -> None:
            if fresh or not self.state_word.connected:
                self.demand_fresh()
            before = self.refusals.get(use_monitor=False)
            act()
            if self.refusals.get(use_monitor=False) != before:
                raise DeviceFault(f"{self.name}: {self.last_error.get(use_monitor=False)}")
            wait_until(
                lambda: str(self.state_word.get(use_monitor=False)) in reached,
                SIGNAL_S,
                lambda: fault(
                    self.name,
                    f"{' or '.join(reached)} after {name!r}",
                    f"{self.state_word.get()}: {self.last_error.get() or 'no reason was given'}",
                ),
            )

        return in_background(f"{self.name} {name}", work, _COMMAND_S)
