"""What is left for a sample, how much of it is reserved at a time, and what would fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import TABLE, Cause
from voltomo.dose.ledger import Account
from voltomo.dose.materials import MaterialClass
from voltomo.dose.policies import Override
from voltomo.model.sample import Sample

__all__ = ["Budget", "early_s", "widened_sample"]

_TOP_UP_EVERY_s = 0.15
_MOST_BEAM_s = 1.0


def early_s(settings: GuardSettings) -> float:
    """Open time by which a limit is acted on early: the table's deadline, travel, late stamps."""
    deadline_s = TABLE[Cause.LIMIT].deadline_s(settings)
    return deadline_s + settings.travel_s + 2 * settings.timing_margin_s


def widened_sample(
    sample: Sample, material_class: MaterialClass, override: Override, now_s: float
) -> Sample:
    """A sample whose own limit of dose is set aside while an override of its class holds.

    As with a policy's limits, the dose at most doubles.
    """
    extra_Gy = override.extra_Gy.get(material_class)
    if extra_Gy is None or now_s >= override.until_utc_s:
        return sample
    return sample.model_copy(
        update={
            "dose_limit_Gy": sample.dose_limit_Gy + min(extra_Gy, sample.dose_limit_Gy),
            "dose_limit_source": (
                f"{sample.dose_limit_source}; set aside by {override.by}: {override.reason}"
            ),
        }
    )


@dataclass(frozen=True)
class Budget:
    """Limits of a sample against what it has received, at the present dose rate.

    Parameters
    ----------
    settings : GuardSettings
        Times that a budget must cover.
    sample : Sample
        Whose limits.
    used : Account
        What it has received, as a bound.
    rate_Gy_s : float
        Dose rate with the beam open, as a bound; zero where nothing is charged.
    """

    settings: GuardSettings
    sample: Sample
    used: Account
    rate_Gy_s: float

    @property
    def rest_Gy(self) -> float:
        """Dose that is left."""
        return max(self.sample.dose_limit_Gy - self.used.dose_Gy, 0.0)

    @property
    def rest_s(self) -> float:
        """Open time that is left by the sample's limit in seconds alone."""
        return max(self.sample.beam_limit_s - self.used.open_s, 0.0)

    @property
    def seconds_left(self) -> float:
        """Open time until the first of both limits."""
        by_dose = self.rest_Gy / self.rate_Gy_s if self.rate_Gy_s > 0 else math.inf
        return min(self.rest_s, by_dose)

    @property
    def early_s(self) -> float:
        """A budget ends this much open time early; see `early_s`."""
        return early_s(self.settings)

    @property
    def reserve_s(self) -> float:
        """Open time reserved at a time: 1 % of the budget, at least what a dead guard may cost.

        At most one second of beam, and no more than is left unless that is below the floor.
        """
        floor_s = self.settings.floor_s
        whole_s = self.sample.beam_limit_s
        if self.rate_Gy_s > 0:
            whole_s = self.sample.dose_limit_Gy / self.rate_Gy_s
        chunk_s = min(self.settings.chunk_part * whole_s, _MOST_BEAM_s)
        wanted_s = max(chunk_s, floor_s + _TOP_UP_EVERY_s)
        return max(min(wanted_s, self.seconds_left), floor_s)

    def refusal(self, seconds: float, dose_Gy: float | None, purpose: str) -> str:
        """Why this much beam does not fit, and what would; empty where it fits."""
        fits_s = max(self.seconds_left - self.early_s, 0.0)
        dose_needed_Gy = max(dose_Gy or 0.0, seconds * self.rate_Gy_s)
        reaction_Gy = self.early_s * self.rate_Gy_s
        fits = seconds <= fits_s and dose_needed_Gy + reaction_Gy <= self.rest_Gy
        if fits and self.settings.floor_s <= self.seconds_left:
            return ""
        name, limit = self.sample.name, self.sample
        text = (
            f"'{name}' has {self.rest_Gy:.4g} Gy of {limit.dose_limit_Gy:.4g} Gy and "
            f"{self.rest_s:.4g} s of {limit.beam_limit_s:.4g} s left "
            f"({limit.dose_limit_source}); {purpose or 'this'} needs {dose_needed_Gy:.4g} Gy in "
            f"{seconds:.4g} s"
        )
        if fits_s < self.settings.floor_s:
            return text + (
                f"; the smallest reservation of {self.settings.floor_s:.3g} s does not fit: mount "
                "another sample, or attenuate the beam"
            )
        return text + (
            f"; {fits_s:.4g} s or {fits_s * self.rate_Gy_s:.4g} Gy would fit: shorten the "
            "exposure, take fewer projections, or attenuate the beam"
        )

    def spent(self) -> str:
        """Which limit is as good as reached; empty while none is."""
        if self.rest_Gy <= self.rate_Gy_s * self.early_s and self.rate_Gy_s > 0:
            return (
                f"the dose limit of '{self.sample.name}' ({self.sample.dose_limit_Gy:.4g} Gy) is "
                "reached"
            )
        if self.rest_s <= self.early_s:
            return (
                f"the beam time of '{self.sample.name}' ({self.sample.beam_limit_s:.4g} s) is "
                "used up"
            )
        return ""
