"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from voltomo.cli.guard_commands import guard_commands
from voltomo.cli.options import Beamline, Folder

app = typer.Typer(
    name="voltomo",
    help="Operando X-ray imaging of batteries: scan, see, and know every gray.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

beam_commands = typer.Typer(help="Stop the beam.", no_args_is_help=True)
catalogue_commands = typer.Typer(help="Fill and serve the catalogue.", no_args_is_help=True)
beamline_commands = typer.Typer(help="Look at a beamline.", no_args_is_help=True)
dose_commands = typer.Typer(
    help="Plan the dose of a scan; see what a sample has received.", no_args_is_help=True
)
app.add_typer(beam_commands, name="beam")
app.add_typer(beamline_commands, name="beamline")
app.add_typer(catalogue_commands, name="catalogue")
app.add_typer(dose_commands, name="dose")
app.add_typer(guard_commands, name="guard")


@app.command()
def up(
    beamline: Beamline = "virtual",
    run_folder: Folder = None,
    first_port: Annotated[
        int | None, typer.Option(help="First of 40 ports on 127.0.0.1; else any free block.")
    ] = None,
) -> None:
    """Start the services of a beamline and keep them until Ctrl-C."""
    from voltomo.cli.up import run_up

    run_up(beamline, run_folder, first_port)


@app.command()
def down(run_folder: Folder = None) -> None:
    """Stop whatever still runs in a run folder, the beam first."""
    from voltomo.cli.down import run_down

    run_down(run_folder)


@app.command()
def status(
    run_folder: Folder = None,
    env: Annotated[
        bool, typer.Option("--env", help='For a shell: eval "$(voltomo status --env)".')
    ] = False,
) -> None:
    """Say which services run, and where; with --env, where EPICS tools find them."""
    from voltomo.cli.status import run_status, show_environment

    show_environment(run_folder) if env else run_status(run_folder)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Experiment file (YAML).", readable=False)],
    beamline: Beamline = "virtual",
) -> None:
    """Foresee an experiment: its scans, states of charge, times, dose, data, and conflicts.

    Nothing is started, and nothing needs to run. Exit code 0: it can be run so; 1: it cannot, and
    every mistake is shown with its line.
    """
    from voltomo.cli.check import run_check

    run_check(file, beamline)


@app.command()
def scan(
    file: Annotated[Path, typer.Argument(help="Scan file (YAML).", readable=False)],
    run_folder: Folder = None,
    quiet: Annotated[bool, typer.Option(help="No progress bars.")] = False,
) -> None:
    """Run one scan on the services that are up, and export it.

    Ctrl-C ends it at once, the beam first; what was recorded is exported all the same.
    Exit code 0: it succeeded; 1: it had begun and failed or was stopped; 2: it was refused
    before any beam.
    """
    from voltomo.cli.scan import run_scan

    run_scan(file, run_folder, quiet=quiet)


ScanFileOrNone = Annotated[
    Path | None,
    typer.Argument(
        help="Scan file (YAML) that shall follow; else 200 projections of the first sample.",
        readable=False,
    ),
]
Apply = Annotated[bool, typer.Option("--apply", help="Move stages; else only say what to move.")]


@app.command()
def align(file: ScanFileOrNone = None, run_folder: Folder = None, apply: Apply = False) -> None:
    """Find exposure, focus, pixel size, axis, roll, pitch and centring by few radiographs.

    Exit code 0: all that the beamline can tell was found; 1: something was not, or it was stopped;
    2: it was refused before any beam.
    """
    from voltomo.cli.align import run_align

    run_align(file, run_folder, apply=apply)


@app.command()
def recenter(
    file: ScanFileOrNone = None,
    run_folder: Folder = None,
    apply: Apply = False,
    reference: Annotated[
        str, typer.Option(help="Start of an alignment's uid, or 'last'.")
    ] = "last",
) -> None:
    """Find the sample again after a move or a drift, by four radiographs."""
    from voltomo.cli.align import run_recenter

    run_recenter(file, run_folder, reference, apply=apply)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="NXtomo or DataExchange file.", readable=False)],
    axis: Annotated[
        float | None, typer.Option(help="Column of the rotation axis; else from 0/180° pairs.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where file and report go.")] = Path("replay-output"),
    rate: Annotated[float, typer.Option(help="Frames a second.")] = 25.0,
) -> None:
    """Play recorded projections through devices, plan, live slice and export. No dose."""
    from voltomo.cli.replay import run_replay

    run_replay(file, axis, output, rate)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Where files and reports go.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(help="Seed of the virtual sample and beamline.")] = 1,
) -> None:
    """Scan a virtual cell, watch it live, replay what was recorded, and sum up."""
    from voltomo.cli.demo import run_demo

    run_demo(output, seed)


