"""The frame of the twin's Channel Access servers: loopback, signals, one loop each."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from caproto import CaprotoValueError
from caproto.asyncio.server import Context
from caproto.server import common

from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent
from voltomo.twin.settings import TwinSettings
from voltomo.twin.world import World

_BATCH_S = 0.001
_LONGEST_BATCH_S = 0.02


class PutRefused(Exception):
    """A put that the device does not take; the message says why. Nothing was changed."""


def on_put(channel: Any, action: Callable[[Any], Awaitable[Any]]) -> None:
    """Let a channel ask this with every put; what it returns becomes the value."""

    async def put(_instance: Any, value: Any) -> Any:
        return await action(value)

    channel.putter = put


class Alarm:
    """Lets a device's loop sleep until something is due, instead of looking for it all the time.

    For one loop and the handlers of its puts, all in the same thread.
    """

    def __init__(self) -> None:
        self._sleeper: asyncio.Future[None] | None = None
        self._rung = False

    def ring(self) -> None:
        """Wake the loop, or keep it from its next sleep."""
        self._rung = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Sleep so long at most; at once over if it was rung since the last time."""
        if not self._rung:
            loop = asyncio.get_running_loop()
            self._sleeper = loop.create_future()
            timer = loop.call_later(max(seconds, 0.0), self.ring)
            try:
                await self._sleeper
            finally:
                timer.cancel()
                self._sleeper = None
        self._rung = False


class Worker(Protocol):
    """A thread that does a device's work."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        ...


def demand_alive(**workers: Worker) -> None:
    """End the process rather than serve PVs behind which nobody works.

    Raises
    ------
    RuntimeError
        A worker was ended by an error; the supervisor starts the process anew.
    """
    for name, worker in workers.items():
        if not worker.alive:
            raise RuntimeError(
                f"the thread of the {name} was ended by an error, which stands above; its PVs "
                "would only seem to live, so the process ends and has to be started again"
            )


class Device(Protocol):
    """What a twin's process serves."""

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """Its channels by their full names."""
        ...

    async def run(self) -> None:
        """Its loop; never returns. Beats its channels of the world."""
        ...


@dataclass(frozen=True)
class Scene:
    """What a device is made from."""

    folder: RunFolder
    prefix: str
    settings: TwinSettings
    world: World


class _OneLine(logging.Filter):
    """A refused put is no fault of the program: its reason without a traceback.

    Nor are beacons that no repeater listens to.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten what was refused, drop lost beacons, let everything else pass."""
        if str(record.msg).startswith("Failed to send beacon"):
            return False
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, PutRefused | CaprotoValueError):
            record.msg, record.args = "put refused: %s", (error,)
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True


def set_up_logging() -> None:
    """Log to stderr, refusals in a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_OneLine())
    logging.basicConfig(
        level=logging.INFO,
        handlers=[handler],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    logging.getLogger("caproto").setLevel(logging.WARNING)


async def _until_stopped(stopping: asyncio.Event, works: list[Awaitable[None]]) -> None:
    """Run until asked to stop; whatever ends before by itself ends all."""
    tasks = [asyncio.ensure_future(work) for work in works]
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            task.result()
        if waiting not in done:
            raise RuntimeError("the server's loop ended by itself")
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)


async def serve(device: Device) -> None:
    """Serve a device on loopback until SIGTERM, SIGINT or SIGHUP."""
    # The library batches updates for up to a second under load; a shutter's state cannot wait.
    common.HIGH_LOAD_TIMEOUT = _BATCH_S
    common.MAX_LATENCY = _LONGEST_BATCH_S
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    server = Context(dict(device.pvdb), interfaces=["127.0.0.1"])
    gc.collect()
    gc.freeze()
    await _until_stopped(stopping, [device.run(), server.run()])


def main(make: Callable[[Scene], Device], words: list[str] | None = None) -> int:
    """Run a device as a service of a run folder.

    Returns
    -------
    int
        0 after an orderly end.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-folder", type=Path, required=True)
    folder = RunFolder.locate(parser.parse_args(words).run_folder)
    die_with_parent()
    set_up_logging()
    addresses = folder.addresses()
    os.environ["EPICS_CAS_BEACON_PORT"] = str(addresses.ca_repeater)
    scene = Scene(folder, addresses.prefix, TwinSettings.load(folder), World.open(folder.world))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(make(scene)))
    return 0
