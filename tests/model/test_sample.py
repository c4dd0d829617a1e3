"""A sample says what it may receive, and who says so."""

import pytest
from pydantic import ValidationError

from voltomo.model.sample import UNVERIFIED, Sample


def sample(**changes) -> Sample:
    return Sample(**({"name": "cell 3", "material": "NMC811", "dose_limit_Gy": 2e6,
                      "beam_limit_s": 900.0} | changes))  # fmt: skip


def test_a_limit_without_a_source_is_stamped_so() -> None:
    assert sample().dose_limit_source == UNVERIFIED == "unverified default"
    assert sample(dose_limit_source="Blogg 2024").dose_limit_source == "Blogg 2024"


@pytest.mark.parametrize(
    "wrong", [{"dose_limit_Gy": 0}, {"beam_limit_s": -1}, {"name": "a/b"}, {"limit": 3}]
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        sample(**wrong)


def test_it_is_frozen_and_survives_json() -> None:
    cell = sample()
    assert Sample.model_validate_json(cell.model_dump_json()) == cell
    with pytest.raises(ValidationError):
        cell.dose_limit_Gy = 1e9
