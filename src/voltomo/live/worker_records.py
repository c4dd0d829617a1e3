"""The worker's PVs on Channel Access, and what puts to them ask of its engine."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable

from voltomo.live.engine import Engine, Progress
from voltomo.live.labels import LabelRecords
from voltomo.live.positions import Oblique, ObliqueRefused, parse_oblique
from voltomo.model.scan_spec import ScanSpec

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
        self._make_planes(engine_orders)
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
                ("PlanesLatencyP50", "ms"),
                ("PlanesLatencyP99", "ms"),
                ("RedrawTime", "ms"),
                ("PlanesMemory", "MB"),
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
                "PlanesViews",
                "PlanesWaiting",
                "PlanesSkipped",
                "PlanesBinning",
            )
        }

    def _make_planes(self, engine_orders: WorkerOrders) -> None:
        from softioc import builder

        self.places = {
            name: builder.aOut(
                pv, initial_value=0.0, PREC=1, EGU="px", always_update=True,
                on_update=engine_orders.mover(name),
            )
            for name, pv in (("xz", "PlaneXZ"), ("yz", "PlaneYZ"))
        }  # fmt: skip
        self.oblique = builder.longStringOut(
            "PlaneOblique", length=512, initial_value=Oblique().model_dump_json(),
            always_update=True, on_update=engine_orders.oblique,
        )  # fmt: skip
        engine_orders.on_refused = self._refuse
        self.refused = builder.longStringIn("PlaneRefused", length=1024)
        self.make_volume = builder.longOut(
            "MakeVolume", initial_value=0, always_update=True, on_update=engine_orders.volume
        )
        self.volume = builder.longStringIn("Volume", length=_LONG, initial_value="{}")

    def _refuse(self, sentence: str) -> None:
        self.refused.set(sentence.encode()[:1023].decode(errors="ignore"))

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
        planes = progress.planes
        self.numbers["PlanesLatencyP50"].set(planes.latency_p50_ms)
        self.numbers["PlanesLatencyP99"].set(planes.latency_p99_ms)
        self.numbers["RedrawTime"].set(planes.redraw_ms)
        self.numbers["PlanesMemory"].set(planes.memory_MB)
        self.counts["PlanesViews"].set(planes.views)
        self.counts["PlanesWaiting"].set(planes.waiting)
        self.counts["PlanesSkipped"].set(planes.skipped)
        self.counts["PlanesBinning"].set(planes.binning)
        self.volume.set(planes.volume)
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
                    "measuring": progress.measuring,
                    "verdicts": [v.model_dump() for v in progress.verdicts],
                }
            )
        )


class WorkerOrders:
    """Turns puts to the worker's PVs into orders for its engine."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.on_refused: Callable[[str], None] = log.warning

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

    def mover(self, name: str) -> Callable[[float], None]:
        """What moves the plane "xz" or "yz" when its PV is put."""

        def move(place: float) -> None:
            if self.engine is not None and math.isfinite(place):
                self.engine.move_plane(name, float(place))

        return move

    def oblique(self, text: str) -> None:
        """Move the oblique plane; a text that says of none where it lies is refused."""
        try:
            place = parse_oblique(text)
        except ObliqueRefused as refused:
            log.warning("%s", refused)
            self.on_refused(str(refused))
            return
        self.on_refused("")
        if self.engine is not None:
            self.engine.move_plane("oblique", place)

    def volume(self, size: int) -> None:
        """Make a volume of the views so far, so many voxels along an edge."""
        if self.engine is not None and size > 0:
            self.engine.make_volume(int(size))

    def stop(self) -> None:
        """End the engine, if there is one yet."""
        if self.engine is not None:
            self.engine.stop()
