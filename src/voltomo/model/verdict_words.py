"""How verdicts are put to people, on the page and in the report alike."""

from __future__ import annotations

METRIC_NAMES: dict[str, str] = {
    "lost_frames": "lost frames",
    "mean_transmission": "mean transmission",
    "snr": "signal to noise",
    "frc_resolution": "resolution (FRC)",
    "sharpness": "sharpness",
    "motion": "motion",
    "axis_error": "error of the axis",
    "ring_strength": "strength of rings",
    "missing_cone": "missing cone",
}
"""Name of each metric; one that is not here is shown as it is called."""

UNIT_SIGNS: dict[str, str] = {"um": "µm", "1/um": "µm⁻¹", "1/cm": "cm⁻¹", "column": "columns"}
"""How a unit is written, where not as it is kept."""

NOT_JUDGED = "not judged"
"""Instead of "unknown", where a number was measured and no threshold was given for it."""


def judgement_words(judgement: str, value: float | None, threshold: float | None) -> str:
    """A judgement, told from one that nobody asked for."""
    asked = judgement != "unknown" or value is None or threshold is not None
    return judgement if asked else NOT_JUDGED
