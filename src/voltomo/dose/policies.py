"""Policies: what a sample may receive, by class of material, and what is said when it is too much.

Pure: the guard and the planner ask the same questions. A limit has a source; one that nobody has
looked up is stamped as an unverified default wherever it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from voltomo.dose.materials import MaterialClass
from voltomo.model.names import SafeName
from voltomo.model.sample import UNVERIFIED

__all__ = [
    "Asked",
    "ClassLimit",
    "Colour",
    "Override",
    "Policy",
    "colour",
    "refusal",
    "scans_that_fit",
]

Colour = Literal["green", "amber", "red"]
Doses = Mapping[str, float]
"""Dose in Gy, or its rate in Gy/s, by class of material."""


class ClassLimit(BaseModel):
    """What one class of material may receive.

    Parameters
    ----------
    material_class : str
        For which class.
    dose_Gy : float or None
        In all, at the hottest point, upper end of the interval; None for no limit.
    rate_Gy_s : float or None
        With the beam open; None for no limit.
    source : str
        Where the limit comes from; "unverified default" is stamped on everything it touches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    material_class: MaterialClass
    dose_Gy: float | None = Field(default=None, gt=0)
    rate_Gy_s: float | None = Field(default=None, gt=0)
    source: str = Field(default=UNVERIFIED, min_length=1)

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.dose_Gy is None and self.rate_Gy_s is None:
            raise ValueError("a limit needs 'dose_Gy', 'rate_Gy_s', or both")
        return self


class Policy(BaseModel):
    """Limits under a name.

    Parameters
    ----------
    name : SafeName
        What experiments call it.
    about : str
        What it is for.
    rests_on : str
        What its limits rest on, in a sentence; those of a limit of one's own stand in ``source``.
    limits : list of ClassLimit
        One for each class at most.
    amber_part : float
        Part of a limit from which on a sample is shown amber.
    keep_for_scans : int
        So many scans of the present kind are kept back, so that the end of a series can be seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: SafeName
    about: str = ""
    rests_on: str = UNVERIFIED
    limits: tuple[ClassLimit, ...] = Field(min_length=1)
    amber_part: float = Field(default=0.5, gt=0, lt=1)
    keep_for_scans: int = Field(default=1, ge=0)

    @field_validator("limits")
    @classmethod
    def _once_each(cls, limits: tuple[ClassLimit, ...]) -> tuple[ClassLimit, ...]:
        seen: set[str] = set()
        for limit in limits:
            if limit.material_class in seen:
                raise ValueError(f"'{limit.material_class}' has two limits; which one holds?")
            seen.add(limit.material_class)
        return limits

    @property
    def unverified(self) -> tuple[str, ...]:
        """Classes whose limit nobody has looked up."""
        return tuple(each.material_class for each in self.limits if each.source == UNVERIFIED)

    def widened(self, override: Override, now_utc_s: float) -> Policy:
        """The policy as an override has it, while that holds; else the policy itself."""
        if now_utc_s >= override.until_utc_s:
            return self
        return self.model_copy(
            update={"limits": tuple(override.applied(each) for each in self.limits)}
        )


class Override(BaseModel):
    """A limit that a person sets aside: named, reasoned, bounded in dose and time.

    Parameters
    ----------
    by : str
        Who answers for it.
    reason : str
        Why; at least ten characters.
    extra_Gy : dict
        More dose for each class; no more than the limit itself, so that it at most doubles.
    until_utc_s : float
        When it ends by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    by: str = Field(min_length=1)
    reason: str = Field(min_length=10)
    extra_Gy: dict[MaterialClass, float] = Field(min_length=1)
    until_utc_s: float

    @field_validator("extra_Gy")
    @classmethod
    def _more(cls, extra: dict[MaterialClass, float]) -> dict[MaterialClass, float]:
        if any(more <= 0 for more in extra.values()):
            raise ValueError("an override gives more dose, above 0 Gy")
        return extra

    def applied(self, limit: ClassLimit) -> ClassLimit:
        """A limit with the extra dose, and who gave it as its source."""
        extra_Gy = self.extra_Gy.get(limit.material_class)
        if extra_Gy is None or limit.dose_Gy is None:
            return limit
        return limit.model_copy(
            update={
                "dose_Gy": limit.dose_Gy + min(extra_Gy, limit.dose_Gy),
                "source": f"{limit.source}; set aside by {self.by}: {self.reason}",
            }
        )


@dataclass(frozen=True)
class Asked:
    """What somebody wants to give a sample: one or more scans of a kind.

    Attributes
    ----------
    dose_Gy : mapping
        Of one scan, by class, upper end at the hottest point.
    rate_Gy_s : mapping
        With the beam open, by class.
    scans : int
        How many.
    last : bool
        Whether they may take what was kept back for the end of the series.
    what : str
        How the person calls it.
    """

    dose_Gy: Doses
    rate_Gy_s: Doses
    scans: int = 1
    last: bool = False
    what: str = "this scan"


