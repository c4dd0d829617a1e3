"""When the beam counts as lost, and when it is back; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field

RING, FLUX, ACROSS, UP, TOP_UP = "ring_current", "flux", "beam_x", "beam_y", "top_up_in"
"""Names of readings: mA, counts/s, µm, µm, s."""

_JUMP_S = 1.0


class BeamLossLimits(BaseModel):
    """Section ``beam_loss`` of the beamline file. What is not given is not looked at.

    Parameters
    ----------
    ring_current_mA : float or None
        The beam is lost below this ring current.
    flux_counts_s : float or None
        The beam is lost below this reading of the flux monitor, attenuators included.
    position_um : float or None
        The beam is lost where it stands further than this from its place, across or up.
    hysteresis : float
        It is back only where readings are better than their limits by this part of them.
    settle_s : float
        It must have been back for so long before anything goes on.
    hold_for_top_up : bool
        Whether sweeps and frames that a fill of the ring would disturb wait until it is over.
    after_top_up_s : float
        How long a fill lasts, settling included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ring_current_mA: float | None = Field(default=None, gt=0)
    flux_counts_s: float | None = Field(default=None, gt=0)
    position_um: float | None = Field(default=None, gt=0)
    hysteresis: float = Field(default=0.05, ge=0, lt=1)
    settle_s: float = Field(default=5.0, ge=0)
    hold_for_top_up: bool = False
    after_top_up_s: float = Field(default=5.0, ge=0)

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Readings that are needed."""
        wanted = {
            RING: self.ring_current_mA is not None,
            FLUX: self.flux_counts_s is not None,
            ACROSS: self.position_um is not None,
            UP: self.position_um is not None,
            TOP_UP: self.hold_for_top_up,
        }
        return tuple(name for name, needed in wanted.items() if needed)

    def beyond(self, readings: Mapping[str, float], *, lost: bool) -> str:
        """What is beyond its limit, in words; empty where nothing is.

        Parameters
        ----------
        readings : mapping
            By name; one that is not there says nothing.
        lost : bool
            Whether the beam is lost already, and must do better to be back.
        """
        return "; ".join(self._beyond(readings, self.hysteresis if lost else 0.0))

    def _beyond(self, readings: Mapping[str, float], better: float) -> Iterator[str]:
        for name, what, least, unit in (
            (RING, "ring current", self.ring_current_mA, "mA"),
            (FLUX, "flux monitor", self.flux_counts_s, "counts/s"),
        ):
            seen = readings.get(name)
            if least is not None and seen is not None and not seen >= least * (1 + better):
                yield f"{what}: expected at least {least:g} {unit}, saw {seen:.4g} {unit}"
        most = self.position_um
        for name, way in ((ACROSS, "across"), (UP, "up")):
            seen = readings.get(name)
            if most is not None and seen is not None and not abs(seen) <= most * (1 - better):
                yield f"beam position: expected within {most:g} um, saw {seen:.3g} um {way}"


class BeamJudge:
    """Follows readings: lost at once, back once they have been good for the settle time.

    Parameters
    ----------
    limits : BeamLossLimits
        What counts as lost.

    Attributes
    ----------
    gone : str
        Why the beam is lost; empty while it is there.
    lost_s : float
        When the last loss began, on the clock of `look`; minus infinity before any.
    last_reason : str
        Why it was lost the last time.
    """

    def __init__(self, limits: BeamLossLimits) -> None:
        self.limits = limits
        self.gone = self.last_reason = ""
        self.lost_s = float("-inf")
        self._good_since_s: float | None = None
        self._top_up: tuple[float, float] | None = None
        self._filled_s = float("-inf")
        self._longest_s = 0.0

    def look(self, readings: Mapping[str, float], now_s: float) -> bool:
        """Take what is read now; returns whether the beam was just lost, or is back."""
        before = self.gone
        found = self.limits.beyond(readings, lost=bool(before))
        self._follow_top_up(readings.get(TOP_UP), now_s)
        if found:
            self._good_since_s = None
            if not before:
                self.gone = self.last_reason = found
                self.lost_s = now_s
        elif before:
            if self._good_since_s is None:
                self._good_since_s = now_s
            if now_s - self._good_since_s >= self.limits.settle_s:
                self.gone = ""
        return self.gone != before

    def gone_since(self, then_s: float) -> str:
        """Why the beam was lost since then, or is lost now; empty where it was there throughout."""
        return self.gone or (self.last_reason if self.lost_s >= then_s else "")

    def hold_s(self, needed_s: float, now_s: float) -> float:
        """How long to wait so that no fill comes within the next ``needed_s``; 0 to begin now.

        What takes longer than the time from fill to fill begins behind a fill.
        """
        if not self.limits.hold_for_top_up or self._top_up is None:
            return 0.0
        since_fill_s = now_s - self._filled_s
        if since_fill_s < self.limits.after_top_up_s:
            return self.limits.after_top_up_s - since_fill_s
        left_s, at_s = self._top_up
        left_s -= now_s - at_s
        if left_s < -self.limits.after_top_up_s:
            # A countdown that stands still tells nothing of the next fill.
            return 0.0
        room_s = self._longest_s - self.limits.after_top_up_s
        if left_s >= min(needed_s, 0.95 * room_s):
            return 0.0
        return max(left_s, 0.0) + self.limits.after_top_up_s

    def _follow_top_up(self, left_s: float | None, now_s: float) -> None:
        if left_s is None or left_s < 0:
            self._top_up = None
            return
        known = self._top_up
        if known is None or left_s != known[0]:
            if known is not None and left_s > known[0] + _JUMP_S:
                self._filled_s = now_s
            self._top_up = (left_s, now_s)
            self._longest_s = max(self._longest_s, left_s)
