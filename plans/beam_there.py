"""Whether the beam was there while something was exposed, and waiting for a fill of the ring."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.plans.protocols import TomographyBeamline

NEWS_S = 0.15
"""So long after the beam was lost it is known, at the latest."""

_POLL_S = 0.5


def beam_gone_since(beamline: TomographyBeamline, then_s: float) -> Generator[Msg, Any, str]:
    """Why the beam was lost since a time of the monotonic clock; empty where it was there."""
    presence: Any = getattr(beamline, "presence", None)
    if presence is None:
        return ""
    yield from bps.sleep(NEWS_S)
    return str(presence.gone_since(then_s))


def why_interrupted(beamline: TomographyBeamline, then_s: float) -> str:
    """What a take that was cut short is said to have been cut short by."""
    presence: Any = getattr(beamline, "presence", None)
    gone = "" if presence is None else str(presence.gone_since(then_s))
    return f"the beam was lost: {gone}" if gone else "the engine was paused or suspended"


def demand_beam(beamline: TomographyBeamline) -> Generator[Msg, Any, bool]:
    """Wait until there is beam, whether or not something suspends the engine meanwhile.

    Returns
    -------
    bool
        Whether it had to be waited for.
    """
    presence: Any = getattr(beamline, "presence", None)
    waited = False
    while presence is not None and presence.gone:
        waited = True
        yield from bps.sleep(_POLL_S)
    return waited


def clear_of_top_up(beamline: TomographyBeamline, needed_s: float) -> Generator[Msg, Any, None]:
    """Wait until no fill of the ring will come within the next ``needed_s``, where that is asked.

    What takes longer than the time between two fills begins right behind one.
    """
    presence: Any = getattr(beamline, "presence", None)
    while presence is not None and (wait_s := float(presence.hold_s(needed_s))) > 0:
        yield from bps.sleep(min(wait_s, _POLL_S))
