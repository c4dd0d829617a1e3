"""A session: the one RunEngine of a run folder, its devices, its log, and what it owes the past.

``epics`` reads its environment when it is first imported, so `open_session` must come before
any import of ophyd devices, and a process can have one session only.
"""

from __future__ import annotations

import logging
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from voltomo.dose.lease import Settlement
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.interrupts import Interrupts
from voltomo.profiles.run_identity import RunIdentity, look_there_alone
from voltomo.runtime.addresses import Addresses
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    from voltomo.devices.beamline import Beamline
    from voltomo.devices.live_verdicts import LiveVerdicts
    from voltomo.profiles.engine import SessionEngine
    from voltomo.records.run_log import RunLog

log = logging.getLogger(__name__)

_SHUT_S = 1.0


@dataclass
class Session:
    """What a scientist types against; `close` gives the beamline back.

    Attributes
    ----------
    RE : RunEngine
        Writes every document to the run log.
    beamline : Beamline
        The devices.
    live : LiveVerdicts
        The live worker; a scan does not need it.
    file : BeamlineFile
        What they were made from.
    closed : list of str
        Runs of dead sessions that were closed when this one opened.
    interrupts : Interrupts
        Signals that pause the engine.
    """

    folder: RunFolder
    file: BeamlineFile
    RE: SessionEngine
    beamline: Beamline
    live: LiveVerdicts
    run_log: RunLog
    closed: list[str]
    interrupts: Interrupts
    resources: ExitStack

    @property
    def metadata(self) -> dict[str, Any]:
        """Start-document entries that every run of this session carries by itself.

        The plan adds what it reads (the energy, say), the engine its number and versions.
        """
        return {k: v for k, v in self.RE.md.items() if k not in ("scan_id", "versions")}

    def beam(self) -> str:
        """Whether the beam is off, in words; a blade under way gets a moment."""
        from voltomo.devices.shutter import CLOSED

        state = self.beamline.shutter.state
        end_s = time.monotonic() + _SHUT_S
        while state.connected and state.get() != CLOSED and time.monotonic() < end_s:
            time.sleep(0.02)
        seen = str(state.get()) if state.connected else "nothing, it disconnected"
        return "the beam is off" if seen == CLOSED else f"the beam may be on, the shutter: {seen}"

    def close(self) -> None:
        """Give the beamline back; a plan that is still paused is aborted."""
        if str(self.RE.state) == "paused":
            by = self.interrupts.ended_by
            why = f"the session was ended by {by}" if by else "the session was left"
            try:
                self.RE.abort(f"{why} while the plan was paused; {self.beam()}")
            except Exception:
                log.exception("the paused plan did not end in order; the beam is off")
        self.resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_session(
    folder: RunFolder,
    file: BeamlineFile,
    *,
    timeout_s: float = 10.0,
    interrupts: Interrupts | None = None,
) -> Session:
    """Connect to the running services and take the beamline.

    Parameters
    ----------
    folder : RunFolder
        Where the services run.
    file : BeamlineFile
        What they were started from.
    timeout_s : float
        How long PVs may take to answer.
    interrupts : Interrupts, optional
        Signals that pause the engine; Ctrl-C if not given.

    Raises
    ------
    FileNotFoundError
        Nothing runs in this run folder.
    WrongRun
        What was started there has ended, or another run answers in its place.
    Held
        Another session has the beamline.
    BeamlineIncomplete
        PVs do not answer.
    ImportedTooEarly
        EPICS was imported already, with other settings.
    """
    addresses = folder.addresses()
    look_there_alone(addresses.client_environment())
    identity = RunIdentity(folder, addresses)
    resources = ExitStack()
    try:
        resources.enter_context(FileLock(folder.beamline_lock, "voltomo session"))
        identity.keep(resources, f"a session in {folder.root}")
        identity.demand_guard(timeout_s)
        watched = interrupts or Interrupts(signal.SIGINT)
        session = _connect(folder, file, addresses, resources, timeout_s, watched)
        session.RE.preprocessors.append(identity.demand_run)
    except BaseException:
        resources.close()
        raise
    return session


def _connect(
    folder: RunFolder,
    file: BeamlineFile,
    addresses: Addresses,
    resources: ExitStack,
    timeout_s: float,
    interrupts: Interrupts,
) -> Session:
    from voltomo.devices.beamline import BeamlinePlan, connect_beamline
    from voltomo.devices.live_verdicts import LiveVerdicts
    from voltomo.live.callback import LiveReconstruction
    from voltomo.profiles import metadata
    from voltomo.profiles.engine import SessionEngine
    from voltomo.records.closing import open_run_log

    carried = metadata.of_beamline(file)
    opened = open_run_log(folder.run_log)
    run_log = opened.log
    resources.callback(run_log.close)
    prefix = addresses.prefix
    plan = BeamlinePlan(
        prefix,
        addresses.names,
        file.all_devices,
        file.rotation,
        file.keep_out,
        file.beam_loss,
    )
    beamline = connect_beamline(prefix, timeout_s, frames_folder=folder.frames, plan=plan)
    engine = SessionEngine(interrupts)
    # The engine's own versions stay; numbers go on where the last session ended.
    versions = {**engine.md["versions"], **carried["versions"]}
    engine.md.update({**carried, "versions": versions, "scan_id": opened.scans})
    engine.preprocessors.append(metadata.with_sample(file.samples))
    engine.subscribe(run_log)
    live = LiveVerdicts(f"{prefix}Live:", name="live")
    engine.subscribe(LiveReconstruction(live.tell))
    beamline.lease.engine_running = lambda: str(engine.state) == "running"

    def note(settlement: Settlement) -> None:
        run_log.append_entry("settlement", settlement.model_dump(mode="json"))

    beamline.lease.on_settlement = note
    _wait_for_lost_beam(engine, beamline, run_log, resources)
    return Session(
        folder, file, engine, beamline, live, run_log, opened.closed, interrupts, resources
    )


def _wait_for_lost_beam(
    engine: SessionEngine, beamline: Beamline, run_log: RunLog, resources: ExitStack
) -> None:
    """Suspend the engine while the beam is lost, where somebody looks."""
    from voltomo.profiles.beam_loss import BeamLossSuspender

    presence = beamline.presence
    if presence is None:
        return
    suspender = BeamLossSuspender(presence, run_log.append_entry)
    engine.install_suspender(suspender)
    resources.callback(presence.close)
    resources.callback(suspender.remove)
