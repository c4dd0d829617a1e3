"""A beamline in virtual time: answers a plan's messages, and leaves logs and frames as a real one.

It does to a plan what a RunEngine does: a pause or suspension stops what moves, settles the lease,
tells every object that was seen, and goes on without repeating a message.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bluesky import Msg
from bluesky.utils import NoReplayAllowed

from tests.plans.scripted import beamline
from tests.records.synthetic import DOSE_PER_FLUENCE, FLUX, START_UTC_S, picture, write_frames
from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import FrameBlock, TriggerTrain
from voltomo.model.frame_table import Frames
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.stop_when import Decisions
from voltomo.plans.takes import Takes
from voltomo.records.run_log import RunLog
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.run_folder import RunFolder

UID = "0123456789abcdef"
DUMP_BEFORE_S = 0.1
"""The beam is gone for so long before the engine hears of it."""
_FIRE_S = 0.05
_STREAMS = ("triggers", "baseline", "takes", "decisions")


@dataclass
class _File:
    wanted: FrameBlock
    stamps: list[float] = field(default_factory=list[float])
    numbers: list[int] = field(default_factory=list[int])
    images: list[np.ndarray] = field(default_factory=list[np.ndarray])
    announced: bool = False


@dataclass
class _Lease:
    identity: str
    request: LeaseRequest
    opened_s: float


class SimulatedBeamline:
    """Devices of names only, and what they would do.

    Parameters
    ----------
    folder : RunFolder
        Takes logs and frames.
    spec : ScanSpec
        What is scanned: says what a frame shows.
    seed : int
        Of the noise.
    interrupted_at : set of int
        Numbers of messages at which the engine is paused or suspended.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: ScanSpec,
        seed: int = 0,
        interrupted_at: frozenset[int] = frozenset(),
    ) -> None:
        self.devices = beamline()
        self.devices.camera.last_frames = self._last_frames
        self.messages = 0
        self.interruptions = 0
        self.asked_at: dict[str, int] = {}
        self._cost_Gy: dict[tuple[str, int], float] = {}
        self._folder, self._spec = folder, spec
        self._random = np.random.default_rng(seed)
        self._at = interrupted_at
        self._now_s = 10.0
        self._index = 0
        self._number = 100
        self._train: TriggerTrain | None = None
        self._edges: list[tuple[int, float, float]] = []
        self._told: list[tuple[int, float, float, int]] = []
        self._file: _File | None = None
        self._closed: _File | None = None
        self._lease: _Lease | None = None
        self._dark_from_s = np.inf
        self._waiting_until_s: dict[str, float] = {}
        self._seen: dict[int, Any] = {}
        self._bundle = ""
        self._data: dict[str, Any] = {}

    def run(self, make: Callable[[Any], Generator[Msg, Any, Any]]) -> Any:
        """Run a plan to its end; what it returns."""
        self._folder.create()
        with RunLog(self._folder.run_log) as log, AppendLog(self._folder.exposure_log) as ledger:
            self._log, self._ledger = log, ledger
            plan, answer = make(self.devices), None
            while True:
                try:
                    message = plan.send(answer)
                except StopIteration as end:
                    return end.value
                answer = self._take(message)

    def _take(self, message: Msg) -> Any:
        number, self.messages = self.messages, self.messages + 1
        self._seen[id(message.obj)] = message.obj
        slow = message.command in ("wait", "sleep")
        if number in self._at:
            # A slow message is cut short somewhere; of others the answer still comes.
            answer = None if slow else self._answer(message)
            self._advance(self._now_s + (self._random.uniform(0, 0.4) if slow else 0.0))
            self._interrupt()
            return answer
        return self._answer(message)

    def _interrupt(self) -> None:
        self.interruptions += 1
        self._edges.clear()
        self._waiting_until_s.clear()
        self._settle("stopped", went_s=DUMP_BEFORE_S)
        for device in self._seen.values():
            if isinstance(device, Takes):
                try:
                    device.pause()
                except NoReplayAllowed:
                    continue
                raise AssertionError("a scan must not be replayed")
        self._advance(self._now_s + 2.0)

    @property
    def broken_Gy(self) -> float:
        """Dose of takes that another one of their block followed."""
        return sum(
            dose
            for (block, take), dose in self._cost_Gy.items()
            if (block, take + 1) in self._cost_Gy
        )

    # time

    def _advance(self, until_s: float) -> None:
        """Let the edges happen whose time has come."""
        while self._edges and self._edges[0][1] <= until_s:
            index, edge_s, angle_deg = self._edges.pop(0)
            assert self._train is not None
            self._told.append((index, edge_s, angle_deg, self._train.take))
            self._index = index + 1
            self._expose(index, edge_s, angle_deg)
        self._now_s = max(self._now_s, until_s)

    def _expose(self, index: int, edge_s: float, angle_deg: float) -> None:
        file, spec = self._file, self._spec
        assert file is not None
        block = next(b for b in spec.blocks() if b.first <= index < b.last)
        lit = block if self._lease is not None else spec.blocks()[1]
        speed = (block.step_deg or 0.0) / block.period_s
        image = picture(spec, lit, angle_deg + speed * spec.exposure_s / 2, self._random)
        file.images.append(image)
        file.stamps.append(edge_s - 3.7 + self._random.normal(0, 1e-5))
        file.numbers.append(self._number)
        self._number += 1

    def _fire(self, by_position: bool) -> None:
        train = self._train
        if train is None or self._edges or self._index >= train.block.last:
            return
        block = train.block
        if (block.start_deg is not None) != by_position:
            return
        first_s = self._now_s + _FIRE_S
        asked = block.asked_deg
        for place in range(block.count):
            angle = self.devices.rotation.value if asked is None else float(asked[place])
            self._edges.append((block.first + place, first_s + place * block.period_s, angle))
        self._waiting_until_s["train"] = self._edges[-1][1] + 0.005

    # messages

    def _answer(self, message: Msg) -> Any:
        handle = getattr(self, f"_on_{message.command}", None)
        return None if handle is None else handle(message)

    def _on_open_run(self, message: Msg) -> str:
        start = {"uid": UID, "time": START_UTC_S, "source": "twin", **message.kwargs}
        self._log("start", start)
        keys = {"take_reason": {"dtype": "string", "shape": [], "source": ""}}
        for name in _STREAMS:
            self._log("descriptor", {"uid": f"{UID}-{name}", "run_start": UID, "name": name,
                                     "data_keys": keys, "time": START_UTC_S})  # fmt: skip
        return UID

    def _on_close_run(self, message: Msg) -> None:
        stop = {"uid": str(uuid.uuid4()), "time": self._utc_s(), "run_start": UID,
                "reason": message.kwargs.get("reason") or "",
                "exit_status": message.kwargs.get("exit_status") or "success"}  # fmt: skip
        self._log("stop", stop)

    def _utc_s(self) -> float:
        return START_UTC_S + self._now_s

    def _on_create(self, message: Msg) -> None:
        self._bundle, self._data = message.kwargs["name"], {}

    def _on_read(self, message: Msg) -> dict[str, Any]:
        if isinstance(message.obj, Takes | Decisions):
            reading = message.obj.read()
        else:
            reading = {message.obj.name: {"value": message.obj.value, "timestamp": 0.0}}
        self._data |= {key: value["value"] for key, value in reading.items()}
        return reading

    def _on_save(self, _message: Msg) -> None:
        self._log("event", {"uid": str(uuid.uuid4()), "descriptor": f"{UID}-{self._bundle}",
                            "time": self._utc_s(), "seq_num": 1, "data": self._data,
                            "timestamps": {}})  # fmt: skip

    def _on_prepare(self, message: Msg) -> None:
        name, word = message.obj.name, message.args[0]
        if name == "trigger":
            self._edges.clear()
            self._train = word
            if word is not None:
                if word.block.first == 0 or word.sets_index:
                    self._index = word.block.first
                assert self._index == word.block.first, "triggers are missing, or were not asked"
        elif name == "camera":
            self._close()
            if isinstance(word, FrameBlock):
                self._file = _File(word)

    def _on_set(self, message: Msg) -> None:
        name, value = message.obj.name, message.args[0]
        if name == "lease":
            if value is None:
                self._settle("done")
            else:
                assert self._lease is None
                self.asked_at[value.purpose] = self.messages
                self._lease = _Lease(uuid.uuid4().hex[:12], value, self._now_s)
            return
        if name == "rotation":
            self._fire(by_position=True)
        message.obj.value = value
        self._waiting_until_s[message.kwargs["group"]] = self._now_s + 0.3

    def _on_kickoff(self, _message: Msg) -> None:
        self._fire(by_position=False)

    def _on_sleep(self, message: Msg) -> None:
        self._advance(self._now_s + message.args[0])

    def _on_wait(self, message: Msg) -> bool:
        group = str(message.kwargs["group"])
        key = "train" if group.startswith("train") else group
        until_s = self._waiting_until_s.get(key, self._now_s)
        if group.startswith("frames"):
            self._close()
        if not message.kwargs.get("error_on_timeout", True):
            limit_s = self._now_s + message.kwargs["timeout"]
            self._advance(min(until_s, limit_s))
            return until_s <= limit_s
        self._advance(until_s)
        return True

    def _on_collect(self, message: Msg) -> Any:
        if message.obj.name == "camera":
            self._announce()
            return None
        if not self._told:
            return []
        index, times, angles, takes = zip(*self._told, strict=True)
        self._told.clear()
        data = {"trigger_index": list(index), "trigger_time_s": list(times),
                "trigger_angle_deg": list(angles), "trigger_take": list(takes)}  # fmt: skip
        news = [START_UTC_S + max(times) + 0.004] * len(times)
        self._log("event_page", {
            "uid": [str(uuid.uuid4()) for _ in times], "descriptor": f"{UID}-triggers",
            "seq_num": list(range(1, len(times) + 1)), "time": news, "data": data,
            "timestamps": {},
        })  # fmt: skip
        return [{"data": data}]

    # files and leases

    def _path(self, file: _File) -> Any:
        return self._folder.frames / f"{file.wanted.file_name}.h5"

    def _announce(self) -> None:
        file = self._file or self._closed
        if file is None or file.announced:
            return
        file.announced = True
        self._log("stream_resource", {
            "uid": str(uuid.uuid4()), "run_start": UID, "data_key": "camera_image",
            "mimetype": "application/x-hdf5", "uri": f"file://localhost{self._path(file)}",
            "parameters": {"dataset": "/entry/data/data", "block": file.wanted.block.name,
                           "take": file.wanted.take, "swmr": True},
        })  # fmt: skip

    def _close(self) -> None:
        file = self._file
        if file is None:
            return
        geometry = self._spec.geometry
        none = np.empty((0, geometry.rows, geometry.columns), np.uint16)
        path = self._path(file)
        assert not path.exists(), "no frame is ever overwritten"
        images = np.array(file.images, dtype=np.uint16) if file.images else none
        write_frames(path, images, np.array(file.numbers), np.array(file.stamps))
        self._closed, self._file = file, None

    def _last_frames(self) -> Frames:
        assert self._closed is not None
        count = len(self._closed.stamps)
        return Frames(np.array(self._closed.stamps), np.array(self._closed.numbers),
                      np.arange(count))  # fmt: skip

    def _settle(self, reason: str, went_s: float = 0.0) -> None:
        """Charge an opening; the last frames of one that was stopped had no beam any more."""
        lease = self._lease
        if lease is None:
            return
        self._lease = None
        closed_s = max(self._now_s - went_s, lease.opened_s)
        free = lease.request.beside_sample
        central = 0.0 if free else FLUX * (closed_s - lease.opened_s) * DOSE_PER_FLUENCE
        assert self._file is not None
        take = (self._file.wanted.block.name, self._file.wanted.take)
        self._cost_Gy[take] = self._cost_Gy.get(take, 0.0) + central
        cost = {
            "lease_id": lease.identity, "sample": lease.request.sample, "scan_uid": UID,
            "purpose": lease.request.purpose, "open_s": closed_s - lease.opened_s,
            "dose_Gy": 1.03 * central, "dose_central_Gy": central, "stamp": "",
        }  # fmt: skip
        opened, closed = START_UTC_S + lease.opened_s, START_UTC_S + closed_s
        self._ledger.append("exposure", cost | {
            "opened_utc_s": opened, "closed_utc_s": closed,
            "flux": [[opened, FLUX], [closed, FLUX]], "charged_s": cost["open_s"],
            "dose_per_fluence_Gy_cm2": DOSE_PER_FLUENCE})  # fmt: skip
        self._log.append_entry("settlement", cost | {"reason": reason})
