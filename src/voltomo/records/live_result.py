"""What the live path left of a run, and how a report shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from voltomo.model.names import run_name
from voltomo.records.report import Enclosure
from voltomo.runtime.run_folder import RunFolder


def live_result(folder: RunFolder, uid: str) -> dict[str, Any]:
    """What the live path left of a run: numbers, verdicts, and ``slice`` where there is one."""
    base = folder.exports / run_name(uid)
    numbers = base.with_suffix(".live.json")
    result: dict[str, Any] = json.loads(numbers.read_text()) if numbers.exists() else {}
    picture = base.with_suffix(".slice.npz")
    if picture.exists():
        with np.load(picture) as kept:
            result["slice"] = np.asarray(kept["image"])
            result["row"] = int(kept["row"])
    return result


def enclosure(nexus: Path | None, live: dict[str, Any]) -> Enclosure:
    """What a report shows beyond the record: the live slice, the file, the live path's figures."""
    facts: dict[str, str] = {}
    if "frames_processed" in live:
        facts["Live"] = (
            f"{live['frames_processed']:.0f} frames used, latency "
            f"{live['latency_p50_ms']:.0f} ms (median), {live['latency_p99_ms']:.0f} ms (99 %)"
        )
    for name, verdict in live.get("verdicts", {}).items():
        value = "–" if verdict["value"] is None else f"{verdict['value']:.3g}"
        facts[f"Verdict, {name.replace('_', ' ')}"] = f"{value}: {verdict['judgement']}"
    caption = f"Live slice at detector row {live['row']}" if "slice" in live else ""
    return Enclosure(
        slice_image=live.get("slice"), slice_caption=caption, nxtomo=nexus, facts=facts
    )
