"""The live worker: frames by PVA, latches by CA, slices out by PVA, verdicts out by CA."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltomo.live.engine import Engine, StreamedFrame
from voltomo.live.image_server import ImageServer
from voltomo.live.labels import LabelImage, LabelledSlice, Labeller, LabelRecords
from voltomo.live.live_planes import PlaneState, slice_of
from voltomo.live.progress import Progress
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_state import SliceState
from voltomo.live.worker_records import Records, WorkerOrders
from voltomo.model.trigger_source import unpack
from voltomo.runtime.heartbeat import Heartbeat
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent, stop_on_signals

log = logging.getLogger(__name__)


def _subscribe_frames(name: str, engine: Engine) -> Any:
    """Monitor of the camera's frames, with a queue, from whenever the camera is there."""
    from p4p.client.thread import Context

    context = Context("pva", nt=False)
    connected = threading.Event()

    def arrived(value: Any) -> None:
        if isinstance(value, Exception):
            connected.clear()
            return
        connected.set()
        sizes = [int(dimension["size"]) for dimension in value["dimension"]]
        stamp = value["dataTimeStamp"]
        engine.offer(
            StreamedFrame(
                image=value["value"].reshape(sizes[::-1]),
                stamp_s=stamp["secondsPastEpoch"] + stamp["nanoseconds"] * 1e-9,
                arrived_s=time.monotonic(),
            )
        )

    monitor = context.monitor(
        name, arrived, request="record[queueSize=64]field()", notify_disconnect=True
    )
    return context, monitor, connected


async def _subscribe_chunks(name: str, engine: Engine) -> Any:
    import aioca

    def latched(values: Any) -> None:
        try:
            chunk = unpack(values)
        except ValueError as error:
            log.warning("latches that cannot be understood were ignored: %s", error)
        else:
            if chunk.time_s:
                engine.latch(chunk, values.timestamp)

    return aioca.camonitor(name, latched, format=aioca.FORMAT_TIME, all_updates=True)


def _labeller(settings: LiveSettings, image: LabelImage, records: LabelRecords) -> Labeller:
    def labelled(made: LabelledSlice) -> None:
        image.post(made)
        records.show(made)

    return Labeller(labelled, settings.labels_s, settings.labels_radius, on_begin=records.clear)


@dataclass(frozen=True)
class _Publisher:
    """Where slices, planes and progress of the engine go."""

    server: ImageServer
    records: Records
    labeller: Labeller

    def slice(self, uid: str, state: SliceState) -> None:
        self.server.post_slice(uid, state)
        self.labeller.offer(uid, state)

    def plane(self, uid: str, state: PlaneState) -> None:
        self.server.post_plane(uid, state)
        if state.name == "xy":
            self.labeller.offer(uid, slice_of(state))

    def progress(self, progress: Progress) -> None:
        self.labeller.begin(progress.scan_uid)
        self.records.show(progress)


def main() -> None:
    """Run the worker until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-folder", type=Path, required=True)
    folder = RunFolder(parser.parse_args().run_folder)
    die_with_parent()
    orders = WorkerOrders()
    # Before anything that runs threads of its own: an exception in the middle would leave them.
    stopping = stop_on_signals(orders.stop)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = LiveSettings.model_validate(json.loads(folder.settings.read_text())["live"])

    from softioc import asyncio_dispatcher, builder, softioc

    from voltomo.analysis.warmup import warm_up

    warm_up()
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    records = Records(settings.prefix, orders)
    builder.LoadDatabase()
    # Who finds the worker ready by Channel Access finds its slice, too.
    labels = LabelImage()
    server = ImageServer(f"{settings.prefix}Live:", {f"{settings.prefix}Live:Labels": labels.pv})
    softioc.iocInit(dispatcher, enable_pva=False)

    labeller = _labeller(settings, labels, records.labels)

    to = _Publisher(server, records, labeller)
    engine = Engine(settings, folder.run_log, to.slice, to.progress, to.plane, folder.exports)
    labeller.start()
    orders.engine = engine
    names = folder.addresses().names
    subscription = _subscribe_frames(names.frames, engine)
    asyncio.run_coroutine_threadsafe(
        _subscribe_chunks(f"{names.trigger}Chunk", engine), dispatcher.loop
    ).result()
    thread = threading.Thread(target=engine.run, name="engine")
    thread.start()
    heartbeat, turns = Heartbeat.of_process(), 0
    while not stopping.wait(0.5):
        if engine.turns != turns:
            turns = engine.turns
            heartbeat.beat()
        if not subscription[2].is_set():
            # Searches grow rare by themselves; a camera that comes back is wanted at once.
            subscription[0].hurryUp()
        if not (thread.is_alive() and engine.alive and labeller.alive):
            log.error("a thread has ended by an error; the supervisor starts the worker again")
            os._exit(1)
    thread.join(1.0)
    subscription[1].close()
    labeller.stop()
    server.stop()
    # EPICS base runs its own threads, which do not end; everything of ours is down.
    os._exit(0)


if __name__ == "__main__":
    main()
