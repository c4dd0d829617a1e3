"""``voltomo guard watch``: the guard alone, around a scan that voltomo does not run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.say import say
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline, running_beamline
from voltomo.runtime.run_folder import RunFolder

_ALARMS = ("", "WARNING ", "ALARM ")


def run_guard_watch(
    shutter: str,
    sample: str,
    *,
    readings: dict[str, str | None],
    closed: float,
    stop: list[str],
    file: BeamlineFile,
    ledger: Path | None,
    reset: str,
    serve: bool,
) -> None:
    """Watch until Ctrl-C; exit code 1 where the guard ends latched.

    Parameters
    ----------
    shutter, sample : str
        PV of the shutter; whose account pays.
    readings : dict
        PVs of ``flux`` and ``energy``, None where there are none.
    closed : float
        What the shutter reads while closed.
    stop : list of str
        ``PV=VALUE``, put when a limit is reached.
    file : BeamlineFile
        Samples, their limits, and the calibration.
    ledger : Path or None
        Folder of the exposure log; the beamline file's own if not given.
    reset : str
        Reason for which an earlier latch is taken away.
    serve : bool
        Whether the guard's PVs are served.

    Raises
    ------
    Refused
        The sample or the ledger is not known, or an order to stop is not understood.
    """
    from voltomo.cli.settings import check_settings
    from voltomo.dose.guard_settings import GuardSettings
    from voltomo.dose.guard_watch import Watched, watch

    settings = GuardSettings.model_validate(
        check_settings(file)["guard"] | {"watching": True, "current_sample": sample}
    )
    if settings.sample(sample) is None:
        known = ", ".join(f"'{known.name}'" for known in settings.samples)
        raise Refused(
            f"the beamline file {file.name!r} has no sample {sample!r} (it has: {known}); add it "
            "under 'samples' with its limits, and name the file with --beamline"
        )
    folder = _ledger(file, ledger)
    watched = Watched(
        shutter, closed, readings["flux"], readings["energy"], dict(_order(text) for text in stop)
    )
    say(f"watching {shutter}; doses of '{sample}' are kept in {folder / 'exposure.log'}")
    unlatched = watch(watched, settings, folder / "exposure.log", _tell, reset=reset, serve=serve)
    if not unlatched:
        raise typer.Exit(1)


def watched_beamline(given: str | None, run_folder: Path | None) -> BeamlineFile:
    """The beamline file that was named, else that of what is up in the run folder.

    Raises
    ------
    Refused
        There is neither.
    """
    if given is not None:
        return load_beamline(given)
    folder = RunFolder.locate(run_folder)
    try:
        return running_beamline(folder)
    except FileNotFoundError as error:
        raise Refused(
            "nobody says what the sample may receive and how much flux there can be: name a "
            "beamline file with --beamline"
        ) from error


def _ledger(file: BeamlineFile, given: Path | None) -> Path:
    folder = given or file.ledger
    if folder is None:
        raise Refused(
            "nobody says where the doses are kept: name a folder with --ledger, the same every "
            "time, or they are forgotten"
        )
    return folder.expanduser().resolve()


def _order(text: str) -> tuple[str, float]:
    name, found, value = text.rpartition("=")
    try:
        if found and name:
            return name, float(value)
    except ValueError:
        pass
    raise Refused(f"--stop {text!r}: expected PV=VALUE with a number, as in 'FE:Shutter=0'")


def _tell(text: str, alarm: int) -> None:
    when = datetime.now().astimezone().strftime("%H:%M:%S")
    say(f"{when} {_ALARMS[alarm]}{text}")
