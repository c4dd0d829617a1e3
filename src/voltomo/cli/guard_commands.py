"""``voltomo guard …``: how the guard is, and what is asked of it by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voltomo.cli.options import Folder

guard_commands = typer.Typer(
    help="See how the guard is; reset it; watch any shutter.", no_args_is_help=True
)


@guard_commands.command("status")
def guard_status(run_folder: Folder = None) -> None:
    """Say how the guard is, and what each sample has received."""
    from voltomo.cli.guard import run_guard_status

    run_guard_status(run_folder)


@guard_commands.command("reset")
def guard_reset(
    reason: Annotated[str, typer.Option(help="The cause, and what was done about it.")],
    run_folder: Folder = None,
) -> None:
    """Let a guard that latched shut give leases again, once the shutter is closed."""
    from voltomo.cli.guard import run_guard_reset

    run_guard_reset(reason, run_folder)


@guard_commands.command("override")
def guard_override(
    sample: Annotated[str, typer.Argument(help="Whose limit is set aside.")],
    material_class: Annotated[
        str, typer.Option("--class", help="Class of material, as its policy names it.")
    ],
    extra_Gy: Annotated[
        float, typer.Option("--extra-gy", help="More dose in Gy; the limit at most doubles.")
    ],
    hours: Annotated[float, typer.Option(help="When it ends by itself, 72 h from now at most.")],
    by: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why, in ten characters or more.")],
    run_folder: Folder = None,
) -> None:
    """Set a limit of dose aside: recorded, with a reason, for a bounded dose and time."""
    from voltomo.cli.guard import run_guard_override

    run_guard_override(sample, {material_class: extra_Gy}, hours, by, reason, run_folder)


@guard_commands.command("watch")
def guard_watch(
    shutter: Annotated[str, typer.Argument(metavar="SHUTTER_PV", help="PV of the shutter.")],
    sample: Annotated[str, typer.Option(help="Who is in the beam.")],
    flux: Annotated[str | None, typer.Option(help="PV of a flux monitor, counts/s.")] = None,
    energy: Annotated[str | None, typer.Option(help="PV of the photon energy, keV.")] = None,
    closed: Annotated[float, typer.Option(help="What the shutter reads while closed.")] = 0.0,
    stop: Annotated[
        list[str] | None,
        typer.Option(help="PV=VALUE, put when a limit is reached; may be given several times."),
    ] = None,
    beamline: Annotated[
        str | None,
        typer.Option(
            "--beamline",
            "-b",
            help="File with samples, limits and calibration; else what is up in the run folder.",
        ),
    ] = None,
    run_folder: Folder = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Folder of the exposure log; else the beamline file's.")
    ] = None,
    reset: Annotated[str, typer.Option(help="Why an earlier latch is taken away.")] = "",
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the guard's PVs under the file's prefix.")
    ] = False,
) -> None:
    """Watch any shutter around somebody else's scan: count, keep the ledger, raise alarms.

    EPICS finds the PVs by this terminal's own EPICS_CA_... settings. Exit code 1: it ended latched,
    a limit was reached say.
    """
    from voltomo.cli.watch import run_guard_watch, watched_beamline

    run_guard_watch(
        shutter,
        sample,
        readings={"flux": flux, "energy": energy},
        closed=closed,
        stop=stop or [],
        file=watched_beamline(beamline, run_folder),
        ledger=ledger,
        reset=reset,
        serve=serve,
    )