@app.command()
def recon(
    file: Annotated[Path, typer.Argument(help="NXtomo or DataExchange file.", readable=False)],
    output: Annotated[
        Path | None, typer.Option(help="The volume; else FILE's name with .ome.zarr, here.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="What reconstructs: own, algotom or tomopy.")
    ] = "own",
    backend_python: Annotated[
        Path | None, typer.Option(help="A Python that has algotom or tomopy; else this one.")
    ] = None,
    axis: Annotated[
        float | None, typer.Option(help="Column of the rotation axis; else it is found.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Detector rows FIRST:LAST, the last excluded; else all.")
    ] = None,
    tilt: Annotated[
        float | None, typer.Option(help="Tilt of the axis in deg; else as the file says.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(help="What is done to the frames (YAML); else the usual.")
    ] = None,
    bins: Annotated[
        int | None,
        typer.Option("--bin", help="Pixels that are averaged to one; else as the memory allows."),
    ] = None,
    memory: Annotated[
        float | None, typer.Option(help="Memory in GB, at most; else a share of what is free.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads; else as many as there are cores.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew whatever lies in the output.")
    ] = False,
) -> None:
    """Reconstruct a recorded scan into an OME-Zarr volume, or go on with one.

    What is done stays when it is interrupted; the same command goes on after it.
    Exit code 0: the volume is complete; 1: it had begun and was stopped; 2: nothing was begun.
    """
    from voltomo.cli.recon import run_recon

    asked = {
        "output": output, "backend": backend, "python": backend_python, "axis_column": axis,
        "tilt_deg": tilt, "binning": bins, "memory_GB": memory, "threads": threads, "again": again,
    }  # fmt: skip
    run_recon(file, rows, corrections, asked)


@app.command()
def export(
    uid: Annotated[str, typer.Argument(help="Start of a run's uid, or 'last'.")] = "last",
    run_folder: Folder = None,
    link: Annotated[
        bool,
        typer.Option("--link", help="Refer to the files of frames instead of copying the frames."),
    ] = False,
    layout: Annotated[
        str, typer.Option("--format", help="Layout of the file: nxtomo or dxchange.")
    ] = "nxtomo",
) -> None:
    """Make a file and the report of a run from the logs, also of an aborted one."""
    from voltomo.cli.export import run_export

    run_export(uid, run_folder, link=link, layout=layout)


@app.command()
def rebuild(run_folder: Folder = None) -> None:
    """Make all exports, reports and the catalogue of a run folder anew, from the logs."""
    from voltomo.cli.rebuild import run_rebuild

    run_rebuild(run_folder)


@app.command()
def shell(
    beamline: Annotated[
        str | None,
        typer.Option(
            "--beamline",
            "-b",
            help="Name of a shipped beamline, or its file; else what is up, else the virtual one.",
        ),
    ] = None,
    run_folder: Folder = None,
) -> None:
    """IPython with RE, devices and plans; starts a virtual beamline if none is up."""
    from voltomo.cli.shell import run_shell

    run_shell(beamline, run_folder)


@beam_commands.command("off")
def beam_off(run_folder: Folder = None) -> None:
    """Take the beam from whoever has it, at once."""
    from voltomo.cli.guard import run_beam_off

    run_beam_off(run_folder)


@catalogue_commands.command("fill")
def catalogue_fill(run_folder: Folder = None) -> None:
    """Catalogue every run that has ended, once; what was set aside is tried again.

    Exit code 1: a run was set aside, or the catalogue could not be written.
    """
    from voltomo.cli.catalogue import run_fill

    run_fill(run_folder)


@catalogue_commands.command("serve")
def catalogue_serve(
    run_folder: Folder = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 8000,
) -> None:
    """Serve the catalogue over HTTP on this machine alone, for reading, until Ctrl-C."""
    from voltomo.cli.catalogue import run_serve

    run_serve(run_folder, port)


@dose_commands.command("plan")
def dose_plan(
    file: Annotated[Path, typer.Argument(help="Plan file (YAML).", readable=False)],
    output: Annotated[
        Path | None, typer.Option(help="Page with pictures; else beside the plan file.")
    ] = None,
) -> None:
    """Say what a scan costs each layer, how warm it gets, what it shows, and what fits a budget.

    Exit code 2: the series does not fit; what would fit is said.
    """
    from voltomo.cli.dose_plan import run_dose_plan

    run_dose_plan(file, output)


@dose_commands.command("show")
def dose_show(
    sample: Annotated[str, typer.Argument(help="Whose dose.")],
    run_folder: Folder = None,
    beamline: Annotated[
        str | None,
        typer.Option(
            "--beamline", "-b", help="File with samples and limits; else that of the run folder."
        ),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Folder of the exposure log; else the run folder's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Page with curve and map; else SAMPLE-dose.html here.")
    ] = None,
) -> None:
    """Say what a sample has received: by class, over time, where, and who opened the beam.

    Reads the exposure log; no service need be up.
    """
    from voltomo.cli.dose_show import run_dose_show

    run_dose_show(sample, run_folder, beamline, ledger, output)


@beamline_commands.command("check")
def beamline_check(
    file: Annotated[
        Path | None, typer.Argument(help="Beamline file; else that of the services that are up.")
    ] = None,
    run_folder: Folder = None,
    timeout: Annotated[float, typer.Option(help="Seconds for all devices together.")] = 10.0,
) -> None:
    """Say of every device whether it answers; exit code 1 if one that must does not."""
    from voltomo.cli.beamline import run_check

    run_check(file, run_folder, timeout)


@app.command()
def warmup() -> None:
    """Compile the numerical kernels, so that the first scan does not wait for them."""
    from voltomo.cli.warmup import run_warmup

    run_warmup()


def main() -> None:
    """Entry point: errors that a person can act on are shown as sentences, not as tracebacks."""
    from voltomo.cli.errors import sentences
    from voltomo.cli.leaving import leaving
    from voltomo.cli.logs import log_to_terminal

    log_to_terminal()
    with leaving(), sentences():
        app()


if __name__ == "__main__":
    sys.exit(main())
