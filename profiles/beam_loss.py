"""Suspends the engine while the beam is lost; what was cut short is taken again when it is back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from voltomo.devices.beam_presence import BeamPresence

log = logging.getLogger(__name__)


class BeamLossSuspender:
    """What ``RE.install_suspender`` takes; asks again as long as the beam is lost.

    bluesky's own suspenders look at one signal each, release the engine after the settle time
    even if the beam was lost again meanwhile, and abort a plan that is being cleaned up.

    Parameters
    ----------
    presence : BeamPresence
        Says whether there is beam.
    note : callable
        Takes entries for the run log: kind and data.
    """

    def __init__(
        self, presence: BeamPresence, note: Callable[[str, dict[str, Any]], object]
    ) -> None:
        self._presence = presence
        self._note = note
        self._engine: Any = None
        self._back: asyncio.Event | None = None
        self._asked = False
        self._told = ""

    def install(self, RE: Any, *, event_type: str | None = None) -> None:
        """Begin; bluesky calls it."""
        self._engine = RE
        self._presence.on_tick = self._tick

    def remove(self) -> None:
        """End; a plan that waits goes on."""
        self._presence.on_tick = lambda _gone: None
        self._release()
        self._engine = None

    @property
    def tripped(self) -> bool:
        """Whether there is no beam now."""
        return bool(self._presence.gone)

    def get_futures(self) -> tuple[list[Any], str]:
        """What a plan that is about to begin waits for, and why."""
        gone = self._presence.gone
        if not gone:
            return [], ""
        self._asked = True
        return [self._event().wait], self._sentence(gone)

    def _tick(self, gone: str) -> None:
        self._tell(gone)
        engine = self._engine
        if not gone:
            self._release()
            return
        if engine.state.is_paused:
            # A pause ends a suspension: it is asked for anew once the engine runs again.
            self._asked = False
            return
        # In a clean-up, which needs no beam, an engine that cannot resume would abort.
        if self._asked or not engine.state.is_running or not engine.resumable:
            return
        self._asked = True
        engine.request_suspend(self._event().wait, justification=self._sentence(gone))

    def _event(self) -> asyncio.Event:
        if self._back is None:
            self._back = asyncio.Event()
        return self._back

    def _release(self) -> None:
        back, self._back, self._asked = self._back, None, False
        if back is not None:
            self._engine.loop.call_soon_threadsafe(back.set)

    def _sentence(self, gone: str) -> str:
        return (
            f"the beam was lost ({gone}); it goes on by itself when the beam has been back for "
            f"{self._presence.settle_s:g} s"
        )

    def _tell(self, gone: str) -> None:
        """Say once when it went, and once when it was back."""
        if bool(gone) == bool(self._told):
            return
        self._told = gone
        said = {"utc_s": time.time(), "reason": gone}
        self._note("beam_lost" if gone else "beam_back", said)
        log.info("beam %s", f"lost: {gone}" if gone else "back")
