"""The ledger: exposures count, open reservations count as used, folding twice is folding once."""

from __future__ import annotations

from typing import Any

from voltomo.dose.ledger import LedgerProjection
from voltomo.runtime.append_log import AppendLog, read_log


def _reserve(lease: str, reserved_Gy: float) -> dict[str, Any]:
    request = {"sample": "cell", "purpose": "sweep_0", "scan_uid": None}
    data = {"lease_id": lease, "request": request}
    return data | {"reserved_Gy": reserved_Gy, "reserved_s": reserved_Gy / 10}


def _exposure(lease: str, dose_Gy: float, *, charged: bool = True) -> dict[str, Any]:
    data = {"lease_id": lease, "sample": "cell", "purpose": "sweep_0", "scan_uid": None}
    paid_Gy = dose_Gy if charged else 0.0
    return data | {
        "dose_Gy": paid_Gy,
        "dose_central_Gy": paid_Gy,
        "open_s": dose_Gy / 10,
        "charged_s": paid_Gy / 10,
    }


def test_open_reservations_count_until_they_are_settled(tmp_path) -> None:
    ledger = LedgerProjection()
    path = tmp_path / "exposure.log"
    with AppendLog(path) as log:
        log.append("reserve", _reserve("a", 5.0))
        assert ledger.fold(read_log(path))["cell"].dose_Gy == 5.0
        log.append("exposure", _exposure("a", 3.0))
        assert ledger.fold(read_log(path))["cell"].dose_Gy == 5.0
        log.append("reserve", _reserve("a", 9.0))
        assert ledger.fold(read_log(path))["cell"].dose_Gy == 9.0
        log.append("settle", {"lease_id": "a"})
    account = ledger.fold(read_log(path))["cell"]
    assert (account.dose_Gy, account.open_s, account.openings) == (3.0, 0.3, 1)
    assert account.dose_by_purpose_Gy == {"sweep_0": 3.0}
    assert ledger.fold(read_log(path)) == ledger.fold(read_log(path))


def test_time_beside_the_sample_is_kept_apart(tmp_path) -> None:
    path = tmp_path / "exposure.log"
    with AppendLog(path) as log:
        log.append("exposure", _exposure("a", 10.0, charged=False))
    account = LedgerProjection().fold(read_log(path))["cell"]
    assert (account.dose_Gy, account.open_s, account.free_s) == (0.0, 0.0, 1.0)
