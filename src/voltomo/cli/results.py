"""What a job leaves for people: NXtomo files, one report, one summary."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from voltomo.cli.cell_answer import answer_facts
from voltomo.cli.enclosures import enclosure, live_result
from voltomo.cli.job import Job, settings_of
from voltomo.cli.sample_summary import sample_dose
from voltomo.dose.sample_dose import SampleDose
from voltomo.model.names import run_name
from voltomo.profiles.beamline_file import known_materials
from voltomo.records.report import write_report
from voltomo.records.scan import Scan, read_scan
from voltomo.records.summary import LiveSummary, ScanSummary, Summary


@dataclass(frozen=True)
class Result:
    """A scan of a job with its file and its summary."""

    scan: Scan
    nxtomo: Path
    live: dict[str, Any]
    summary: ScanSummary
    received: SampleDose | None = None
    facts: dict[str, str] = field(default_factory=dict[str, str])


def result_of(job: Job, uid: str, output: Path, *, dropped_on_purpose: int | None = None) -> Result:
    """Gather what a job has given, and hold it against the truth where the twin knows it."""
    scan = read_scan(job.folder, uid)
    exported = output / f"{job.name}-{run_name(uid)}.nxs"
    shutil.copyfile(job.folder.exports / f"{run_name(uid)}.nxs", exported)
    live = live_result(job.folder, uid)
    rows = scan.scan_rows
    replayed = scan.record.source == "replay"
    truth = {} if replayed else _truth(job, scan, live)
    summary = ScanSummary(
        uid=uid,
        kind=str(scan.record.start.get("plan_name", "tomography")),
        source=scan.record.source,
        triggers=int(rows.index.size),
        frames=int(rows.valid.sum()),
        missing=int(rows.missing.size),
        dropped_on_purpose=dropped_on_purpose,
        offline_correlation=_offline_correlation(job, exported, live),
        dose_Gy=scan.dose.bound_Gy,
        wasted_fraction=scan.dose.wasted_fraction,
        nxtomo=exported.name,
        live=LiveSummary(
            frames_in=int(live.get("frames_in") or 0),
            frames_processed=int(live.get("frames_processed") or 0),
            latency_p50_ms=live.get("latency_p50_ms"),
            latency_p99_ms=live.get("latency_p99_ms"),
        ),
        **truth,
    )
    facts = {} if replayed else answer_facts(job.folder, scan)
    return Result(scan, exported, live, summary, sample_dose(job.folder, scan), facts)


def _truth(job: Job, scan: Scan, live: dict[str, Any]) -> dict[str, float | None]:
    from voltomo.cli.truth import angle_rms_fraction_of_step, dose_truth_Gy, truth_correlation
    from voltomo.twin.settings import TwinSettings
    from voltomo.twin.world import World

    world = World.open(job.folder.world)
    settings = TwinSettings.model_validate(settings_of(job.folder)["twin"])
    sample = next(s for s in job.file.samples if s.name == scan.record.spec.sample)
    energy_keV = job.file.energy_keV
    correlation = None
    if "slice" in live:
        correlation = truth_correlation(live["slice"], live["row"], settings, energy_keV)
    return {
        "angle_rms_fraction_of_step": angle_rms_fraction_of_step(scan, world),
        "dose_truth_Gy": dose_truth_Gy(
            scan, world, known_materials(job.file).find(sample.material), energy_keV
        ),
        "truth_correlation": correlation,
    }


def _offline_correlation(job: Job, exported: Path, live: dict[str, Any]) -> float | None:
    from voltomo.analysis.correlation import disc_correlation
    from voltomo.cli.offline import reconstruct_offline

    if "slice" not in live:
        return None
    spec = job.scan.spec(job.file)
    offline = reconstruct_offline(exported, live["row"], spec.geometry.axis)
    return disc_correlation(live["slice"], offline)


def write_results(results: Sequence[Result], output: Path) -> None:
    """Write report and summary, and say where they lie."""
    report = write_report(
        [result.scan for result in results],
        output / "report.html",
        {
            result.summary.uid: enclosure(
                result.scan, result.nxtomo, result.live, result.received, result.facts
            )
            for result in results
        },
    )
    summary = Summary(scans=tuple(result.summary for result in results))
    summary.write(output / "summary.json")
    for result in results:
        typer.echo(_line(result.summary))
        typer.echo(f"  file    {result.nxtomo.resolve()}")
    typer.echo(f"report    {report.resolve()}")
    typer.echo(f"summary   {(output / 'summary.json').resolve()}")


def _line(summary: ScanSummary) -> str:
    """One scan in one line."""
    dose = f"{summary.dose_Gy:.0f} Gy" if summary.dose_Gy else "no dose"
    wasted = "" if summary.wasted_fraction is None else f", {summary.wasted_fraction:.1%} wasted"
    return (
        f"{summary.source} {run_name(summary.uid)}: {summary.frames} of {summary.triggers} frames, "
        f"{summary.missing} missing and listed, {dose}{wasted}"
    )
