"""``voltomo export``: NXtomo file and report of a run, from the logs and the files of frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from voltomo.cli.errors import Refused
from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    from voltomo.records.report import Enclosure


def find_run(folder: RunFolder, uid: str) -> str:
    """Whole uid of a run given by its first letters, or the last run's.

    Raises
    ------
    Refused
        No such run, or more than one.
    """
    from voltomo.records.scan_record import scan_uids

    uids = scan_uids(read_log(folder.run_log))
    found = uids[-1:] if uid == "last" else [known for known in uids if known.startswith(uid)]
    if len(found) != 1:
        known = ", ".join(run[:8] for run in uids[-10:]) or "none"
        raise Refused(f"{uid!r} names {len(found)} runs in {folder.root}; the latest are: {known}")
    return found[0]


def live_result(folder: RunFolder, uid: str) -> dict[str, Any]:
    """What the live path left of a run: numbers, verdicts, and ``slice`` where there is one."""
    import numpy as np

    base = folder.exports / uid[:8]
    numbers = base.with_suffix(".live.json")
    result: dict[str, Any] = json.loads(numbers.read_text()) if numbers.exists() else {}
    picture = base.with_suffix(".slice.npz")
    if picture.exists():
        with np.load(picture) as kept:
            result["slice"] = np.asarray(kept["image"])
            result["row"] = int(kept["row"])
    return result


def export_run(folder: RunFolder, uid: str) -> list[Path]:
    """Write NXtomo and report into the run folder's exports; what cannot be made is said."""
    from voltomo.records.nxtomo import NothingToExport, export_nxtomo
    from voltomo.records.report import write_report
    from voltomo.records.scan import read_scan

    scan = read_scan(folder, uid)
    made: list[Path] = []
    nexus: Path | None = folder.exports / f"{uid[:8]}.nxs"
    try:
        made.append(export_nxtomo(scan, folder.exports / f"{uid[:8]}.nxs"))
    except NothingToExport as nothing:
        nexus = None
        typer.echo(f"no NXtomo file: {nothing}")
    enclosed = {uid: enclosure(nexus, live_result(folder, uid))}
    made.append(write_report(scan, folder.exports / f"{uid[:8]}.report.html", enclosed))
    return made


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
    from voltomo.records.report import Enclosure

    caption = f"Live slice at detector row {live['row']}" if "slice" in live else ""
    return Enclosure(
        slice_image=live.get("slice"), slice_caption=caption, nxtomo=nexus, facts=facts
    )


def run_export(uid: str, run_folder: Path | None) -> None:
    """Export one run and say where everything lies."""
    folder = RunFolder.locate(run_folder)
    for path in export_run(folder, find_run(folder, uid)):
        typer.echo(f"written: {path}")
