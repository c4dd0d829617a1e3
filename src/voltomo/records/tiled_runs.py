"""Writing a run into a tiled catalogue: whole, and once."""

# tiled's own types are loose: what matters is checked by the tests, on real catalogues.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from importlib.metadata import version

import httpx
from bluesky_tiled_plugins import TiledWriter
from sqlalchemy.exc import DBAPIError
from tiled.client.container import Container

from voltomo.records.catalogue_documents import CatalogueDocuments

_NOT_NOW = (401, 403, 404, 408, 413, 423, 429)
"""What a server answers whose key, whose tree or whose load is the matter, not the run."""


def write_run(catalogue: Container, uid: str, run: CatalogueDocuments) -> None:
    """Write a run that is not there; its stop is written last: a run that has it is whole.

    Parameters
    ----------
    catalogue : Container
        See `voltomo.records.tiled_store.open_catalogue`.
    uid : str
        Of the run.
    run : CatalogueDocuments
        See `voltomo.records.catalogue_documents.catalogue_documents`.
    """
    writer = TiledWriter(catalogue)
    for number, (name, doc) in enumerate(run.documents):
        writer(name, dict(doc))
        if number == 0:
            about = {"version": version("voltomo"), "problems": list(run.problems)}
            container = Container.__getitem__(catalogue, uid)
            container.update_metadata({"voltomo": about}, drop_revision=True)


def remove_run(catalogue: Container, uid: str) -> None:
    """Take a run out of the catalogue, whole or half; files of frames stay."""
    catalogue.delete_contents(uid, recursive=True, external_only=False)


def is_trouble(error: Exception) -> bool:
    """Whether an error speaks of the catalogue, not of the run: a later attempt may succeed."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status >= 500 or status in _NOT_NOW
    return isinstance(error, (OSError, httpx.TransportError, DBAPIError))
