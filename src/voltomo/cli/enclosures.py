"""What a report shows of a run beyond its logs: slice, exported file, the live path's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.cli.sample_summary import sample_facts
from voltomo.dose.sample_dose import SampleDose
from voltomo.model.names import run_name
from voltomo.model.verdict_words import METRIC_NAMES, UNIT_SIGNS, judgement_words
from voltomo.records.report import Enclosure
from voltomo.records.scan import Scan
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
            result["views"] = int(kept["frames"])
    return result


def enclosure(
    scan: Scan,
    nexus: Path | None,
    live: dict[str, Any],
    received: SampleDose | None = None,
    more: Mapping[str, str] | None = None,
) -> Enclosure:
    """What a report shows of a run; without a live slice, one is made from the frames' files."""
    facts: dict[str, str] = {}
    if live.get("frames_processed"):
        facts["Live"] = f"{live['frames_processed']:.0f} frames used{_delay(live)}"
    if live.get("reason"):
        facts["No live slice" if live.get("slice") is None else "Live planes"] = str(live["reason"])
    facts |= sample_facts(scan, received) | dict(more or {})
    image, caption = live.get("slice"), ""
    if image is not None:
        caption = f"Live slice at detector row {live['row']}, from {live['views']} views"
    else:
        image, caption = slice_from_files(scan)
    return Enclosure(
        slice_image=image,
        slice_caption=caption,
        nxtomo=nexus,
        facts=facts,
        verdicts=tuple(_words(name, said) for name, said in live.get("verdicts", {}).items()),
    )


def _delay(live: dict[str, Any]) -> str:
    """How long the live slice took; nothing where the worker could not tell."""
    if live.get("latency_p50_ms") is None:
        return ""
    return (
        f", {live['latency_p50_ms']:.0f} ms from the end of an exposure to the slice that holds "
        f"it (median; 99 % within {live['latency_p99_ms']:.0f} ms)"
    )


def _words(metric: str, verdict: dict[str, Any]) -> tuple[str, str, str]:
    value = "–" if verdict["value"] is None else f"{verdict['value']:.3g}"
    low, high, unit = verdict.get("low"), verdict.get("high"), verdict.get("unit", "")
    if low is not None and high is not None and low < high:
        value += f" ({low:.3g} to {high:.3g})"
    value += f" {UNIT_SIGNS.get(unit, unit)}" if unit else ""
    judged = judgement_words(verdict["judgement"], verdict["value"], verdict.get("threshold"))
    return METRIC_NAMES.get(metric, metric), value, judged


def slice_from_files(scan: Scan) -> tuple[NDArray[np.float32] | None, str]:
    """The slice that the live path would have shown, made from latches and files of frames.

    Returns
    -------
    array or None, str
        None where flats, darks or projections are lacking; and what it is.
    """
    from voltomo.live.run_follower import FileOpened
    from voltomo.live.slice_in_process import SliceInProcess
    from voltomo.model.trigger_source import TriggerChunk

    record = scan.record
    try:
        live = SliceInProcess(record.uid, record.spec)
    except ValueError:
        # Radiographs, say: nothing turned.
        return None, ""
    latches = record.latches
    gaps = np.flatnonzero(np.diff(latches.index) != 1) + 1
    for part in np.split(np.arange(latches.index.size), gaps):
        if part.size:
            first = int(latches.index[part[0]])
            angles, times = latches.angle_deg[part].tolist(), latches.time_s[part].tolist()
            live.latch(TriggerChunk(first, angles, times))
    files = [FileOpened(source.block, source.path) for source in record.sources]
    live.fill(files)
    live.finish()
    state = live.state()
    if state.frames == 0:
        return None, ""
    return (
        state.image,
        f"Slice at detector row {state.row}, from {state.frames} views in the files",
    )
