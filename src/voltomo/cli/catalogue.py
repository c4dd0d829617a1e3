"""``voltomo catalogue``: fill it now, or serve it on loopback."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.say import say
from voltomo.records.catalogue_settings import EXTRA, installed, own_key
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder

_READS = re.compile(r"/api/v\d+/(table/(partition|full)|container/full|awkward/buffers)/")
"""What is posted, because its words do not fit an address, and only reads."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def run_fill(run_folder: Path | None, *, again: bool = False) -> None:
    """Catalogue every ended run of a run folder; what was set aside is tried again.

    Parameters
    ----------
    run_folder : Path or None
        Whose runs.
    again : bool
        Throw away what the catalogue has of these runs first.

    Raises
    ------
    Refused
        The catalogue's libraries are not there.
    Held
        ``voltomo up`` fills it.
    """
    _demand_libraries()
    folder = RunFolder.locate(run_folder)
    if not folder.run_log.exists():
        raise FileNotFoundError(f"{folder.root} has no run log; there is nothing to catalogue")
    with FileLock(folder.catalogue_lock, "voltomo catalogue fill"):
        failed = fill_now(folder, again=again)
    if failed:
        raise typer.Exit(1)


def fill_now(folder: RunFolder, *, again: bool = False) -> bool:
    """Fill the catalogue of a run folder, whose lock is held, and say what came of it.

    Returns
    -------
    bool
        Whether a run was set aside or still waits.
    """
    from voltomo.records.catalogue_state import CatalogueState
    from voltomo.records.filler import Filler, settings_in
    from voltomo.records.filling import forget_all

    settings = settings_in(folder)
    filler = Filler(folder, settings)
    filler.follow()
    if again:
        forget_all(folder, settings, filler.waiting)
    try:
        state = filler.fill() or CatalogueState()
    finally:
        filler.close()
    for sentence in (*state.set_aside.values(), *filter(None, [state.trouble])):
        say(sentence, err=True)
    where = settings.server or folder.catalogue
    say(f"catalogue: {len(state.runs)} runs in {where}")
    return bool(state.set_aside or state.trouble)


def run_serve(run_folder: Path | None, port: int) -> None:
    """Serve the catalogue of a run folder on loopback, for reading, until Ctrl-C."""
    _demand_libraries()
    folder = RunFolder.locate(run_folder)
    if not folder.root.is_dir():
        raise FileNotFoundError(f"there is no run folder {folder.root}; nothing is served")
    folder.catalogue.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = folder.catalogue / "api-key"
    key = own_key(key_file)

    import uvicorn

    from voltomo.records.tiled_store import embedded_app

    app = ReadOnly(embedded_app(folder, key))
    server = uvicorn.Server(
        # Access logs would hold what is asked for, keys in addresses included.
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    )
    say(f"catalogue of {folder.root}: http://127.0.0.1:{port}/api/v1")
    say(f"its API key is in {key_file}; Ctrl-C ends it")
    server.run()


class ReadOnly:
    """Lets an application be read, and refuses whatever would change it.

    The catalogue is a projection of the log: the filler alone writes it.

    Parameters
    ----------
    app : ASGI application
        What is served.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what reads; answer everything else with a sentence."""
        reads = scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS")
        if reads or (scope["method"] == "POST" and _READS.match(scope["path"])):
            await self._app(scope, receive, send)
            return
        said = b'{"detail":"this catalogue is for reading: it is filled from the run log alone"}'
        headers = [(b"content-type", b"application/json"), (b"allow", b"GET, HEAD, OPTIONS")]
        await send({"type": "http.response.start", "status": 405, "headers": headers})
        await send({"type": "http.response.body", "body": said})


def _demand_libraries() -> None:
    if not installed():
        raise Refused(
            f"the libraries of the catalogue are not installed; nothing was done; install {EXTRA}"
        )
