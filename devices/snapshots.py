"""The camera frame by frame, for plans that trigger and read: fired by the trigger hardware."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ophyd.status import Status

from voltomo.devices.background import in_background, wait_until
from voltomo.devices.camera import Camera
from voltomo.devices.camera_file import file_of_frames, mean_counts
from voltomo.devices.faults import DeviceFault, fault
from voltomo.devices.timeouts import ARMING_S, CLOSING_S, train_timeout_s
from voltomo.devices.trigger_box import TriggerBox
from voltomo.model.arming import CameraSetup, FrameBlock, Snapshot, SnapshotSetup, TriggerTrain
from voltomo.model.scan_spec import Block

_FRAME_S = 2.0
_DEAD_TIME_S = 0.005


@dataclass
class _File:
    """A file of single frames: its block of triggers, how many are in it, what was announced."""

    block: FrameBlock
    shape: tuple[int, int]
    frames: int = 0
    announced: int = 0
    resource: Any = None


class Snapshots:
    """Camera, writer and trigger box as one detector that is triggered and read.

    ``prepare(SnapshotSetup)`` proves that frames can be taken, ``prepare(Snapshot)`` opens a file
    where none is open and arms one trigger, ``trigger`` fires it and is done when its frame is
    written. ``prepare(None)`` disarms and closes the file. After a pause a new file is begun, so
    that every file holds frames of events, and at its end at most one that none belongs to.

    Parameters
    ----------
    camera : Camera
        Writes the frames.
    trigger : TriggerBox
        Fires them, and opens the beam's gate for each.
    """

    parent = None

    def __init__(self, camera: Camera, trigger: TriggerBox) -> None:
        self.name = camera.name
        self.hints = {"fields": [f"{self.name}_mean_counts"]}
        self._camera = camera
        self._box = trigger
        self._setup: SnapshotSetup | None = None
        self._file: _File | None = None
        self._next = 0
        self._takes = 0
        self._latched_at_s = 0.0
        self._image_mean = 0.0

    # what the engine calls

    def stage(self) -> list[Any]:
        """Nothing moves: files belong to runs, and are opened for the first frame of one."""
        return [self]

    def unstage(self) -> list[Any]:
        """Nothing: whoever prepared it lets it rest."""
        return [self]

    def prepare(self, what: SnapshotSetup | Snapshot | None) -> Status:
        """Check for a run, arm for a frame, or disarm and close (None)."""
        if what is None:
            return in_background(f"{self.name} rest", self._rest, CLOSING_S + 5 * ARMING_S)
        if isinstance(what, SnapshotSetup):
            return in_background(f"{self.name} check", lambda: self._check(what), 40.0)
        return in_background(f"{self.name} arm", lambda: self._arm(what), 50.0)

    def trigger(self) -> Status:
        """Fire the armed trigger; done when its frame is in the file."""
        file, setup = self._file, self._setup
        if file is None or setup is None:
            raise DeviceFault(
                f"{self.name}: expected to be armed for a frame, saw nothing armed; no beam was "
                "used; run the plan as with_beam(plan, sample=…, exposure_s=…)"
            )
        patience_s = train_timeout_s(1, setup.exposure_s, _FRAME_S + 2 * ARMING_S)
        return in_background(
            f"{self.name} frame", lambda: self._expose(file, setup.exposure_s), patience_s
        )

    def read(self) -> dict[str, Any]:
        """Which trigger and which row of its file the last frame is, and its mean (counts)."""
        row = -1 if self._file is None else self._file.frames - 1
        found = {
            f"{self.name}_trigger_index": self._next - 1,
            f"{self.name}_row": row,
            f"{self.name}_mean_counts": self._image_mean,
        }
        return {
            key: {"value": value, "timestamp": self._latched_at_s} for key, value in found.items()
        }

    def describe(self) -> dict[str, Any]:
        """The frame by reference, shape (rows, columns), and numbers that go with it."""
        return {
            **self._camera.describe_collect(),
            f"{self.name}_trigger_index": self._key("integer"),
            f"{self.name}_row": self._key("integer"),
            f"{self.name}_mean_counts": self._key("number"),
        }

    def read_configuration(self) -> dict[str, Any]:
        """Exposure of a frame, s."""
        exposure_s = self._setup.exposure_s if self._setup else float("nan")
        return {f"{self.name}_exposure_s": {"value": exposure_s, "timestamp": time.time()}}

    def describe_configuration(self) -> dict[str, Any]:
        """Exposure of a frame, s."""
        return {f"{self.name}_exposure_s": {**self._key("number"), "units": "s"}}

    def get_index(self) -> int:
        """Frames of the present file."""
        return 0 if self._file is None else self._file.frames

    def collect_asset_docs(self, index: int | None = None) -> Iterator[tuple[str, Any]]:
        """The file once, then the frame that was written last."""
        file = self._file
        if file is None or file.frames == file.announced:
            return
        if file.resource is None:
            file.resource = file_of_frames(self.name, self._path(file), file.shape, file.block)
            yield "stream_resource", file.resource.stream_resource_doc
        span = {"start": file.frames - 1, "stop": file.frames}
        file.announced = file.frames
        yield "stream_datum", file.resource.compose_stream_datum(span)

    def pause(self) -> None:
        """Disarm; the next frame begins a new file."""
        self.stop(success=True)

    def resume(self) -> None:
        """Nothing: what comes next arms anew."""

    def stop(self, *, success: bool = False) -> None:
        """No more triggers and no more frames."""
        self._file = None
        self._box.stop(success=success)
        self._camera.stop(success=success)

    # work in the background

    def _key(self, dtype: str) -> dict[str, Any]:
        return {"source": self._box.chunk.pvname, "dtype": dtype, "shape": []}

    def _path(self, file: _File) -> Any:
        return self._camera.folder() / f"{file.block.file_name}.h5"

    def _rest(self) -> None:
        self._file = None
        problems: list[str] = []
        for status, patience_s in (
            (self._box.prepare(None), 3 * ARMING_S),
            (self._camera.prepare(None), CLOSING_S + 3 * ARMING_S),
        ):
            try:
                status.wait(timeout=patience_s)
            except Exception as error:  # noqa: BLE001
                # The other one is put to rest all the same.
                problems.append(str(error))
        if problems:
            raise DeviceFault("; ".join(problems))

    def _check(self, setup: SnapshotSetup) -> None:
        self._rest()
        size = self._camera.hdf1.array_size
        rows, columns = (int(s.get(use_monitor=False)) for s in (size.height, size.width))
        period_s = setup.exposure_s + _DEAD_TIME_S
        wanted = CameraSetup(rows, columns, setup.exposure_s, period_s, setup.points)
        self._camera.prepare(wanted).wait(timeout=35.0)
        self._setup, self._next, self._takes = setup, 0, 0

    def _arm(self, wanted: Snapshot) -> None:
        setup = self._setup
        if setup is None:
            raise fault(self.name, "to be checked for a run before a frame is armed", "no check")
        fresh = self._file is None
        file = self._file or self._open(setup)
        block = file.block.block.model_copy(update={"first": self._next, "count": 1})
        train = TriggerTrain(
            block,
            setup.exposure_s,
            wanted.gate_lead_s,
            wanted.gate_tail_s,
            max(self._takes, 1),
            sets_index=fresh,
        )
        self._box.prepare(train).wait(timeout=6 * ARMING_S)
        self._file = file

    def _open(self, setup: SnapshotSetup) -> _File:
        """Open the next file of this run; the camera waits for triggers."""
        self._takes += 1
        block = Block(
            name="points",
            kind="sweep",
            first=self._next,
            count=setup.points,
            period_s=setup.exposure_s + _DEAD_TIME_S,
        )
        suffix = "" if self._takes == 1 else f"_take{self._takes}"
        frames = FrameBlock(
            f"{setup.file_name}_points{suffix}", block, setup.exposure_s, self._takes
        )
        self._camera.prepare(frames).wait(timeout=6 * ARMING_S)
        size = self._camera.hdf1.array_size
        return _File(frames, (int(size.height.get()), int(size.width.get())))

    def _expose(self, file: _File, exposure_s: float) -> None:
        index, wanted = self._next, file.frames + 1
        self._next += 1
        self._box.fire().wait(timeout=2 * ARMING_S)
        stopped = threading.Event()

        def written() -> bool:
            if self._file is not file:
                stopped.set()
            return self._camera.get_index() >= wanted

        wait_until(
            lambda: int(self._box.count.get()) > index or self._file is not file,
            exposure_s + _FRAME_S,
            lambda: fault(self.name, f"trigger {index} to be fired", "none"),
        )
        if self._file is not file:
            return
        self._latched_at_s = time.time()
        wait_until(
            written,
            exposure_s + _FRAME_S,
            lambda: fault(
                self.name,
                f"the frame of trigger {index} within {exposure_s + _FRAME_S:g} s",
                f"{self._camera.get_index()} of {wanted} in the file",
                "the beam is closed; look at camera and writer",
            ),
            stopped,
        )
        if self._file is not file:
            # What the engine stops on purpose is no failure: the point is taken again.
            return
        self._image_mean = mean_counts(self._path(file), wanted - 1, _FRAME_S)
        file.frames = wanted
