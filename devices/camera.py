"""The camera and its file writer: one flyer, one file a block, frames announced as they land."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ophyd import Component, Device
from ophyd.areadetector.cam import SimDetectorCam
from ophyd.areadetector.plugins import HDF5Plugin_V34, PvaPlugin_V34
from ophyd.status import Status

from voltomo.devices.background import (
    Turns,
    demand_wanted,
    in_background,
    put,
    put_and_confirm,
    wait_until,
)
from voltomo.devices.camera_checks import check_camera
from voltomo.devices.camera_file import file_of_frames, read_stamps
from voltomo.devices.faults import DeviceFault, fault
from voltomo.devices.timeouts import ARMING_S, CLOSING_S
from voltomo.model.arming import CameraSetup, FrameBlock
from voltomo.model.frame_table import Frames
from voltomo.model.scan_spec import Block

_POLL_S = 0.02


def quiet_s(block: Block) -> float:
    """How long nothing may arrive before the frames that lack are called lost."""
    return max(0.5, 5 * block.period_s)


@dataclass
class _Armed:
    """What an armed camera must remember: its block, its file, how much of it was announced."""

    block: FrameBlock
    path: Path
    shape: tuple[int, int]
    announced: int = 0
    resource: Any = None
    captured: int | None = None


class Camera(Device):
    """areaDetector camera, HDF5 writer and PVA stream; unmodified ophyd classes inside.

    ``prepare(CameraSetup)`` proves that a scan can be taken, ``prepare(FrameBlock)`` opens the
    file and arms the camera, ``complete`` waits for the last frames and closes the file,
    ``prepare(None)`` stops and closes whatever was armed.

    Attributes
    ----------
    frames_folder : Path or None
        Where files go; None takes the folder that the writer shows.
    """

    cam = Component(
        SimDetectorCam,
        "cam1:",
        kind="normal",
        read_attrs=[],
        configuration_attrs=["acquire_time", "acquire_period", "manufacturer", "model"],
    )
    # Plugins are left out of documents: theirs would name a whole graph of ports.
    hdf1 = Component(HDF5Plugin_V34, "HDF1:", kind="omitted")
    pva1 = Component(PvaPlugin_V34, "Pva1:", kind="omitted")

    def __init__(
        self, prefix: str = "", *, name: str, frames_folder: Path | None = None, **kwargs: Any
    ) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.frames_folder = frames_folder
        self._armed: _Armed | None = None
        self._last_path: Path | None = None
        self._turns = Turns()

    def prepare(self, what: CameraSetup | FrameBlock | None) -> Status:
        """Check for a scan, arm for a block, or stop and close (None)."""
        give_up, take = self._turns.next(), self._turns.take
        if what is None:
            patience_s = CLOSING_S + 2 * ARMING_S
            return in_background(f"{self.name} close", lambda: take(self._close), patience_s)
        if isinstance(what, CameraSetup):
            return in_background(
                f"{self.name} check", lambda: take(lambda: self._check(what, give_up)), 30.0
            )
        return in_background(
            f"{self.name} arm",
            lambda: take(lambda: self._arm(what, give_up), undo=self._close),
            5 * ARMING_S,
        )

    def kickoff(self) -> Status:
        """Nothing to start: the camera waits for triggers from `prepare` on."""
        status = Status(obj=self, timeout=None)
        status.set_finished()
        return status

    def complete(self) -> Status:
        """Wait for frames that are still under way, then close the file.

        Frames that were lost are not waited for: it goes on when nothing has arrived for
        `quiet_s`.
        """
        armed = self._armed
        if armed is None:
            raise DeviceFault(f"{self.name}: expected a block to be armed, saw none")
        patience_s = quiet_s(armed.block.block) + CLOSING_S + armed.block.block.seconds
        give_up = self._turns.give_up
        return in_background(
            f"{self.name} finish", lambda: self._finish(armed, give_up), patience_s
        )

    def get_index(self) -> int:
        """Frames of the present file that are written."""
        armed = self._armed
        if armed is None:
            return 0
        return self._captured() if armed.captured is None else armed.captured

    def describe_collect(self) -> dict[str, Any]:
        """Frames by reference: shape (rows, columns), uint16."""
        shape = [int(self.hdf1.array_size.height.get()), int(self.hdf1.array_size.width.get())]
        return {
            f"{self.name}_image": {
                "source": self.hdf1.full_file_name.pvname,
                "dtype": "array",
                "dtype_numpy": "<u2",
                "shape": shape,
                "external": "STREAM:",
            }
        }

    def collect_asset_docs(self, index: int | None = None) -> Iterator[tuple[str, Any]]:
        """The file once, then the frames that were written since the last call."""
        armed = self._armed
        if armed is None:
            return
        count = self.get_index() if index is None else min(index, self.get_index())
        if armed.resource is None:
            armed.resource = file_of_frames(self.name, armed.path, armed.shape, armed.block)
            yield "stream_resource", armed.resource.stream_resource_doc
        if count > armed.announced:
            span = {"start": armed.announced, "stop": count}
            armed.announced = count
            yield "stream_datum", armed.resource.compose_stream_datum(span)

    def last_frames(self) -> Frames:
        """Stamps and numbers of the frames of the last block whose file is closed."""
        if self._last_path is None:
            raise DeviceFault(f"{self.name}: expected a closed file of frames, saw none")
        return read_stamps(self._last_path)

    def stop(self, *, success: bool = False) -> None:
        """No more frames; the file is closed by the writer."""
        self._turns.give_up.set()
        for signal in (self.cam.acquire, self.hdf1.capture):
            if signal.connected:
                signal.put(0, wait=False)

    def folder(self) -> Path:
        """Where files go."""
        if self.frames_folder is not None:
            return self.frames_folder
        shown = str(self.hdf1.file_path.get())
        if not shown:
            raise fault(
                self.name,
                "a folder for frames",
                "none given and none shown by the writer",
                "no beam was used; name one when the devices are connected",
            )
        return Path(shown)

    def _captured(self) -> int:
        if not self.hdf1.num_captured.connected:
            raise fault(self.name, "the writer to answer", "it disconnected")
        return int(self.hdf1.num_captured.get(use_monitor=False, timeout=1.0))

    def _check(self, setup: CameraSetup, give_up: threading.Event) -> None:
        demand_wanted(give_up, self.name)
        self._close()
        check_camera(self, setup, self.folder(), give_up)

    def _arm(self, wanted: FrameBlock, give_up: threading.Event) -> None:
        demand_wanted(give_up, self.name)
        self._close()
        path = self.folder() / f"{wanted.file_name}.h5"
        if path.exists():
            raise fault(self.name, f"no file {path}", "one", "no frame is ever overwritten")
        self._open_file(path, wanted.block, give_up)
        cam = self.cam
        for signal, value in (
            (cam.trigger_mode, "External"),
            (cam.image_mode, "Continuous"),
            (cam.acquire_time, float(wanted.exposure_s)),
            (cam.acquire_period, float(wanted.block.period_s)),
        ):
            demand_wanted(give_up, self.name)
            put_and_confirm(signal, value)
        cam.acquire.put(1, wait=False)
        wait_until(
            lambda: str(cam.acquire.get(use_monitor=False)) in ("1", "Acquire"),
            ARMING_S,
            lambda: fault(self.name, "the camera to wait for triggers", cam.acquire.get()),
            give_up,
        )
        demand_wanted(give_up, self.name)
        shape = (int(self.hdf1.array_size.height.get()), int(self.hdf1.array_size.width.get()))
        self._armed = _Armed(wanted, path, shape)

    def _open_file(self, path: Path, block: Block, give_up: threading.Event) -> None:
        hdf = self.hdf1
        put_and_confirm(hdf.file_name, path.stem)
        # A bounded file, with room for frames that are delivered twice.
        put_and_confirm(hdf.num_capture, 2 * block.count)
        demand_wanted(give_up, self.name)
        hdf.capture.put(1, wait=False)

        def opened() -> bool:
            return (
                str(hdf.capture.get(use_monitor=False)) in ("1", "Capture")
                and Path(str(hdf.full_file_name.get(use_monitor=False))) == path
                and self._captured() == 0
            )

        def complain() -> DeviceFault:
            seen = f"{hdf.full_file_name.get()!r} ({hdf.write_message.get() or 'no message'})"
            return fault(self.name, f"the writer to open {path}", seen, "the beam is closed")

        wait_until(opened, ARMING_S, complain, give_up)

    def _finish(self, armed: _Armed, give_up: threading.Event) -> None:
        limit_s = quiet_s(armed.block.block)
        count, since_s = -1, time.monotonic()
        while not give_up.is_set():
            seen = self._captured()
            if seen != count:
                count, since_s = seen, time.monotonic()
            if count >= armed.block.block.count or time.monotonic() - since_s > limit_s:
                break
            time.sleep(_POLL_S)

        def close() -> None:
            # Whoever asked for something else closes, or has armed the next block already.
            if not give_up.is_set():
                self._close(armed)

        self._turns.take(close)

    def _close(self, armed: _Armed | None = None) -> None:
        """Stop the camera and close the file; one that is away does not keep the other open."""
        problem: Exception | None = None
        try:
            put(self.cam.acquire, 0, ARMING_S)
        except (DeviceFault, TimeoutError) as error:
            problem = error
        self._close_file()
        if problem is not None:
            raise problem
        if armed is not None:
            armed.captured = self._captured()
            self._last_path = armed.path
        else:
            self._armed = None

    def _close_file(self) -> None:
        hdf = self.hdf1
        if not hdf.capture.connected:
            raise fault(f"{self.name} writer", "the file of frames to be closed", "it disconnected")
        if str(hdf.capture.get(use_monitor=False)) in ("1", "Capture"):
            put(hdf.capture, 0, CLOSING_S)
            wait_until(
                lambda: str(hdf.capture.get(use_monitor=False)) in ("0", "Done"),
                CLOSING_S,
                lambda: fault(self.name, "the file of frames to be closed", "it is still open"),
            )
