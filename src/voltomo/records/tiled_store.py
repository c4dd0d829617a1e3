"""The catalogue as tiled keeps it: embedded in this process, served, or on a server elsewhere.

Importing tiled takes seconds and hundreds of megabytes: this file, and the one that writes runs,
are imported by processes of the catalogue alone.
"""

# tiled's own types are loose: what matters is checked by the tests, on real catalogues.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import contextlib
import copy
import io
import sqlite3
from collections.abc import Iterator
from typing import Any

from bluesky_tiled_plugins.exporters import json_seq_exporter
from tiled.catalog import from_uri as catalogue_from_uri
from tiled.client import Context, from_context
from tiled.client.container import Container
from tiled.commandline._catalog import init as make_database
from tiled.config import Authentication
from tiled.media_type_registration import default_serialization_registry
from tiled.queries import KeyPresent
from tiled.server.app import build_app

from voltomo.records.catalogue_settings import CatalogueSettings, read_key
from voltomo.runtime.run_folder import RunFolder

_SPECS = [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]


def embedded_app(folder: RunFolder, api_key: str | None = None) -> Any:
    """The ASGI application of a run folder's own catalogue; its database is made if need be.

    Parameters
    ----------
    folder : RunFolder
        Whose runs; frames are read where they lie, and from nowhere else.
    api_key : str, optional
        Without it nobody is let in; one of this process's own if not given.
    """
    folder.catalogue.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = f"sqlite:///{folder.catalogue / 'catalogue.db'}"
    if not (folder.catalogue / "catalogue.db").exists():
        with contextlib.redirect_stderr(io.StringIO()):
            make_database(database, if_not_exists=True)
    for name in ("catalogue.db", "tables.db"):
        # Readers never wait for the filler, nor the filler for them.
        with contextlib.closing(sqlite3.connect(folder.catalogue / name)) as opened:
            opened.execute("PRAGMA journal_mode=WAL")
    tree = catalogue_from_uri(
        database,
        specs=_SPECS,
        writable_storage=[
            str(folder.catalogue / "arrays"),
            f"sqlite:///{folder.catalogue / 'tables.db'}",
        ],
        readable_storage=[str(folder.frames)],
    )
    registry = copy.copy(default_serialization_registry)
    registry.register("BlueskyRun", "application/json-seq", json_seq_exporter)
    authentication = None if api_key is None else Authentication(single_user_api_key=api_key)
    return build_app(tree, authentication, serialization_registry=registry)


@contextlib.contextmanager
def open_catalogue(folder: RunFolder, settings: CatalogueSettings) -> Iterator[Container]:
    """A client of the catalogue, the run folder's own or the server's.

    Raises
    ------
    KeyRefused
        The server's API key cannot be had.
    """
    if settings.server is not None and settings.api_key_file is not None:
        key = read_key(settings.api_key_file)
        context, path = Context.from_any_uri(settings.server, api_key=key)
        with context:
            yield from_context(context, node_path_parts=path)
        return
    with Context.from_app(embedded_app(folder)) as context:
        yield from_context(context)


def runs_in(catalogue: Container) -> tuple[set[str], set[str]]:
    """Uids of the runs that are whole, and of those of which a part was left behind.

    A run's stop is written last: one that has it is whole.
    """
    # The catalogue's own search would look in start documents alone.
    whole = set(Container.search(catalogue, KeyPresent("stop.uid")).keys())
    return whole, set(Container.keys(catalogue)) - whole
