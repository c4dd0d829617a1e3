"""The live worker: frames by PVA, latches by CA, slices out by PVA, verdicts out by CA."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from voltomo.live.engine import Engine, Progress, StreamedFrame
from voltomo.live.labels import LabelImage, LabelledSlice, Labeller, LabelRecords
from voltomo.live.live_slice import SliceState
from voltomo.live.settings import LiveSettings
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.trigger_source import unpack
from voltomo.runtime.heartbeat import Heartbeat
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent, stop_on_signals

_LONG = 16384
_STATES = ("Idle", "Live", "Filling", "Done", "No slice")

log = logging.getLogger(__name__)


class Records:
    """The worker's PVs on Channel Access."""

    def __init__(self, prefix: str, engine_orders: WorkerOrders) -> None:
        from softioc import builder

        builder.SetDeviceName(f"{prefix}Live")
        self.command = builder.longStringOut(
            "Command", length=_LONG, always_update=True, on_update=engine_orders.command
        )
        self.height = builder.longOut(
            "Height",
            initial_value=-1,
            always_update=True,
            on_update=engine_orders.height,
        )
        self.verdicts = builder.longStringIn("Verdicts", length=_LONG, initial_value="{}")
        self.labels = LabelRecords()
        self.uid = builder.longStringIn("ScanUid", length=256)
        self.state = builder.mbbIn("State", *_STATES)
        self.reason = builder.longStringIn("Reason", length=1024)
        self.numbers = {
            name: builder.aIn(name, initial_value=0.0, PREC=3, EGU=unit)
            for name, unit in (
                ("LostFrames", ""),
                ("Transmission", ""),
                ("SNR", ""),
                ("LatencyP50", "ms"),
                ("LatencyP99", "ms"),
            )
        }
        self.counts = {
            name: builder.longIn(name, initial_value=0)
            for name in (
                "FramesIn",
                "FramesProcessed",
                "FramesStreamed",
                "LastTrigger",
                "ViewsWaiting",
                "ViewsDropped",
            )
        }

    def show(self, progress: Progress) -> None:
        """Write all PVs."""
        self.uid.set(progress.scan_uid)
        self.reason.set(progress.reason.encode()[:1023].decode(errors="ignore"))
        self.state.set(_STATES.index(progress.state))
        if progress.row >= 0 and self.height.get() != progress.row:
            # What is shown, which nobody needs to be told to show.
            self.height.set(progress.row, process=False)
        self.numbers["LostFrames"].set(progress.lost)
        self.numbers["LatencyP50"].set(progress.latency_p50_ms)
        self.numbers["LatencyP99"].set(progress.latency_p99_ms)
        self.counts["FramesIn"].set(progress.frames_in)
        self.counts["FramesProcessed"].set(progress.frames_processed)
        self.counts["FramesStreamed"].set(progress.frames_streamed)
        self.counts["LastTrigger"].set(progress.last_trigger)
        self.counts["ViewsWaiting"].set(progress.views_waiting)
        self.counts["ViewsDropped"].set(progress.views_dropped)
        for verdict in progress.verdicts:
            name = {"mean_transmission": "Transmission", "snr": "SNR"}.get(verdict.metric)
            if name is not None and verdict.value is not None:
                self.numbers[name].set(verdict.value)
        self.verdicts.set(
            json.dumps(
                {
                    "scan_uid": progress.scan_uid,
                    "state": progress.state,
                    "reason": progress.reason,
                    "verdicts": [v.model_dump() for v in progress.verdicts],
                }
            )
        )


class WorkerOrders:
    """Turns puts to the worker's PVs into orders for its engine."""

    def __init__(self) -> None:
        self.engine: Engine | None = None

    def command(self, text: str) -> None:
        """``{"op": "start", "uid", "scan_spec"}``; nonsense is refused in the log."""
        try:
            order = json.loads(text)
            if order.get("op") == "start" and self.engine is not None:
                spec = ScanSpec.model_validate(order["scan_spec"])
                self.engine.begin(str(order["uid"]), spec)
        except (ValueError, KeyError, AttributeError) as error:
            log.warning("an order that cannot be understood was ignored: %s", error)

    def height(self, row: int) -> None:
        """Show another height."""
        if self.engine is not None and row >= 0:
            self.engine.move_to(int(row))

    def stop(self) -> None:
        """End the engine, if there is one yet."""
        if self.engine is not None:
            self.engine.stop()


class SliceServer:
    """Serves the slice as an NTNDArray, and other arrays beside it."""

    def __init__(self, name: str, others: dict[str, Any] | None = None) -> None:
        import numpy as np
        from p4p.nt import NTNDArray
        from p4p.server import Server
        from p4p.server.thread import SharedPV

        self._type = NTNDArray()
        self._pv = SharedPV()
        self._pv.open(self._type.wrap(np.zeros((2, 2), np.float32)))
        self._server = Server(providers=[{name: self._pv, **(others or {})}])

    def post(self, uid: str, state: SliceState) -> None:
        """Publish a slice; ``uniqueId`` is the highest trigger index in it."""
        value = self._type.wrap(state.image, timestamp=time.time())
        value["uniqueId"] = state.last_trigger
        value["attribute"] = [
            {"name": name, "value": content}
            for name, content in (
                ("scan_uid", uid),
                ("frames", state.frames),
                ("row", state.row),
                ("sweep", state.sweep),
                ("complete", state.complete),
            )
        ]
        self._pv.post(value)

    def stop(self) -> None:
        """End serving."""
        self._server.stop()


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

    return Labeller(labelled, settings.labels_s, settings.labels_radius)


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
    server = SliceServer(
        f"{settings.prefix}Live:Slice", {f"{settings.prefix}Live:Labels": labels.pv}
    )
    softioc.iocInit(dispatcher, enable_pva=False)

    labeller = _labeller(settings, labels, records.labels)

    def shown(uid: str, state: SliceState) -> None:
        server.post(uid, state)
        labeller.offer(uid, state)

    engine = Engine(settings, folder.run_log, shown, records.show)
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
        if not thread.is_alive():
            log.error("the engine has ended by an error; the supervisor starts the worker again")
            os._exit(1)
    thread.join(1.0)
    subscription[1].close()
    labeller.stop()
    server.stop()
    # EPICS base runs its own threads, which do not end; everything of ours is down.
    os._exit(0)


if __name__ == "__main__":
    main()
