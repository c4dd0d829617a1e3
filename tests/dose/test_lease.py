"""The words between a plan and the guard: what is asked for, and what it has cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from voltomo.dose.lease import ExposureLease, LeaseRequest, Settlement

if TYPE_CHECKING:
    from voltomo.devices.beam_lease import BeamLease


def test_a_request_says_who_pays_for_how_long() -> None:
    request = LeaseRequest(sample="cell 3", seconds=4.5, purpose="sweep_0", scan_uid="u")
    assert request.dose_Gy is None
    assert request.gate == "trigger_window"
    assert LeaseRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 0}, {"seconds": -1}, {"seconds": 1e6}, {"dose_Gy": -1}, {"sample": "a/b"},
        {"gate": "open"}, {"trigger_deadline_s": 0}, {"priority": 3},
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LeaseRequest.model_validate({"sample": "cell 3", "seconds": 4.5} | wrong)


def test_a_settlement_keeps_bound_and_estimate_apart() -> None:
    cost = Settlement(
        lease_id="a", sample="cell 3", open_s=1.2, dose_Gy=10.3, dose_central_Gy=10.0, reason="done"
    )
    assert Settlement.model_validate_json(cost.model_dump_json()) == cost
    assert cost.stamp == ""


def test_there_is_one_way_to_the_beam() -> None:
    words = [name for name in vars(ExposureLease) if not name.startswith("_")]
    assert words == ["request", "renew", "settle"]


def as_lease(device: BeamLease) -> ExposureLease:
    """The type checker holds the device against the word here."""
    return device
