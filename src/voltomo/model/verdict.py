"""What the live analysis says of a running scan: a number, its interval, and a judgement."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Judgement = Literal["good", "bad", "unknown"]


class Verdict(BaseModel):
    """One statement about one scan. Unknown is not good.

    Parameters
    ----------
    scan_uid : str
        The run that it speaks of; a plan ignores verdicts on other scans.
    sequence : int
        Rises by one with each verdict of the scan.
    metric : str
        What was measured: ``lost_frames``, ``mean_transmission``, ``snr``, …
    value, low, high : float or None
        The number and its interval; None where it could not be measured.
    judgement : {"good", "bad", "unknown"}
        Against the threshold that the scan was given.
    frames : int
        Number of frames that it rests on.
    last_trigger : int
        Highest trigger index among them, −1 for none.
    utc_s : float
        When it was made.
    unit : str
        Of value and interval; empty for ratios and numbers.
    threshold : float or None
        What it was judged by; None where nothing was given, and where there are two.
    latency_s : float or None
        From the arrival of the last frame that it rests on to the verdict; None where it is made
        anew all the time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scan_uid: str
    sequence: int = Field(ge=0)
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    judgement: Judgement = "unknown"
    frames: int = Field(default=0, ge=0)
    last_trigger: int = -1
    utc_s: float = 0.0
    unit: str = ""
    threshold: float | None = None
    latency_s: float | None = None

    @property
    def good(self) -> bool:
        """True only where the judgement is good: unknown is not."""
        return self.judgement == "good"
