"""What camera and writer must prove before a scan, with the shutter closed."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from voltomo.devices.background import demand_wanted, put_and_confirm, wait_until
from voltomo.devices.camera_file import check_room
from voltomo.devices.faults import fault
from voltomo.devices.timeouts import ARMING_S
from voltomo.model.arming import CameraSetup

if TYPE_CHECKING:
    from voltomo.devices.camera import Camera

OLDEST_ADCORE: tuple[int, int] = (3, 4)
"""Plugins of this version are what the classes name; another first number may rename anything."""

_VERSION = re.compile(r"\D*(\d+)[.-](\d+)")
_HEADER_BYTES = 100_000
_TEMPLATE = "%s%s.h5"


def check_camera(
    camera: Camera, setup: CameraSetup, folder: Path, give_up: threading.Event
) -> None:
    """Set up camera and writer for a scan, and refuse with a sentence what would fail later.

    Raises
    ------
    DeviceFault
        Frame size, port graph, exposure, file path or disk room do not fit the scan.
    """
    for step in (
        lambda: _check_version(camera),
        lambda: _prime(camera, setup),
        lambda: _check_ports(camera),
        lambda: _check_size(camera, setup),
        lambda: _check_exposure(camera, setup),
        lambda: _set_path(camera, folder),
    ):
        demand_wanted(give_up, camera.name)
        step()
    check_room(folder, setup.frames * setup.rows * setup.columns * 2 + _HEADER_BYTES)


def _check_version(camera: Camera) -> None:
    """SWMR files and their time stamps came with a version of ADCore; words may change with one."""
    seen = str(camera.hdf1.ad_core_version.get(use_monitor=False))
    found = _VERSION.match(seen)
    version: tuple[int, int] = (0, 0) if found is None else (int(found[1]), int(found[2]))
    if version < OLDEST_ADCORE or version[0] > OLDEST_ADCORE[0]:
        oldest = ".".join(map(str, OLDEST_ADCORE))
        raise fault(
            camera.name,
            f"an IOC with ADCore {oldest} or a later {OLDEST_ADCORE[0]}",
            f"version {seen!r}",
            "no beam was used; start the IOC that this beamline was set up for",
        )


def _check_ports(camera: Camera) -> None:
    """The writer and the stream must hang on the camera."""
    port = str(camera.cam.port_name.get())
    for plugin in (camera.hdf1, camera.pva1):
        source = str(plugin.nd_array_port.get())
        if source != port:
            raise fault(
                plugin.name,
                f"frames from the camera's port {port!r}",
                f"port {source!r}",
                "no beam was used; set NDArrayPort",
            )


def _check_size(camera: Camera, setup: CameraSetup) -> None:
    size = camera.hdf1.array_size
    seen = (int(size.height.get(use_monitor=False)), int(size.width.get(use_monitor=False)))
    if seen != (setup.rows, setup.columns):
        raise fault(
            camera.name,
            f"frames of {setup.rows} rows × {setup.columns} columns",
            f"{seen[0]} × {seen[1]}",
            "no beam was used; the scan's geometry must be the camera's",
        )


def _check_exposure(camera: Camera, setup: CameraSetup) -> None:
    """The camera must take exposure and period as they are asked for."""
    put_and_confirm(camera.cam.acquire_time, float(setup.exposure_s))
    put_and_confirm(camera.cam.acquire_period, float(setup.period_s))


def _set_path(camera: Camera, folder: Path) -> None:
    """Write folder, template and mode, and read them back."""
    hdf = camera.hdf1
    text = f"{folder}/"
    if len(text.encode()) > 255:
        raise fault(camera.name, "a folder of at most 255 bytes", f"{len(text.encode())}: {folder}")
    put_and_confirm(hdf.create_directory, 0)
    hdf.file_path.put(text, wait=True, timeout=ARMING_S)
    wait_until(
        lambda: str(hdf.file_path.get(use_monitor=False)).rstrip("/") == str(folder),
        ARMING_S,
        lambda: fault(
            camera.name,
            f"the writer to take the folder {folder}",
            f"FilePath at {hdf.file_path.get()!r}",
            "no beam was used",
        ),
    )
    wait_until(
        lambda: str(hdf.file_path_exists.get(use_monitor=False)) in ("1", "Yes"),
        ARMING_S,
        lambda: fault(
            camera.name,
            f"the folder {folder} to exist where the writer runs",
            "FilePathExists at No",
            "no beam was used; make the folder on the writer's machine, or mount it there",
        ),
    )
    put_and_confirm(hdf.file_template, _TEMPLATE)
    put_and_confirm(hdf.auto_increment, 0)
    put_and_confirm(hdf.file_write_mode, 2)
    put_and_confirm(hdf.swmr_mode, "On")
    put_and_confirm(hdf.enable, "Enable")


def _prime(camera: Camera, setup: CameraSetup) -> None:
    """A writer that was just started knows no frame size until it has seen a frame."""
    put_and_confirm(camera.cam.array_callbacks, 1)
    put_and_confirm(camera.hdf1.enable, "Enable")
    height = camera.hdf1.array_size.height
    if int(height.get(use_monitor=False)) > 0:
        return
    put_and_confirm(camera.cam.trigger_mode, "Internal")
    put_and_confirm(camera.cam.image_mode, "Single")
    put_and_confirm(camera.cam.acquire_time, float(setup.exposure_s))
    camera.cam.acquire.put(1, wait=True, timeout=ARMING_S + 2 * setup.exposure_s)
    wait_until(
        lambda: int(height.get(use_monitor=False)) > 0,
        ARMING_S,
        lambda: fault(camera.name, "the writer to see a first frame", "none", "no beam was used"),
    )
