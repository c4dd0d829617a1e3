"""The files that an experiment names: its plan, and its scans on a beamline."""

from __future__ import annotations

from pathlib import Path

from voltomo.dose.plan_file import PlanFile, load_plan
from voltomo.experiment.experiment_file import ExperimentFile
from voltomo.experiment.finding import Finding
from voltomo.model.scan_spec import ScanSpec
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.yaml_file import FileRefused, load_yaml


def plan_of(experiment: ExperimentFile, folder: Path) -> tuple[PlanFile | None, list[Finding]]:
    """The plan file, or why it cannot be used."""
    try:
        return load_plan(folder / experiment.plan_file), []
    except FileRefused as error:
        return None, [Finding(("plan_file",), _brief(error))]


def specs_of(
    experiment: ExperimentFile, folder: Path, beamline: BeamlineFile
) -> tuple[dict[int, ScanSpec], list[Finding]]:
    """What each scan is on a beamline, by its number; and why some cannot be.

    Parameters
    ----------
    experiment : ExperimentFile
        Names the scan files.
    folder : Path
        Where the experiment file lies.
    beamline : BeamlineFile
        Pixels, axis, and the samples that are known.
    """
    specs: dict[int, ScanSpec] = {}
    found: list[Finding] = []
    for number, scan in enumerate(experiment.scans):
        place = ("scans", number, "scan_file")
        try:
            file = load_yaml(folder / scan.scan_file, ScanFile)
            spec = file.spec(beamline)
        except FileRefused as error:
            found.append(Finding(place, _brief(error)))
            continue
        if spec.sample != experiment.sample:
            found.append(
                Finding(
                    place,
                    f"{scan.scan_file} scans the sample '{spec.sample}', and the experiment is of "
                    f"'{experiment.sample}'",
                )
            )
        specs[number] = spec
    return specs, found


def _brief(error: FileRefused) -> str:
    """A mistake in another file, whose own lines stand indented below."""
    return "\n    ".join(str(error).splitlines())
