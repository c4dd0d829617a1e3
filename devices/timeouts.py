"""How long things may take: the one place for time-outs, each from the expected duration."""

from __future__ import annotations

import logging

from ophyd.signal import EpicsSignalBase

log = logging.getLogger(__name__)

SIGNAL_S = 3.0
"""Reading or writing one PV on a local network."""

CONNECTION_S = 10.0
"""Finding the PVs of a beamline."""

ARMING_S = 5.0
"""A controller takes new settings and says that it is armed."""

CLOSING_S = 15.0
"""A writer drains its queue and closes its file."""

MARGIN_S = 2.0
"""Added to every computed duration."""

SLACK = 1.2
"""Every computed duration is multiplied by this."""


def use_everywhere(timeout_s: float = SIGNAL_S, connection_s: float = SIGNAL_S) -> None:
    """Give all EPICS signals these time-outs; must come before the first device is made."""
    try:
        EpicsSignalBase.set_defaults(timeout=timeout_s, connection_timeout=connection_s)
    except RuntimeError:
        # Signals exist already in this process, with the time-outs that they were made with.
        log.debug("signals exist already; their time-outs stay")


def move_timeout_s(distance: float, velocity: float, acceleration_s: float) -> float:
    """Time-out of a move.

    Parameters
    ----------
    distance, velocity : float
        In units of the axis, and those per second; a velocity of 0 is refused.
    acceleration_s : float
        Time from rest to velocity.

    Raises
    ------
    ValueError
        The velocity is not positive.
    """
    if velocity <= 0:
        raise ValueError(f"an axis with a velocity of {velocity:g} never arrives; set its speed")
    return SLACK * (abs(distance) / velocity + 2 * acceleration_s) + MARGIN_S


def train_timeout_s(count: int, period_s: float, before_s: float = 0.0) -> float:
    """Time-out of a train of triggers that begins ``before_s`` after it was kicked off."""
    return SLACK * (count * period_s + before_s) + MARGIN_S
