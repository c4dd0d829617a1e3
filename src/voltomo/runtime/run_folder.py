"""The run folder: where processes meet, and where everything that was recorded lies."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltomo.runtime.addresses import Addresses

__all__ = ["RUN_FOLDER_VARIABLE", "Addresses", "RunFolder", "write_json"]

RUN_FOLDER_VARIABLE = "VOLTOMO_RUN_FOLDER"
_ADDRESSES = "addresses.json"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run folder; `create` makes it."""

    root: Path

    @classmethod
    def locate(cls, given: Path | None = None) -> RunFolder:
        """The folder given, else $VOLTOMO_RUN_FOLDER, else ``.voltomo`` in the current folder."""
        return cls((given or Path(os.environ.get(RUN_FOLDER_VARIABLE, ".voltomo"))).resolve())

    def create(self) -> RunFolder:
        """Make the folder and its parts, readable by this user alone."""
        for folder in (self.root, self.frames, self.services, self.exports):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def clear(self) -> None:
        """Remove all that earlier runs left, but for locks; whoever calls must hold them."""
        for path in self.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.suffix != ".lock":
                path.unlink()

    @property
    def frames(self) -> Path:
        """Files of frames: the truth."""
        return self.root / "frames"

    @property
    def services(self) -> Path:
        """One JSON state and one text log for each service."""
        return self.root / "services"

    @property
    def exports(self) -> Path:
        """Projections: NeXus files, reports."""
        return self.root / "exports"

    @property
    def catalogue(self) -> Path:
        """The catalogue of runs, a projection: database, tables, how far it is."""
        return self.root / "catalogue"

    @property
    def catalogue_lock(self) -> Path:
        """Held by the one process that fills the catalogue."""
        return self.root / "catalogue.lock"

    @property
    def world(self) -> Path:
        """The twin's shared world."""
        return self.root / "world.bin"

    @property
    def frame_ring(self) -> Path:
        """Ring of frames between camera and writer."""
        return self.root / "frames.ring"

    @property
    def run_log(self) -> Path:
        """Documents, decisions, notes: written by the RunEngine's process."""
        return self.root / "run.log"

    @property
    def exposure_log(self) -> Path:
        """Every lease and every opening of the beam: written by the guard alone.

        It may lie with the beamline; the run folder then has a link to it.
        """
        path = self.root / "exposure.log"
        return path.readlink() if path.is_symlink() else path

    @property
    def beamline_lock(self) -> Path:
        """Held by the one process that runs a RunEngine."""
        return self.root / "beamline.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor."""
        return self.root / "supervisor.lock"

    @property
    def settings(self) -> Path:
        """What the services were started with (twin, guard, samples)."""
        return self.root / "settings.json"

    @property
    def beamline_file(self) -> Path:
        """The beamline file that the services were started from, as JSON."""
        return self.root / "beamline.json"

    def write_addresses(self, addresses: Addresses) -> None:
        """Publish where the services listen."""
        write_json(self.root / _ADDRESSES, addresses.model_dump(mode="json"))

    def forget_services(self) -> None:
        """Nothing runs there any more: forget addresses, and the link into the camera's memory.

        Somebody else may listen there before long, or be the process that the link names.
        """
        (self.root / _ADDRESSES).unlink(missing_ok=True)
        self.frame_ring.unlink(missing_ok=True)

    def addresses(self) -> Addresses:
        """Where the services listen.

        Raises
        ------
        FileNotFoundError
            Nothing runs here.
        """
        try:
            text = (self.root / _ADDRESSES).read_text()
        except FileNotFoundError:
            raise FileNotFoundError(
                f"no services run in {self.root}; start them with 'voltomo up'"
            ) from None
        return Addresses.model_validate_json(text)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step, so that a reader never sees half of it."""
    part = path.with_suffix(path.suffix + f".{os.getpid()}.part")
    part.write_text(json.dumps(value, indent=1))
    part.replace(path)
