"""``voltomo recon``: a recorded scan becomes a volume."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from voltomo.cli.errors import Refused
from voltomo.cli.say import say

_BETWEEN_S = 2.0


def run_recon(
    file: Path, rows: str | None, corrections: Path | None, asked: dict[str, Any]
) -> None:
    """Reconstruct, and say how far it is; exit code 1 where it was stopped.

    Parameters
    ----------
    file : Path
        NXtomo or DataExchange file.
    rows : str or None
        ``FIRST:LAST``.
    corrections : Path or None
        A file of corrections.
    asked : dict
        Further wishes by their names in `voltomo.recon.wish.Wish`; None is as good as absent.
    """
    from voltomo.recon.job import Stopped, reconstruct
    from voltomo.records.figures import png_bytes

    wish = wish_of(file, rows, corrections, asked)
    try:
        made = reconstruct(wish, say, _Meter())
    except Stopped as error:
        say(str(error), err=True)
        raise typer.Exit(1) from error
    for view, why in sorted(made.left_out.items()):
        say(f"left out: projection {view}: {why}")
    for line in made.quality:
        say(line)
    if made.axis_picture is not None:
        picture = wish.output.with_name(wish.output.name + ".axis.png")
        picture.write_bytes(png_bytes(made.axis_picture))
        say(f"written: {picture}")
    say(f"written: {made.volume}")


def wish_of(file: Path, rows: str | None, corrections: Path | None, asked: dict[str, Any]) -> Any:
    """The wish, checked.

    Raises
    ------
    Refused
        An option cannot be what it was given as.
    """
    from voltomo.analysis.correction_settings import CorrectionSettings
    from voltomo.recon.wish import Wish
    from voltomo.runtime.yaml_file import load_yaml

    given = {name: value for name, value in asked.items() if value is not None}
    given.setdefault("output", Path(f"{file.stem}.ome.zarr"))
    given.setdefault("threads", len(os.sched_getaffinity(0)))
    if rows is not None:
        if not re.fullmatch(r"\d+:\d+", rows):
            raise Refused(f"rows are FIRST:LAST, as 100:200; got {rows!r}")
        first, last = rows.split(":")
        given["rows"] = (int(first), int(last))
    if corrections is not None:
        given["corrections"] = load_yaml(corrections, CorrectionSettings)
    try:
        return Wish(file=file, **given)
    except ValidationError as error:
        first_error = error.errors()[0]
        name = str(first_error["loc"][0])
        raise Refused(
            f"--{_OPTIONS.get(name, name)} cannot be {given.get(name)}: {first_error['msg']}"
        ) from error


_OPTIONS = {"binning": "bin", "memory_GB": "memory", "axis_column": "axis", "tilt_deg": "tilt"}


class _Meter:
    """Lines of progress, not too many."""

    def __init__(self) -> None:
        self._last_s = -_BETWEEN_S

    def __call__(self, progress: Any) -> None:
        now = time.monotonic()
        if now - self._last_s < _BETWEEN_S and progress.done < progress.total:
            return
        self._last_s = now
        part = 100 * progress.done / progress.total
        left = f", {_duration(progress.left_s)} left" if progress.done < progress.total else ""
        say(f"slice {progress.done} of {progress.total} ({part:.0f} %){left}")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
