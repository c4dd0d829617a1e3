"""Alignments, as the run log holds them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from voltomo.model.alignment import Alignment, Quantity
from voltomo.runtime.log_reader import LogReader

_WORDS = (b'"alignment":', b'"align_name":', b'"name":"align"')


def alignments_in(path: Path) -> list[Alignment]:
    """All alignments of a run log that ended well enough to have quantities, oldest first."""
    heads: dict[str, dict[str, Any]] = {}
    streams: dict[str, str] = {}
    quantities: dict[str, list[Quantity]] = {}
    for entry in LogReader(path).entries(_WORDS):
        if entry.kind != "document":
            continue
        doc = entry.data["doc"]
        if entry.data["name"] == "start" and "alignment" in doc:
            heads[str(doc["uid"])] = doc["alignment"]
        elif entry.data["name"] == "descriptor" and doc.get("run_start") in heads:
            streams[str(doc["uid"])] = str(doc["run_start"])
        elif entry.data["name"] == "event" and doc.get("descriptor") in streams:
            uid = streams[doc["descriptor"]]
            quantities.setdefault(uid, []).append(_quantity(doc["data"]))
    return [
        Alignment.model_validate({"uid": uid, "quantities": tuple(quantities[uid]), **head})
        for uid, head in heads.items()
        if uid in quantities
    ]


def _quantity(data: dict[str, Any]) -> Quantity:
    return Quantity(
        name=data["align_name"],
        unit=data["align_unit"],
        value=_known(data["align_value"]),
        sigma=_known(data["align_sigma"]),
        sentence=data["align_sentence"],
        applied=bool(data["align_applied"]),
    )


def _known(value: Any) -> float | None:
    """What is not known is NaN in an event, or null where JSON has no NaN."""
    return None if value is None or not math.isfinite(float(value)) else float(value)
