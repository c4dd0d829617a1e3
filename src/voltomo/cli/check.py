"""``voltomo check``: an experiment file is read, foreseen and judged; nothing is started."""

from __future__ import annotations

from pathlib import Path

from voltomo.cli.say import say
from voltomo.dose.plan_words import aligned
from voltomo.experiment.check import check
from voltomo.experiment.check_words import heads, rows, summary
from voltomo.experiment.experiment_file import load_experiment
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.experiment_scans import beyond_the_sample, plan_of, specs_of
from voltomo.runtime.yaml_file import FileRefused, pointed_at


def run_check(file: Path, beamline: str) -> None:
    """Print the table and what is to be said; exit code 1 where the experiment cannot be run so."""
    try:
        experiment = load_experiment(file)
    except FileRefused as error:
        say(str(error), err=True)
        raise SystemExit(1) from error
    place = load_beamline(beamline)
    specs, findings = specs_of(experiment, file.parent, place)
    plan, no_plan = plan_of(experiment, file.parent)
    found = check(experiment, plan, specs)
    if found.planned:
        say(aligned(heads, list(rows(experiment, found))) + "\n")
    for text in summary(experiment, found):
        say(text)
    said = [*findings, *no_plan, *found.findings]
    said += beyond_the_sample(experiment, place, plan, found)
    for each in said:
        say(pointed_at(file, each.place, each.what), err=each.refuses)
    mistakes = sum(each.refuses for each in said)
    if mistakes:
        say(f"{mistakes} mistake(s); nothing was started", err=True)
        raise SystemExit(1)
