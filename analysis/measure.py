"""A number with its interval, as every measure of quality gives it."""

from dataclasses import dataclass

# Standard deviations of an interval that holds the true value 95 times in a hundred.
SIGMAS = 1.96


@dataclass(frozen=True)
class Measure:
    """What was measured, and between which bounds it lies 95 times in a hundred.

    Attributes
    ----------
    metric : str
        Its name, as in verdicts: ``frc_resolution``, ``snr``, …
    value, low, high : float
        The number and its interval.
    unit : str
        Empty for a ratio.
    """

    metric: str
    value: float
    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.metric} {self.value:.4g}{unit} ({self.low:.4g} to {self.high:.4g})"
