"""What a scan is to reach: when its slice is good enough, the rest of it need not be taken."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.verdict import Judgement, Verdict

Metric = Literal[
    "frc_resolution", "snr", "sharpness", "motion", "axis_error", "ring_strength", "missing_cone"
]
METRICS: tuple[Metric, ...] = get_args(Metric)
UNITS: dict[str, str] = {
    "frc_resolution": "um",
    "sharpness": "1/um",
    "motion": "um",
    "axis_error": "column",
    "ring_strength": "1/cm",
}
"""Of the metrics that have one; the others are ratios."""
SIGNED = frozenset({"axis_error"})
"""Metrics with a direction: a threshold is of their magnitude."""


def judge(
    value: float | None,
    low: float | None,
    high: float | None,
    at_most: float | None = None,
    at_least: float | None = None,
    *,
    signed: bool = False,
) -> Judgement:
    """Good where the whole interval keeps to the threshold, bad where none of it does.

    Parameters
    ----------
    value, low, high : float or None
        A number and its interval.
    at_most, at_least : float or None
        The threshold.
    signed : bool
        Whether the number has a direction: then its magnitude is judged.

    Returns
    -------
    {"good", "bad", "unknown"}
        Unknown where the interval lies across the threshold, where there is no interval, and
        where there is no threshold.
    """
    if value is None or low is None or high is None or (at_most is None and at_least is None):
        return "unknown"
    low, high = min(low, value), max(high, value)
    if signed:
        least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        low, high = least, max(abs(low), abs(high))
    above = at_least is None or low >= at_least
    below = at_most is None or high <= at_most
    if above and below:
        return "good"
    missed = (at_most is not None and low > at_most) or (at_least is not None and high < at_least)
    return "bad" if missed else "unknown"


class Target(BaseModel):
    """When an interlaced scan is good enough to end.

    Parameters
    ----------
    metric : str
        Which verdict: ``frc_resolution`` (um), ``snr``, ``sharpness`` (1/um), …
    at_most, at_least : float or None
        Its threshold, one of both; the whole interval of the verdict must keep to it.
    fewest_sweeps : int
        Sweeps that are taken at any rate.
    patience_s : float
        How long a verdict is waited for after a sweep, with the beam off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: Metric
    at_most: float | None = None
    at_least: float | None = None
    fewest_sweeps: int = Field(default=2, ge=1)
    patience_s: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _one_threshold(self) -> Target:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("needs one of at_most and at_least")
        return self

    @property
    def words(self) -> str:
        """``frc_resolution at most 5 um``."""
        unit = UNITS.get(self.metric, "")
        bound = "at most" if self.at_least is None else "at least"
        threshold = self.at_most if self.at_least is None else self.at_least
        return f"{self.metric} {bound} {threshold:g} {unit}".rstrip()

    def reached(self, verdict: Verdict | None) -> bool:
        """Whether a verdict says so: it is of this metric, and all of its interval is good.

        The verdict's own judgement does not count: its threshold may be another. No verdict, and
        one without an interval, reach nothing.
        """
        if verdict is None or verdict.metric != self.metric:
            return False
        found = judge(
            verdict.value,
            verdict.low,
            verdict.high,
            self.at_most,
            self.at_least,
            signed=self.metric in SIGNED,
        )
        return found == "good"
