"""What the live analysis says: a number, its interval, a judgement. Unknown is not good."""

import pytest
from pydantic import ValidationError

from voltomo.model.verdict import Verdict


def test_only_good_is_good() -> None:
    judged = {
        word: Verdict(scan_uid="a", sequence=0, metric="snr", judgement=word).good
        for word in ("good", "bad", "unknown")
    }
    assert judged == {"good": True, "bad": False, "unknown": False}


def test_what_was_not_measured_is_unknown_and_has_no_number() -> None:
    verdict = Verdict(scan_uid="a", sequence=0, metric="mean_transmission")
    assert (verdict.value, verdict.low, verdict.high) == (None, None, None)
    assert verdict.judgement == "unknown"
    assert verdict.last_trigger == -1


def test_it_goes_over_the_network_as_it_is() -> None:
    verdict = Verdict(
        scan_uid="a", sequence=3, metric="snr", value=12.5, low=11.0, high=14.0, judgement="good",
        frames=90, last_trigger=131, utc_s=1.8e9,
    )  # fmt: skip
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize("wrong", [{"judgement": "fine"}, {"sequence": -1}, {"frames": -1}])
def test_what_cannot_be_said_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        Verdict(**({"scan_uid": "a", "sequence": 0, "metric": "snr"} | wrong))
