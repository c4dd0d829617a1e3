"""The shipped experiment in a folder of a test's own, with words changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import voltomo.profiles

SHIPPED = Path(voltomo.profiles.__file__).parent / "virtual"


def write(folder: Path, *changes: tuple[str, str], file: str = "experiment.yml") -> Path:
    """Path of the experiment file; each word must stand in the file that is changed."""
    for path in SHIPPED.glob("experiment*.yml"):
        if not (folder / path.name).exists():
            shutil.copy(path, folder)
    text = (folder / file).read_text(encoding="utf-8")
    for was, becomes in changes:
        assert was in text
        text = text.replace(was, becomes, 1)
    (folder / file).write_text(text, encoding="utf-8")
    return folder / "experiment.yml"
