"""``voltomo align`` and ``voltomo recenter``: a session of its own, sentences, and a page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.logs import ToLog, session_log
from voltomo.cli.say import say
from voltomo.cli.scan import ended_by, sentence_of, with_this_lens
from voltomo.model.alignment import Alignment
from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.profiles.beamline_file import BeamlineFile, running_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.yaml_file import load_yaml

if TYPE_CHECKING:
    from voltomo.profiles.aligning import Aligning
    from voltomo.profiles.session import Session

MakePlan = Callable[["Aligning", ScanSpec], Generator[Any, Any, Alignment]]

_OPTIONAL = ("height", "sample off axis", "up")
"""What a sample that reaches beyond the field, or looks the same everywhere, cannot tell."""


def run_align(file: Path | None, run_folder: Path | None, *, apply: bool) -> None:
    """Align for a scan; see the command's help."""
    folder, beamline, spec = _asked(file, run_folder)
    mode = "apply" if apply else "show"
    _run(folder, beamline, spec, lambda aligning, now: aligning.align(now, mode))


def run_recenter(
    file: Path | None, run_folder: Path | None, reference: str, *, apply: bool
) -> None:
    """Find the sample again; see the command's help."""
    from voltomo.profiles.aligning import find_alignment

    folder, beamline, spec = _asked(file, run_folder)
    find_alignment(folder, reference)
    mode = "apply" if apply else "show"
    _run(folder, beamline, spec, lambda aligning, now: aligning.recenter(now, mode, reference))


def _asked(file: Path | None, run_folder: Path | None) -> tuple[RunFolder, BeamlineFile, ScanSpec]:
    folder = RunFolder.locate(run_folder)
    beamline = running_beamline(folder)
    if file is not None:
        return folder, beamline, load_yaml(file, ScanFile).spec(beamline)
    usual = {"sample": beamline.samples[0].name, "projections": 200, "exposure_s": 0.02,
             "period_s": 0.04}  # fmt: skip
    return folder, beamline, ScanFile.model_validate(usual).spec(beamline)


def _run(folder: RunFolder, beamline: BeamlineFile, spec: ScanSpec, make: MakePlan) -> None:
    from voltomo.profiles.aligning import Aligning
    from voltomo.profiles.interrupts import ALL, Interrupts
    from voltomo.profiles.session import open_session

    interrupts = Interrupts(*ALL)
    with interrupts.watching(), session_log(folder):
        try:
            with open_session(folder, beamline, interrupts=interrupts) as session:
                aligning = Aligning(session)
                found = perform_plan(session, make(aligning, with_this_lens(session, spec)))
        except KeyboardInterrupt:
            raise Refused(f"stopped by {interrupts.by} before it began; no beam was used") from None
    for line in lines_of(found):
        say(line)
    say(f"written: {aligning.page}")
    unknown = [q.name for q in found.quantities if q.value is None and q.name not in _OPTIONAL]
    if unknown:
        raise typer.Exit(1)


def perform_plan(session: Session, plan: Generator[Any, Any, Alignment]) -> Alignment:
    """Run a plan that returns an alignment.

    Raises
    ------
    Refused
        It was refused before any beam.
    typer.Exit
        With code 1, behind the sentence: it had begun, and failed or was stopped.
    """
    from bluesky.utils import RunEngineInterrupted

    found: list[Alignment] = []
    begun: list[str] = []

    def keep() -> Generator[Any, Any, None]:
        found.append((yield from plan))

    def note(name: str, doc: dict[str, Any]) -> None:
        if name == "start":
            begun.append(doc["uid"])

    token = session.RE.subscribe(note)
    error = ""
    try:
        with contextlib.redirect_stdout(ToLog("bluesky")):
            session.RE(keep())
    except RunEngineInterrupted:
        error = ended_by(session)
    except Exception as failed:  # noqa: BLE001
        # Whatever ended it is shown to the person; the session's log has the rest.
        error = sentence_of(failed)
    finally:
        session.RE.unsubscribe(token)
    if found:
        return found[0]
    if not begun:
        raise Refused(error or "it did not begin")
    say(error, err=True)
    raise typer.Exit(1)


def lines_of(found: Alignment) -> list[str]:
    """A line for each quantity, then what it cost."""
    lines = [f"  {quantity.sentence}" for quantity in found.quantities]
    cost = f"{found.radiographs} radiographs, {found.dose_Gy:.3g} Gy at most"
    if found.scan_dose_Gy:
        cost += f", {found.dose_Gy / found.scan_dose_Gy:.0%} of the sweeps of the scan"
    head = f"{found.kind} {run_name(found.uid)} of {found.sample!r} ({found.mode}): {cost}"
    return [head, *lines]
