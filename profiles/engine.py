"""The RunEngine of a session: paused at once by a signal, and never ended without a reason."""

from __future__ import annotations

from collections import deque
from typing import Any

from bluesky import Msg, RunEngine

from voltomo.profiles.interrupts import Interrupts

_ADVICE = (
    "RE.resume() goes on from the last checkpoint (a block of a scan that had begun is taken "
    "again), RE.abort('why') ends the run; what was recorded is kept either way"
)


class SessionEngine(RunEngine):
    """`bluesky.RunEngine` for one person on shift.

    Parameters
    ----------
    interrupts : Interrupts
        Which signals pause it.

    Attributes
    ----------
    advice : str
        What to do with a paused plan.
    """

    advice = _ADVICE

    def __init__(self, interrupts: Interrupts) -> None:
        super().__init__({}, context_managers=[interrupts.pausing])
        self.pause_msg = f"paused, the beam is off; {self.advice}"

    async def _checkpoint(self, msg: Msg) -> None:
        """Make a way back, also behind a part of the plan that had none while it was cleaned up."""
        if self._msg_cache is None:
            self._msg_cache = deque()
        await super()._checkpoint(msg)

    def abort(self, reason: str = "aborted by hand, no reason was given") -> Any:
        """End a running or paused plan; the reason goes into the run's stop document."""
        return super().abort(reason)
