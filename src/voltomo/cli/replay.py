"""``voltomo replay``: recorded projections through the same devices, plan, worker and export."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.job import Job, output_folder, run_job
from voltomo.model.names import safe_name
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.recorded_scan import Grid, RecordedHead

_PIXEL_UM = 1.0
_ENERGY_KEV = 20.0
_EXPOSURE_OF_PERIOD = 0.9
_LARGEST_RATE = 200.0


def replay_job(path: Path, axis_column: float | None, output: Path, rate: float) -> Job:
    """The scan that plays a recorded file.

    Parameters
    ----------
    path : Path
        NXtomo or DataExchange file.
    axis_column : float or None
        Column of the rotation axis; None finds it from opposite projections.
    output : Path
        Folder of the results.
    rate : float
        Frames a second.

    Raises
    ------
    Refused
        The rate or the axis is impossible, or the axis cannot be found.
    """
    if not 0 < rate <= _LARGEST_RATE:
        raise Refused(f"the rate must lie between 0 and {_LARGEST_RATE:g} frames/s; got {rate:g}")
    recorded = RecordedHead.read(path)
    grid = recorded.grid()
    rows, columns = recorded.rows, recorded.columns
    axis = axis_column if axis_column is not None else _find_axis(recorded)
    if not 0 <= axis <= columns - 1:
        raise Refused(f"the axis must lie on the detector, columns 0 to {columns - 1}; got {axis}")
    virtual = load_beamline("virtual")
    camera = {
        "source": "replay",
        "replay_file": str(path.resolve()),
        "replay_scale": recorded.scale,
    }
    sample = virtual.samples[0].model_copy(update={"name": recorded_name(recorded)})
    file = BeamlineFile.model_validate(
        {
            **virtual.model_dump(),
            "name": "replay",
            "source_name": f"replay of {path.name}",
            "rows": rows,
            "columns": columns,
            "pixel_um": recorded.pixel_um or _PIXEL_UM,
            "axis_column": axis,
            "energy_keV": recorded.energy_keV or _ENERGY_KEV,
            "samples": [sample.model_dump()],
            "twin": {**virtual.twin, "camera": camera},
        }
    )
    period_s = 1.0 / rate
    scan = ScanFile(
        sample=sample.name,
        projections=grid.count,
        range_deg=grid.step_deg * grid.count,
        start_deg=_first_edge_deg(grid),
        exposure_s=_EXPOSURE_OF_PERIOD * period_s,
        period_s=period_s,
        darks=recorded.darks,
        flats_before=recorded.flats,
        flats_after=0,
    )
    return Job("replay", file, scan, output)


def _first_edge_deg(grid: Grid) -> float:
    """Angle of the first trigger: half an exposure before the recorded one, of mid-exposure."""
    return grid.start_deg - grid.step_deg * _EXPOSURE_OF_PERIOD / 2


def recorded_name(recorded: RecordedHead) -> str:
    """What the recording calls its sample, else the file's own name, as a name may be written."""
    for text in (recorded.sample, recorded.path.stem):
        allowed = re.sub(r"[^\w. -]+|\.{2,}", "-", text).strip(" ._-")[:64]
        try:
            return safe_name(allowed)
        except ValueError:
            continue
    return "recording"


def _find_axis(recorded: RecordedHead) -> float:
    """Axis from opposite projections of the recording."""
    import numpy as np

    from voltomo.analysis.axis import axis_from_views, opposite_views
    from voltomo.analysis.normalise import line_integrals, mean_field

    try:
        needed = opposite_views(recorded.angles_deg)
        projections, flats, darks = recorded.views(needed)
        flat, dark = mean_field(flats), mean_field(darks)
        views = np.stack([line_integrals(frame, flat, dark) for frame in projections])
        axis, sigma = axis_from_views(views, recorded.angles_deg[needed])
    except ValueError as error:
        raise Refused(f"{error} Give it with --axis COLUMN.") from error
    typer.echo(f"axis found at column {axis:.2f} ± {sigma:.2f}")
    return axis


def run_replay(path: Path, axis_column: float | None, output: Path, rate: float) -> None:
    """Replay a file and say where everything lies."""
    from voltomo.cli.results import result_of, write_results

    job = replay_job(path, axis_column, output, rate)
    if path.resolve().is_relative_to(job.folder.root):
        raise Refused(
            f"{path} lies in {job.folder.root}, which a replay clears before it begins; nothing "
            "was touched; copy the file elsewhere, or name another folder with --output"
        )
    with output_folder(output, "voltomo replay"):
        write_results([result_of(job, run_job(job), output)], output)
