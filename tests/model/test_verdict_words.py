"""Verdicts have names and units that people read."""

import pytest

from voltomo.model.target import METRICS, UNITS
from voltomo.model.verdict_words import METRIC_NAMES, UNIT_SIGNS, judgement_words


def test_every_metric_and_unit_has_words() -> None:
    assert set(METRICS) <= set(METRIC_NAMES)
    assert set(UNITS.values()) == set(UNIT_SIGNS)


@pytest.mark.parametrize(
    ("judgement", "value", "threshold", "words"),
    [
        ("good", 3.0, 1.0, "good"),
        ("good", 3.0, None, "good"),
        ("unknown", None, None, "unknown"),
        ("unknown", 3.0, 1.0, "unknown"),
        ("unknown", 3.0, None, "not judged"),
    ],
)
def test_what_nobody_asked_for_is_not_called_unknown(judgement, value, threshold, words) -> None:
    assert judgement_words(judgement, value, threshold) == words
