"""The page: read-only, on loopback. It may be slow, restarted or absent; a scan does not notice."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from voltomo.live.page_feed import Feed, Slices, gather_runs, gather_values
from voltomo.live.positions import PLANES
from voltomo.live.settings import LiveSettings
from voltomo.model.pv_names import PvNames
from voltomo.runtime.heartbeat import Heartbeat
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent

_STATIC = Path(__file__).parent / "static"
_PACE_S = 0.1
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def make_app(feed: Feed, prefix: str, pvs: PvNames, run_log: Path) -> Starlette:
    """The application: ``/`` the page, ``/state`` all values as JSON, ``/live`` a websocket."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await gather_values(feed, prefix, pvs)
        app.state.slices = Slices(feed, f"{prefix}Live:")
        runs = asyncio.create_task(gather_runs(feed, run_log))
        beating = asyncio.create_task(Heartbeat.of_process().keep_beating())
        yield
        beating.cancel()
        runs.cancel()
        app.state.slices.close()

    async def index(_: Request) -> Response:
        return FileResponse(_STATIC / "page.html", headers=_HEADERS)

    async def icon(_: Request) -> Response:
        return FileResponse(_STATIC / "icon.svg")

    async def state(_: Request) -> Response:
        return JSONResponse(feed.values)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/favicon.ico", icon),
            Route("/state", state),
            WebSocketRoute("/live", lambda socket: _serve(socket, feed)),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        lifespan=lifespan,
    )


async def _serve(socket: WebSocket, feed: Feed) -> None:
    """Send values and slices at the viewer's own pace: it asks for the next when it has drawn."""
    origin = socket.headers.get("origin")
    # No browser leaves the origin out: programs may look, pages from elsewhere may not.
    if origin is not None and origin != f"http://{socket.headers.get('host')}":
        await socket.close(1008)
        return
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        async with socket.app.state.slices.watched():
            await _show(socket, feed)


async def _show(socket: WebSocket, feed: Feed) -> None:
    shown = dict.fromkeys(PLANES, -1)
    while True:
        await socket.send_text(feed.message())
        for plane in PLANES:
            if feed.number(plane) != shown[plane] and (picture := feed.picture(plane)):
                shown[plane] = feed.number(plane)
                await socket.send_bytes(picture)
        await socket.receive_text()
        async with feed.changed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(feed.changed.wait(), 1.0)
        await asyncio.sleep(_PACE_S)


def _end_well_on_signals() -> None:
    """Exit with 0 on SIGTERM and SIGINT, which the server passes on when it has shut down."""

    def ended(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended)
    # The server does not know this one.
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-folder", type=Path, required=True)
    folder = RunFolder(parser.parse_args().run_folder)
    die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = LiveSettings.model_validate(json.loads(folder.settings.read_text())["live"])
    addresses = folder.addresses()
    if addresses.page is None:
        raise SystemExit("the run folder gives the page no port")
    _end_well_on_signals()
    app = make_app(Feed(), settings.prefix, addresses.names, folder.run_log)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=addresses.page,
        # The strict one, whatever else is installed: a second Host header is refused.
        http="h11",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
