"""The frame of an IOC process with areaDetector names: arguments, log, signals, server."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from caproto.asyncio.server import Context

from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent


def begin(description: str) -> RunFolder:
    """Read the command line, start the log, end with the parent; returns the run folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run-folder", type=Path, required=True)
    folder = RunFolder(parser.parse_args().run_folder.resolve())
    die_with_parent()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("caproto").setLevel(logging.WARNING)
    return folder


async def serve(
    channels: dict[str, Any], background: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Serve the channels and run ``background`` until SIGTERM, SIGINT or SIGHUP.

    An error of either ends both, and is raised.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    server = asyncio.create_task(Context(channels, ["127.0.0.1"]).run(log_pv_names=False))
    tasks = [server, asyncio.create_task(background()), asyncio.create_task(stopping.wait())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=1.0)
    for task in done:
        task.result()
