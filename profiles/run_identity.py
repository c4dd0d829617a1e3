"""Whether who answers is the run that was meant: a session must never drive a stranger's devices.

Ports are used again. What listens at the addresses of a run that has ended may be another run,
of another folder, with another sample in the beam.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

from voltomo.model.sentence import SentenceError
from voltomo.runtime.addresses import Addresses
from voltomo.runtime.locks import holder
from voltomo.runtime.ports import hold_ports
from voltomo.runtime.run_folder import RunFolder

__all__ = ["ImportedTooEarly", "RunIdentity", "WrongRun", "look_there_alone"]

_CLIENTS = ("EPICS_CA_", "EPICS_PVA_")


class WrongRun(SentenceError):
    """The run that was meant has ended, or another one answers in its place."""


class ImportedTooEarly(SentenceError):
    """A client library has read its environment before the session could set it."""


def look_there_alone(environment: dict[str, str]) -> None:
    """Let this process's EPICS clients ask these addresses, and nobody that the caller knew.

    Raises
    ------
    ImportedTooEarly
        They have read other ones already.
    """
    before = {key: value for key, value in os.environ.items() if key.startswith(_CLIENTS)}
    loaded = {"epics", "aioca", "p4p"} & set(sys.modules)
    if loaded and before != environment:
        raise ImportedTooEarly(
            f"{', '.join(sorted(loaded))} was imported before the session was opened, with other "
            "addresses; nothing was moved or opened; start a new Python and open the session first"
        )
    for key in before:
        del os.environ[key]
    os.environ.update(environment)


class RunIdentity:
    """The run that a session belongs to.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    addresses : Addresses
        Where its services listen, as they were read when the session began.
    """

    def __init__(self, folder: RunFolder, addresses: Addresses) -> None:
        self._folder = folder
        self._addresses = addresses

    def ended(self) -> str | None:
        """A sentence if the run has ended, None while it goes on."""
        root = self._folder.root
        if holder(self._folder.supervisor_lock) is None:
            return (
                f"the services of {root} have ended; nothing was moved or opened; start them with "
                "'voltomo up', then open a new session"
            )
        try:
            now = self._folder.addresses()
        except FileNotFoundError:
            return f"the services of {root} are being stopped; nothing was moved or opened"
        if now.run != self._addresses.run:
            return (
                f"the services of {root} were started anew since this session was opened; nothing "
                "was moved or opened; open a new session"
            )
        return None

    def keep(self, resources: ExitStack, purpose: str) -> None:
        """Keep the run's ports from any other run for as long as the session lives.

        Raises
        ------
        WrongRun
            The run has ended.
        """
        if self._addresses.first_port is not None:
            resources.callback(hold_ports(self._addresses.first_port, purpose).release)
        # After the ports are kept: from here on nobody can have come in between.
        sentence = self.ended()
        if sentence is not None:
            raise WrongRun(sentence)

    def demand_guard(self, timeout_s: float) -> None:
        """Refuse to go on unless the guard that answers is this run's; nothing is written.

        Raises
        ------
        WrongRun
            No guard answers, or another run's.
        """
        import epics

        from voltomo.devices.quiet_libca import quiet_libca

        quiet_libca()
        name = f"{self._addresses.prefix}Guard:Run"
        answering = epics.PV(name, connection_timeout=timeout_s)
        seen = answering.get(as_string=True, timeout=timeout_s)
        answering.disconnect()
        if seen == self._addresses.run:
            return
        if seen is None:
            what, advice = "no answer", "see 'voltomo status'"
        else:
            what = f"the guard of another run ({str(seen)[:8] or 'without a name'})"
            advice = "end the run that listens at this one's ports, then start this one anew"
        raise WrongRun(
            f"expected the guard of the run in {self._folder.root} to answer to {name} within "
            f"{timeout_s:g} s, saw {what}; nothing was moved or opened; {advice}"
        )

    def demand_run(self, plan: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Refuse to begin a plan when the run has ended; a preprocessor for ``RunEngine``.

        Raises
        ------
        WrongRun
            Before the first message of the plan.
        """
        sentence = self.ended()
        if sentence is not None:
            plan.close()
            raise WrongRun(sentence)
        return (yield from plan)
