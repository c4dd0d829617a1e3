"""What was last seen of the exposure log, kept beside it: a log that was cut is found by it.

Checksums show a line that was edited or taken out, not lines that are missing at the end. The
witness, ``<log>.witness``, names the last line and what every sample had received by then.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voltomo.dose.ledger import Account, Ledger
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.log_checkpoint import Checkpoint
from voltomo.runtime.run_folder import write_json

__all__ = ["Sums", "Witness", "keep_witness", "read_witness"]

_MORE = 1 + 1e-9


class Sums(BaseModel):
    """Dose and open time, of a sample or a lease; time in which nobody paid included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dose_Gy: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    dose_central_Gy: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    open_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @classmethod
    def of(cls, account: Account) -> Sums:
        """Of a sample's account."""
        return cls(
            dose_Gy=account.dose_Gy,
            dose_central_Gy=account.dose_central_Gy,
            open_s=account.open_s + max(account.free_s, 0.0),
        )

    def plus(self, dose_Gy: float, central_Gy: float, open_s: float) -> Sums:
        """With one more stretch of beam."""
        return Sums(
            dose_Gy=self.dose_Gy + dose_Gy,
            dose_central_Gy=self.dose_central_Gy + central_Gy,
            open_s=self.open_s + open_s,
        )

    def beyond(self, found: Sums) -> Sums | None:
        """What these say more than others; None where it is nothing."""
        if self.dose_Gy <= found.dose_Gy * _MORE and self.open_s <= found.open_s * _MORE:
            return None
        return Sums(
            dose_Gy=max(self.dose_Gy - found.dose_Gy, 0.0),
            dose_central_Gy=max(self.dose_central_Gy - found.dose_central_Gy, 0.0),
            open_s=max(self.open_s - found.open_s, 0.0),
        )


class Witness(BaseModel):
    """Which line was the last, and what the samples had received."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    last: Checkpoint
    accounts: dict[str, Sums] = {}

    def fits(self, log: Path) -> bool:
        """Whether the log still holds that line in that place."""
        return log.exists() and self.last.fits(log)


def _path(log: Path) -> Path:
    return log.with_name(log.name + ".witness")


def read_witness(log: Path) -> Witness | None:
    """The witness beside a log; None where there is none that can be read."""
    try:
        return Witness.model_validate_json(_path(log).read_text())
    except (OSError, ValidationError):
        return None


def keep_witness(log: AppendLog, ledger: Ledger) -> None:
    """Name the log's last line and the accounts, which must be the fold of it.

    Where the disk is full nothing is kept; the witness before stays true.
    """
    if log.before == log.position:
        return
    accounts = {name: Sums.of(ledger.settled(name)) for name in ledger.samples}
    last = Checkpoint(before=log.before, at=log.position)
    with contextlib.suppress(OSError):
        write_json(_path(log.path), Witness(last=last, accounts=accounts).model_dump(mode="json"))
