"""Settings of the catalogue, and the key that opens a server."""

from __future__ import annotations

import importlib.util
import os
import secrets
import stat
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.sentence import SentenceError

EXTRA = "voltomo[catalogue]"
"""What brings in the libraries of the catalogue."""

_LIBRARIES = ("tiled", "bluesky_tiled_plugins", "adbc_driver_sqlite")


class KeyRefused(SentenceError):
    """The file of an API key is missing, empty, or open to others."""


class CatalogueSettings(BaseModel):
    """Whether and where runs are catalogued.

    Parameters
    ----------
    enabled : bool
        Whether ``voltomo up`` keeps a catalogue of its runs, where its libraries are installed.
    server : str or None
        Address of a tiled server, with the path of the catalogue in it, if there is one; a
        catalogue of the run folder's own if not given. The server must see the files of frames
        under the paths that they have here.
    api_key_file : Path or None
        File with the server's API key, readable by its owner alone.
    poll_s : float
        How often the filler looks for runs that have ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    server: str | None = Field(default=None, pattern=r"^https?://")
    api_key_file: Path | None = None
    poll_s: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _server_needs_key(self) -> CatalogueSettings:
        if (self.server is None) != (self.api_key_file is None):
            raise ValueError(
                "server and api_key_file go together: give both for a server, none for a "
                "catalogue of the run folder's own"
            )
        return self


def installed() -> bool:
    """Whether the catalogue's libraries are there; none of them is imported."""
    return all(importlib.util.find_spec(name) is not None for name in _LIBRARIES)


def read_key(path: Path) -> str:
    """The API key in a file.

    Raises
    ------
    KeyRefused
        There is none, or others may read it.
    """
    path = path.expanduser()
    try:
        mode = path.stat().st_mode
        key = path.read_text().strip()
    except OSError as error:
        raise KeyRefused(
            f"{path}: expected a file with an API key, saw none that can be read ({error.strerror})"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyRefused(
            f"{path}: expected a file that its owner alone can read, saw mode "
            f"{stat.S_IMODE(mode):03o}; nothing was opened with the key; have a new one made, and "
            f"say chmod 600"
        )
    if not key.isalnum():
        raise KeyRefused(f"{path}: expected an API key of letters and digits alone, saw none")
    return key


def own_key(path: Path) -> str:
    """The API key in a file that is made if there is none."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    return read_key(path)
