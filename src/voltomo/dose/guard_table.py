"""What the guard answers to: each cause, what is done about it, and by when.

This is the guard's specification. Its core looks up here what to do, the page of the reference is
made from it, and tests hold the core to every row and its deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from voltomo.dose.guard_settings import GuardSettings

__all__ = ["ROWS", "TABLE", "Cause", "Deed", "Row", "Trip"]


class Cause(StrEnum):
    """Why the guard acts, in the words that the exposure log has."""

    LIMIT = "limit"
    RATE = "dose rate"
    AMBER = "amber"
    HEATING = "heating"
    USED_UP = "used up"
    LEASE_SILENT = "lease silent"
    HELD_UP = "guard held up"
    STOPPED_BY_HAND = "stopped by hand"
    GUARD_STOPPED = "guard stopped"
    TRIGGERS_SILENT = "triggers silent"
    TRIGGERS_AWAY = "triggers away"
    FLUX_STALE = "flux stale"
    WRONG_SAMPLE = "wrong sample"
    SHUTTER_AWAY = "shutter away"
    SHUTTER_FAULT = "shutter fault"
    SHUTTER_SLOW = "shutter slow"
    GATE_NOT_SET = "gate not set"
    GATE_CHANGED = "gate changed"
    NOT_FOLLOWING = "shutter not following"
    FOREIGN = "foreign opening"
    FOUND_OPEN = "found open"
    LOG_NOT_WRITABLE = "log not writable"
    LOG_DAMAGED = "log damaged"
    CLOCK_STEPPED = "clock stepped"
    GIVEN_UP = "given up"


class Deed(StrEnum):
    """What is done about a cause."""

    REFUSE = "no lease while it lasts"
    CLOSE = "lease lost, shutter closes"
    LATCH = "latched"
    ALARM = "alarm"
    WAY_OUT = "second way out"
    COUNT = "counted on the sample"
    NOTE = "noted in log and reason"
    UPPER_BOUND = "declared upper bound counts"


@dataclass(frozen=True)
class Row:
    """One cause.

    Parameters
    ----------
    cause : Cause
        Which.
    seen : str
        What the guard sees of it.
    deeds : tuple of Deed
        What is done, in this order.
    within : tuple of str
        Names of `GuardSettings` that add up to the time from the cause until the blade begins to
        move, or until the deed that is not about the blade is done.
    asked : bool
        Whether a time that the lease itself names comes on top.
    early : bool
        Whether the guard acts so long, and the blade's travel, before the cause has come about.
    """

    cause: Cause
    seen: str
    deeds: tuple[Deed, ...]
    within: tuple[str, ...] = ("reaction_s",)
    asked: bool = False
    early: bool = False

    def deadline_s(self, settings: GuardSettings, asked_s: float = 0.0) -> float:
        """Time in which it is answered, the blade's travel not included.

        Parameters
        ----------
        settings : GuardSettings
            Holds the times that are named.
        asked_s : float
            The time that a lease names, where the row says that it does.
        """
        known = sum(float(getattr(settings, name)) for name in self.within)
        return known + (asked_s if self.asked else 0.0)


@dataclass(frozen=True)
class Trip:
    """A cause that was found, with a sentence for the person on shift."""

    cause: Cause
    reason: str


ROWS = (
    Row(
        Cause.LIMIT,
        "what a sample has received, as a bound, and what it would receive while the beam goes "
        "off, come to a limit of dose or of beam time",
        (Deed.REFUSE, Deed.CLOSE),
        early=True,
    ),
    Row(
        Cause.RATE,
        "the dose rate with the beam open, as a bound, is above what the sample's policy allows "
        "for a class of material in it",
        (Deed.REFUSE, Deed.CLOSE),
    ),
    Row(
        Cause.AMBER,
        "a class of material in the sample has received the part of its limit from which on its "
        "policy warns",
        (Deed.ALARM, Deed.NOTE),
    ),
    Row(
        Cause.HEATING,
        "by its heat path and the flux, as a bound, the sample gets as warm in the beam as it may",
        (Deed.REFUSE, Deed.CLOSE, Deed.ALARM),
        early=True,
    ),
    Row(
        Cause.USED_UP,
        "a lease has used a tenth and half a second more than it asked for",
        (Deed.CLOSE,),
    ),
    Row(
        Cause.LEASE_SILENT,
        "the holder of a lease does not renew it: it is dead, stopped, paused or held up",
        (Deed.CLOSE,),
        ("stale_s", "reaction_s"),
    ),
    Row(
        Cause.HELD_UP,
        "the guard itself was held up; the shutter's controller has closed by then",
        (Deed.CLOSE,),
        ("stale_s",),
    ),
    Row(
        Cause.STOPPED_BY_HAND,
        "somebody put `StopBeam`, from terminal, page, shell or any client",
        (Deed.CLOSE,),
    ),
    Row(
        Cause.GUARD_STOPPED,
        "the guard was told to end",
        (Deed.REFUSE, Deed.CLOSE),
    ),
    Row(
        Cause.TRIGGERS_SILENT,
        "the latched trigger count does not rise with the beam open: the stage stands (before the "
        "first trigger the deadline is at least `first_trigger_s`)",
        (Deed.CLOSE,),
        asked=True,
    ),
    Row(
        Cause.TRIGGERS_AWAY,
        "the trigger source is not connected, and the lease counts on it",
        (Deed.REFUSE, Deed.CLOSE),
    ),
    Row(
        Cause.FLUX_STALE,
        "the flux monitor is not connected, silent, frozen or saturated, reads no number, reads "
        "zero while nothing else (ring current, a second monitor, attenuators that let nothing "
        "through) agrees, or has no valid calibration; or it reads more than was declared",
        (Deed.UPPER_BOUND, Deed.ALARM),
        ("monitor_stale_s", "reaction_s"),
    ),
    Row(
        Cause.WRONG_SAMPLE,
        "the sample that is read as mounted is not the one that pays, or none is read",
        (Deed.REFUSE, Deed.CLOSE),
    ),
    Row(
        Cause.SHUTTER_AWAY,
        "the shutter's controller is not connected; it counts as open until it is read closed",
        (Deed.REFUSE, Deed.CLOSE, Deed.COUNT),
    ),
    Row(
        Cause.SHUTTER_FAULT,
        "the shutter reads a fault",
        (Deed.REFUSE, Deed.CLOSE),
    ),
    Row(
        Cause.SHUTTER_SLOW,
        "the controller would close later than reservations count on",
        (Deed.REFUSE, Deed.CLOSE),
    ),
    Row(
        Cause.GATE_NOT_SET,
        "the controller does not take the gate mode that the lease needs",
        (Deed.CLOSE,),
    ),
    Row(
        Cause.GATE_CHANGED,
        "somebody changed the controller's gate mode under a lease",
        (Deed.CLOSE,),
    ),
    Row(
        Cause.NOT_FOLLOWING,
        "the shutter was told to close and is not read closed",
        (Deed.WAY_OUT, Deed.LATCH, Deed.COUNT, Deed.ALARM),
        ("travel_s", "follow_s", "reaction_s"),
    ),
    Row(
        Cause.FOREIGN,
        "the shutter is open and no lease was given",
        (Deed.REFUSE, Deed.COUNT, Deed.ALARM),
    ),
    Row(
        Cause.FOUND_OPEN,
        "a guard that died under a lease was started again, and the shutter is not read closed",
        (Deed.LATCH, Deed.COUNT, Deed.ALARM),
    ),
    Row(
        Cause.LOG_NOT_WRITABLE,
        "an entry of the exposure log could not be written and synced",
        (Deed.CLOSE, Deed.LATCH, Deed.ALARM),
    ),
    Row(
        Cause.LOG_DAMAGED,
        "at its start: a line of the exposure log does not fit its checksum, or the log ends "
        "before what was last seen of it; it is set aside, and what can be read of it counts",
        (Deed.LATCH, Deed.ALARM),
    ),
    Row(
        Cause.CLOCK_STEPPED,
        "the machine's clock steps, or stands before the log's last entry at the guard's start; "
        "the guard's own time goes on steadily",
        (Deed.NOTE,),
    ),
    Row(
        Cause.GIVEN_UP,
        "nobody waits for the answer to a request any more",
        (Deed.CLOSE,),
    ),
)
"""The specification, row by row."""

TABLE = {row.cause: row for row in ROWS}
"""A row for each cause."""
