"""An exposure log that was edited or cut: set aside, and nothing of it silently lost.

What fits is kept as it is. What can be read behind the damage counts, too, each lease at what its
settlement says if that is more, and each sample at what the last witness says if that is more. The
guard that goes on with it is latched until somebody has looked.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from voltomo.dose.exposure import UNKNOWN_TIMES, Exposure
from voltomo.dose.guard_table import Cause
from voltomo.dose.ledger import Ledger
from voltomo.dose.log_witness import Sums, Witness, read_witness
from voltomo.runtime.append_log import Entry, LogDamaged, LogReader
from voltomo.runtime.damaged_log import Damage, examine, replace_log

__all__ = ["mend_exposure_log"]

_STAMP = "not found in the damaged exposure log; charged as its settlement or last witness says"
_NUMBERS = {
    "reserve": ("reserved_Gy", "reserved_s"),
    "exposure": ("dose_Gy", "dose_central_Gy", "open_s", "charged_s"),
    "settle": ("dose_Gy", "dose_central_Gy", "open_s"),
}
_TEXTS = {
    "reserve": ("lease_id",),
    "exposure": ("lease_id", "sample", "purpose"),
    "settle": ("lease_id", "sample"),
    "latch": ("reason",),
}

log = logging.getLogger(__name__)


def mend_exposure_log(path: Path, now_s: float) -> str:
    """Look at an exposure log before a guard goes on with it; mend it where it is damaged.

    Parameters
    ----------
    path : Path
        The log; this process alone may write it.
    now_s : float
        UTC, s.

    Returns
    -------
    str
        What was found and done, for a person; empty where the log is whole.

    Raises
    ------
    LogInUse, OSError
        It could not be set aside; nothing was changed.
    """
    witness = read_witness(path)
    if not path.exists() and witness is None:
        return ""
    broken = _does_not_fit(path)
    cut = witness is not None and not witness.fits(path)
    if not broken and not cut:
        return ""
    path.touch()
    mending = _Mending(examine(path), witness, now_s)
    aside = _aside(path, now_s)
    sentence = mending.sentence(aside, broken)
    replace_log(path, aside, mending.damage.good_bytes, mending.entries(aside, sentence))
    log.error("%s", sentence)
    return sentence


def _does_not_fit(path: Path) -> str:
    try:
        LogReader(path).skip()
    except LogDamaged as error:
        return str(error)
    return ""


def _aside(path: Path, now_s: float) -> Path:
    """A name that nothing has yet."""
    when = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    wanted, number = path.with_name(f"{path.name}.damaged-{when}"), 1
    while wanted.exists():
        number += 1
        wanted = path.with_name(f"{path.name}.damaged-{when}-{number}")
    return wanted


@dataclass
class _Mending:
    """What a damaged log comes to."""

    damage: Damage
    witness: Witness | None
    now_s: float
    kept: list[Entry] = field(default_factory=list[Entry])
    useless: int = 0
    charged: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self._ledger = Ledger()
        self._leases: dict[str, Sums] = {}
        for entry in self.damage.good:
            self._fold(entry)
        for entry in self.damage.rest:
            if not _sound(entry):
                self.useless += 1
                continue
            if entry.kind == "settle":
                self._charge_lease(entry)
            self.kept.append(entry)
            self._fold(entry)
        for sample, seen in (self.witness.accounts if self.witness else {}).items():
            account = self._ledger.settled(sample)
            missing = seen.beyond(Sums.of(account))
            if missing is not None:
                self._charge(f"mended-{sample}"[:40], sample, None, "mended", missing)

    def _fold(self, entry: Entry) -> None:
        self._ledger.add(entry.kind, entry.data)
        if entry.kind == "exposure":
            sums = self._leases.setdefault(entry.data["lease_id"], Sums())
            self._leases[entry.data["lease_id"]] = sums.plus(
                entry.data["dose_Gy"], entry.data["dose_central_Gy"], entry.data["open_s"]
            )

    def _charge_lease(self, entry: Entry) -> None:
        """What a settlement says beyond the exposures that were found of its lease."""
        data = entry.data
        said = Sums(
            dose_Gy=data["dose_Gy"], dose_central_Gy=data["dose_central_Gy"], open_s=data["open_s"]
        )
        missing = said.beyond(self._leases.get(data["lease_id"], Sums()))
        if missing is not None:
            self._charge(
                data["lease_id"],
                data["sample"],
                data.get("scan_uid"),
                str(data.get("purpose", "")),
                missing,
            )

    def _charge(
        self, lease_id: str, sample: str, scan_uid: str | None, purpose: str, missing: Sums
    ) -> None:
        exposure = Exposure(
            opened_utc_s=math.nan,
            closed_utc_s=math.nan,
            flux=[],
            dose_per_fluence_Gy_cm2=0.0,
            dose_Gy=missing.dose_Gy,
            dose_central_Gy=missing.dose_central_Gy,
            open_s=missing.open_s,
            charged_s=missing.open_s if missing.dose_Gy > 0 else 0.0,
            stamp=_STAMP,
        )
        data = exposure.entry(lease_id, sample, scan_uid, purpose)
        data |= UNKNOWN_TIMES
        entry = self._entry("exposure", data)
        self.kept.append(entry)
        self._fold(entry)
        self.charged[sample] = self.charged.get(sample, 0.0) + missing.dose_Gy

    def sentence(self, aside: Path, broken: str) -> str:
        """What was found and done."""
        damage = self.damage
        lost = damage.unreadable + self.useless
        unsure = ", ".join(map(str, sorted(damage.unsure)[:8])) or "none"
        gone = ", ".join(map(str, damage.missing[:8])) or "none"
        charged = ", ".join(f"'{name}' {dose:.4g} Gy" for name, dose in self.charged.items())
        begins = (
            f"entry {len(damage.good)} of the exposure log does not fit its checksum (it was "
            "edited, or the disk is failing)"
            if broken
            else "the exposure log ends before what was last seen of it (it was cut or replaced)"
        )
        return (
            f"{begins}; as it was it lies in {aside.name}; {len(damage.good)} entries before it "
            f"are as they were, {len(damage.rest) - self.useless} behind it count (not borne out: "
            f"{unsure}), {lost} cannot be read, missing: {gone}; charged besides, as settlements "
            f"and the last witness say: {charged or 'nothing'}; compare both files, then reset the "
            "guard with what was found"
        )

    def entries(self, aside: Path, sentence: str) -> Iterator[Entry]:
        """What follows the part that fits."""
        told = {
            "aside": aside.name,
            "first": len(self.damage.good),
            "counted": len(self.damage.rest) - self.useless,
            "unsure": sorted(self.damage.unsure),
            "unreadable": self.damage.unreadable + self.useless,
            "missing": self.damage.missing,
            "charged_Gy": self.charged,
            "mended_utc_s": self.now_s,
        }
        yield self._entry("mended", told)
        yield from self.kept
        yield self._entry("latch", {"reason": sentence, "cause": Cause.LOG_DAMAGED})

    def _entry(self, kind: str, data: Any) -> Entry:
        """With the time of the last that is known: a beam found open is counted from there."""
        known = [*self.damage.good, *self.kept]
        if not known:
            return Entry(-1, self.now_s, kind, data)
        return Entry(-1, known[-1].utc_s, kind, data, known[-1].monotonic_s)


def _sound(entry: Entry) -> bool:
    """Whether what an entry says can be counted; of an edited one nothing is certain."""
    if not isinstance(entry.data, dict):
        return entry.kind not in _TEXTS
    data = cast("dict[str, Any]", entry.data)
    if entry.kind == "reserve":
        request = data.get("request")
        if not isinstance(request, dict) or not isinstance(request.get("sample"), str):
            return False
    numbers = (data.get(name) for name in _NUMBERS.get(entry.kind, ()))
    texts = (data.get(name) for name in _TEXTS.get(entry.kind, ()))
    return all(_amount(number) for number in numbers) and all(isinstance(t, str) for t in texts)


def _amount(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0
