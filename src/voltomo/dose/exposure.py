"""One opening of the beam, or a part of it, and what it cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from voltomo.dose.flux_record import FluxRecord
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.ledger import OpenLease

__all__ = ["OUT_OF_FIELD", "REPLAY", "UNKNOWN_TIMES", "Exposure", "OpenBeam", "unwatched"]

UNKNOWN_TIMES = {"opened_utc_s": None, "closed_utc_s": None}
"""Of an exposure that nobody saw, in the log."""

OUT_OF_FIELD = "sample out of the field"
REPLAY = "replay: no dose"


@dataclass(frozen=True)
class Exposure:
    """A stretch of open beam.

    ``dose_Gy`` is the bound: flux at the upper end of its uncertainty, travel counted as open,
    margins for late stamps. ``charged_s`` is the open time that the sample pays for; zero, like
    both doses, where ``stamp`` says that the sample was out of the field or frames were replayed.
    """

    opened_utc_s: float
    closed_utc_s: float
    flux: list[list[float]]
    dose_per_fluence_Gy_cm2: float
    dose_Gy: float
    dose_central_Gy: float
    open_s: float
    charged_s: float
    stamp: str

    def entry(self, lease_id: str, sample: str, scan_uid: str | None, purpose: str) -> Any:
        """The exposure log's form, with who pays and what for."""
        who = {"lease_id": lease_id, "sample": sample, "scan_uid": scan_uid, "purpose": purpose}
        return who | asdict(self)


def unwatched(lease: OpenLease, dose_per_fluence_Gy_cm2: float, stamp: str) -> Exposure:
    """What a lease had reserved and nobody saw spent, as if all of it was."""
    return Exposure(
        opened_utc_s=math.nan,
        closed_utc_s=math.nan,
        flux=[],
        dose_per_fluence_Gy_cm2=dose_per_fluence_Gy_cm2,
        dose_Gy=lease.rest_Gy,
        dose_central_Gy=lease.rest_Gy,
        open_s=lease.rest_s,
        charged_s=lease.rest_s,
        stamp=stamp,
    )


class OpenBeam:
    """The stretch of open beam that is running.

    Parameters
    ----------
    settings : GuardSettings
        Margins and travel time.
    flux : FluxRecord
        What the monitor read.
    opened_s : float
        When the blade began to move, or when this stretch was split from the one before.
    dose_per_fluence_Gy_cm2 : float
        Of the sample's material at the photon energy.
    stamp : str
        `OUT_OF_FIELD` or `REPLAY` where nothing is charged, else empty.
    first : bool
        Whether the stretch begins with the blade's opening, rather than at a split.
    """

    def __init__(
        self,
        settings: GuardSettings,
        flux: FluxRecord,
        opened_s: float,
        dose_per_fluence_Gy_cm2: float,
        *,
        stamp: str = "",
        first: bool = True,
    ) -> None:
        self._settings = settings
        self._flux = flux
        self.opened_s = opened_s
        self.first = first
        self.stamp = stamp
        self._dose_per_fluence = dose_per_fluence_Gy_cm2

    def energy_changed(self, dose_per_fluence_Gy_cm2: float) -> None:
        """The worst energy of a stretch counts for all of it."""
        self._dose_per_fluence = max(self._dose_per_fluence, dose_per_fluence_Gy_cm2)

    @property
    def free(self) -> bool:
        """Whether nobody pays for it."""
        return self.stamp in (OUT_OF_FIELD, REPLAY)

    def cost(self, until_s: float, *, last: bool, final: bool = False) -> Exposure:
        """What the stretch costs up to a time.

        Parameters
        ----------
        until_s : float
            Up to when.
        last : bool
            Whether the blade is closed then, so that a margin follows.
        final : bool
            Whether this is what goes into the log; see `FluxRecord.fluence`.
        """
        margin_s, travel_s = self._settings.timing_margin_s, self._settings.travel_s
        from_s = self.opened_s - (margin_s if self.first else 0.0)
        to_s = max(until_s, self.opened_s) + (margin_s if last else 0.0)
        fluence = self._flux.fluence(from_s, to_s, final=final)
        duration_s = to_s - from_s
        # Half of each travel passes half of the beam: the best estimate leaves that out again.
        unlit_s = (margin_s + travel_s / 2) * (int(self.first) + int(last))
        lit_part = max(duration_s - unlit_s, 0.0) / duration_s if duration_s > 0 else 0.0
        per_fluence = 0.0 if self.free else self._dose_per_fluence
        stamps = [text for text in (self.stamp, "" if self.free else fluence.doubt) if text]
        return Exposure(
            opened_utc_s=self.opened_s,
            closed_utc_s=max(until_s, self.opened_s),
            flux=self._flux.readings(from_s, to_s),
            dose_per_fluence_Gy_cm2=self._dose_per_fluence,
            dose_Gy=fluence.bound_per_cm2 * per_fluence,
            dose_central_Gy=fluence.central_per_cm2 * lit_part * per_fluence,
            open_s=duration_s,
            charged_s=0.0 if self.free else duration_s,
            stamp="; ".join(stamps),
        )
