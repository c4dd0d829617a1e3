"""An open catalogue that runs are put into: each whole, each once, whatever was there before."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from tiled.client.container import Container

from voltomo.model.names import run_name
from voltomo.model.sentence import SentenceError
from voltomo.records.catalogue_documents import CatalogueDocuments, catalogue_documents
from voltomo.records.catalogue_settings import CatalogueSettings
from voltomo.records.ended_runs import Documents, EndedRun, documents_of
from voltomo.records.scan import Scan, read_scan
from voltomo.records.tiled_runs import is_trouble, remove_run, write_run
from voltomo.records.tiled_store import open_catalogue, runs_in
from voltomo.runtime.log_reader import LogDamaged
from voltomo.runtime.run_folder import RunFolder

log = logging.getLogger(__name__)


class CatalogueTrouble(SentenceError):
    """The catalogue, not the run, is the matter; the run waits and is tried again."""


class Filling:
    """What fills a catalogue from the log of a run folder.

    Parameters
    ----------
    folder : RunFolder
        Whose log and frames.
    catalogue : Container
        The open catalogue.

    Attributes
    ----------
    done : set of str
        Uids of the runs that are whole in the catalogue.
    aside : dict
        By uid, why a run could not be catalogued.
    """

    def __init__(self, folder: RunFolder, catalogue: Container) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self.done, self._parts = runs_in(catalogue)
        self.aside: dict[str, str] = {}

    def fill(self, run: EndedRun) -> None:
        """Put a run into the catalogue, unless it is there; one that cannot be is set aside.

        Raises
        ------
        CatalogueTrouble
            The catalogue cannot be written at present.
        LogDamaged
            A line of the log does not fit its checksum.
        """
        if run.uid in self.done:
            return
        try:
            told = documents_for_catalogue(self._folder, run)
            self._leave_nothing_of(run.uid)
            self._parts.add(run.uid)
            write_run(self._catalogue, run.uid, told)
        except LogDamaged:
            raise
        except Exception as error:
            if is_trouble(error):
                raise CatalogueTrouble(
                    f"run {run_name(run.uid)} waits, and is tried again: the catalogue could not "
                    f"be written ({type(error).__name__}: {error}); the scan and its files are "
                    "not concerned"
                ) from error
            log.exception("run %s was set aside", run.uid)
            self.aside[run.uid] = (
                f"run {run_name(run.uid)} could not be catalogued ({type(error).__name__}: "
                f"{error}); log and files are as they were, and 'voltomo export' may still work"
            )
            with suppress(Exception):
                # What is left goes at the next attempt.
                self._leave_nothing_of(run.uid)
        else:
            self._parts.discard(run.uid)
            self.done.add(run.uid)
            self.aside.pop(run.uid, None)

    def forget(self, run: EndedRun) -> None:
        """Take a run out of the catalogue, so that it is made anew."""
        if run.uid in self.done:
            remove_run(self._catalogue, run.uid)
            self.done.discard(run.uid)

    def _leave_nothing_of(self, uid: str) -> None:
        if uid in self._parts:
            remove_run(self._catalogue, uid)
            self._parts.discard(uid)


@contextmanager
def open_filling(folder: RunFolder, settings: CatalogueSettings) -> Iterator[Filling]:
    """Open the catalogue of a run folder to fill it; takes seconds.

    Raises
    ------
    KeyRefused
        The server's API key cannot be had.
    """
    with open_catalogue(folder, settings) as catalogue:
        yield Filling(folder, catalogue)


def forget_all(folder: RunFolder, settings: CatalogueSettings, runs: Iterable[EndedRun]) -> None:
    """Empty the catalogue of runs: a run folder's own wholly, a server's of these runs alone."""
    if settings.server is None:
        for path in (folder.catalogue / "arrays", *folder.catalogue.glob("*.db*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return
    with open_filling(folder, settings) as filling:
        for run in runs:
            filling.forget(run)


def documents_for_catalogue(folder: RunFolder, run: EndedRun) -> CatalogueDocuments:
    """What the catalogue is told of a run.

    Raises
    ------
    ValueError, KeyError
        The log holds no documents of a run.
    """
    documents = documents_of(folder.run_log, run)
    scan, problem = _scan_of(folder, run, documents)
    told = catalogue_documents(documents, scan)
    return CatalogueDocuments(told.documents, (*problem, *told.problems))


def _scan_of(
    folder: RunFolder, run: EndedRun, documents: Documents
) -> tuple[Scan | None, tuple[str, ...]]:
    """The run as a scan, where it is one; why it has no table of frames, where it has none."""
    if not documents or "scan_spec" not in documents[0][1]:
        return None, ()
    try:
        return read_scan(folder, run.uid, begins=run.begins), ()
    except (ValueError, KeyError) as error:
        return None, (f"triggers and frames could not be joined: {error}",)
