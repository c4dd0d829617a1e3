"""``voltomo demo``: scan a virtual cell with three frames lost on purpose, replay, sum up."""

from __future__ import annotations

from pathlib import Path

import typer

from voltomo.cli.job import Job, output_folder, run_job
from voltomo.cli.replay import replay_job
from voltomo.cli.results import result_of, write_results
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.run_folder import RunFolder

_SCAN = ScanFile(
    sample="demo cell",
    projections=450,
    exposure_s=0.038,
    period_s=0.04,
    darks=20,
    flats_before=24,
    flats_after=12,
)
_LIMIT_GY = 400.0
_ANSWER = {"gas_gain": 2200.0, "kinetics_gain": 2200.0, "heat_gain": 1.0}
"""So large that one scan can be seen to matter; this one stays below free gas."""
_LOST_IN_SWEEP = (0, 171, 449)
"""The first, one in the middle, the last: the ones that shift angles where order is trusted."""


def demo_beamline(seed: int) -> BeamlineFile:
    """The shipped virtual beamline with another seed, and a limit that one scan can be seen in."""
    file = load_beamline("virtual")
    samples = [
        sample.model_copy(update={"dose_limit_Gy": _LIMIT_GY}) if sample.name == _SCAN.sample
        else sample
        for sample in file.samples
    ]  # fmt: skip
    return file.model_copy(
        update={"samples": samples, "twin": {**file.twin, "seed": seed, "answer": _ANSWER}}
    )


def lose_frames(folder: RunFolder, scan: ScanFile, file: BeamlineFile) -> int:
    """Tell the twin to lose three numbered frames of the sweep.

    Returns
    -------
    int
        How many.
    """
    from voltomo.twin.world import Fault, World

    world = World.open(folder.world)
    sweep = next(block for block in scan.spec(file).blocks() if block.kind == "sweep")
    for place in _LOST_IN_SWEEP:
        index = sweep.first + place
        world.inject(Fault("lose_after_numbering", first=index, last=index + 1))
    return len(_LOST_IN_SWEEP)


def run_demo(output: Path, seed: int) -> None:
    """Do it all, and say where everything lies."""
    file = demo_beamline(seed)
    with output_folder(output, "voltomo demo"):
        job = Job("twin", file, _SCAN, output)
        uid = run_job(job, lambda folder: lose_frames(folder, _SCAN, file))
        first = result_of(job, uid, output, dropped_on_purpose=len(_LOST_IN_SWEEP))
        typer.echo("[replay] playing the recorded projections through the same devices")
        again = replay_job(first.nxtomo, file.axis_column, output, 1.0 / _SCAN.period_s)
        second = result_of(again, run_job(again), output)
        write_results([first, second], output)
