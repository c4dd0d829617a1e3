"""An experiment on a beamline: the files that it names, and what the sample may receive there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from voltomo.dose.plan_file import PlanFile, load_plan
from voltomo.experiment.check import Checked
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


def beyond_the_sample(
    experiment: ExperimentFile, beamline: BeamlineFile, plan: PlanFile | None, found: Checked
) -> Iterator[Finding]:
    """What the guard would refuse by the sample's entry in the beamline file."""
    sample = next((each for each in beamline.samples if each.name == experiment.sample), None)
    if sample is None or plan is None:
        return
    lit_s = sum(
        found.plans[one.due.scan].open.total_s * experiment.scans[one.due.scan].places
        for one in found.planned
    )
    if lit_s > sample.beam_limit_s:
        yield Finding(
            ("sample",),
            f"all scans light it for {lit_s:.4g} s, and the beamline allows '{sample.name}' "
            f"{sample.beam_limit_s:g} s of beam in all",
        )
    if sample.policy is not None and sample.policy != plan.budget.policy:
        yield Finding(
            ("plan_file",),
            f"reckons with policy '{plan.budget.policy}', and the guard holds '{sample.name}' to "
            f"'{sample.policy}'",
        )


def _brief(error: FileRefused) -> str:
    """A mistake in another file, whose own lines stand indented below."""
    lines = str(error).splitlines()
    # How many there are is counted for the experiment file as a whole.
    kept = lines[:-1] if lines[-1].endswith("mistake(s); nothing was started") else lines
    return "\n    ".join(["this file cannot be used:", *kept])