def colour(policy: Policy, taken_Gy: Doses, one_scan_Gy: Doses | None = None) -> Colour:
    """How a sample stands: amber from a part of a limit on, red where only the reserve is left.

    Parameters
    ----------
    policy : Policy
        The limits.
    taken_Gy : mapping
        What it has received, by class.
    one_scan_Gy : mapping or None
        A scan of the present kind; without it red means that a limit is reached.
    """
    worst: Colour = "green"
    for limit in policy.limits:
        taken = taken_Gy.get(limit.material_class, 0.0)
        if limit.dose_Gy is None:
            continue
        kept = policy.keep_for_scans * (one_scan_Gy or {}).get(limit.material_class, 0.0)
        if taken > 0 and limit.dose_Gy - taken <= kept:
            return "red"
        if taken >= policy.amber_part * limit.dose_Gy:
            worst = "amber"
    return worst


def scans_that_fit(policy: Policy, taken_Gy: Doses, asked: Asked) -> tuple[int | None, str]:
    """How many scans fit, and which class sets the end; None where no limit of dose concerns them.

    What is kept back for the end of the series is left out, unless the scans may take it.
    """
    fewest: int | None = None
    by = ""
    for limit in policy.limits:
        one_Gy = asked.dose_Gy.get(limit.material_class, 0.0)
        if limit.dose_Gy is None or one_Gy <= 0:
            continue
        rest_Gy = limit.dose_Gy - taken_Gy.get(limit.material_class, 0.0)
        # A limit that is met to the last digit is kept.
        scans = math.floor(rest_Gy / one_Gy * (1 + 1e-12))
        scans = max(scans - (0 if asked.last else policy.keep_for_scans), 0)
        if fewest is None or scans < fewest:
            fewest, by = scans, limit.material_class
    return fewest, by


def refusal(policy: Policy, taken_Gy: Doses, asked: Asked) -> str:
    """Why this does not fit, and what would; empty where it fits.

    Parameters
    ----------
    policy : Policy
        The limits.
    taken_Gy : mapping
        What the sample has received, by class of material.
    asked : Asked
        What is wanted.
    """
    known = {limit.material_class for limit in policy.limits}
    if not known & set(asked.dose_Gy):
        return (
            f"policy '{policy.name}' has limits for {_listed(known)}, and {asked.what} gives dose "
            f"to {_listed(asked.dose_Gy) or 'nothing'}: nothing would limit it; take a policy "
            "with a limit for what is in the cell"
        )
    for limit in policy.limits:
        rate = asked.rate_Gy_s.get(limit.material_class, 0.0)
        if limit.rate_Gy_s is not None and rate > limit.rate_Gy_s:
            return (
                f"{asked.what} gives {limit.material_class} {rate:.3g} Gy/s, and policy "
                f"'{policy.name}' allows {limit.rate_Gy_s:.3g} Gy/s ({limit.source}); attenuate "
                f"the beam to {100 * limit.rate_Gy_s / rate:.2g} % and lengthen the exposure"
            )
    fits, by = scans_that_fit(policy, taken_Gy, asked)
    if fits is None or asked.scans <= fits:
        return ""
    return _too_much(policy, taken_Gy, asked, fits, by)


def _too_much(policy: Policy, taken_Gy: Doses, asked: Asked, fits: int, by: str) -> str:
    limit = next(each for each in policy.limits if each.material_class == by)
    limit_Gy = limit.dose_Gy or 0.0
    taken, one = taken_Gy.get(by, 0.0), asked.dose_Gy[by]
    kept = 0 if asked.last else policy.keep_for_scans
    rest_Gy = max(limit_Gy - taken - kept * one, 0.0)
    text = (
        f"{by} has received {taken:.4g} Gy of {limit_Gy:.4g} Gy (policy '{policy.name}', "
        f"{limit.source}); {asked.what} needs {asked.scans * one:.4g} Gy"
    )
    if kept:
        text += f", and {kept} of {one:.4g} Gy stay{'s' if kept == 1 else ''} for the end"
    if fits > 0:
        return text + f"; {fits} of {asked.scans} would fit: take fewer, or give each less"
    # The reserve is a number of scans as well: with a smaller scan it shrinks, too.
    part = max(limit_Gy - taken, 0.0) / ((1 + kept) * one)
    if part < 0.01:
        return text + f"; {rest_Gy:.3g} Gy are left, and no scan fits: mount another sample"
    return text + (
        f"; {100 * part:.2g} % of one would fit: expose shorter, take fewer projections, or "
        "attenuate the beam"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
