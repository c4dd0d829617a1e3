"""The camera's look at its own files: stamps of a closed one, room for the next."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np
from event_model import compose_stream_resource

from voltomo.devices.faults import fault
from voltomo.model.arming import FrameBlock
from voltomo.model.frame_layout import FRAMES, STAMPS, UNIQUE_IDS
from voltomo.model.frame_table import Frames

_READ_AGAIN_S = 0.01


def read_stamps(path: Path) -> Frames:
    """Stamps and numbers of the frames in a closed file.

    Raises
    ------
    DeviceFault
        The file cannot be read, or lacks them.
    """
    try:
        with h5py.File(path, "r", libver="latest", swmr=True) as file:
            stamps = np.asarray(file[STAMPS], dtype=np.float64)
            numbers = np.asarray(file[UNIQUE_IDS], dtype=np.int64)
    except (OSError, KeyError) as error:
        raise fault(
            "camera", f"stamps and numbers of frames in {path}", str(error), "no beam was used"
        ) from error
    return Frames(stamps, numbers, np.arange(stamps.size, dtype=np.int64))


def file_of_frames(name: str, path: Path, shape: tuple[int, ...], block: FrameBlock) -> Any:
    """What composes the documents of a file of frames, ``stream_resource`` and ``stream_datum``.

    Parameters
    ----------
    name : str
        The camera; frames go under ``<name>_image``.
    path : Path
        The file.
    shape : tuple of int
        Rows and columns of a frame.
    block : FrameBlock
        The block and take that the frames are of.
    """
    return compose_stream_resource(
        mimetype="application/x-hdf5",
        uri=f"file://localhost{quote(str(path))}",
        data_key=f"{name}_image",
        parameters={
            "dataset": FRAMES,
            "chunk_shape": [1, *shape],
            "swmr": True,
            "block": block.block.name,
            "take": block.take,
        },
    )


def check_room(folder: Path, need_bytes: int) -> None:
    """Refuse a folder that has not twice the room that is needed.

    Raises
    ------
    DeviceFault
        The folder does not exist, or the disk is too small.
    """
    if not folder.is_dir():
        raise fault("camera", f"the folder {folder}", "none", "make it, or choose another")
    free = shutil.disk_usage(folder).free
    if free < 2 * need_bytes:
        raise fault(
            "camera",
            f"{2 * need_bytes / 1e9:.2f} GB free in {folder} (twice the need)",
            f"{free / 1e9:.2f} GB",
            "no beam was used; make room or take fewer frames",
        )


def mean_counts(path: Path, row: int, patience_s: float) -> float:
    """Mean of one frame of a file that is being written.

    Raises
    ------
    DeviceFault
        It cannot be read within the time.
    """
    end_s = time.monotonic() + patience_s
    seen = "no such frame"
    while time.monotonic() < end_s:
        try:
            with h5py.File(path, "r", libver="latest", swmr=True) as file:
                frames = file[FRAMES]
                if isinstance(frames, h5py.Dataset) and frames.shape[0] > row:
                    return float(np.mean(frames[row]))
        except OSError as error:
            # Its writer is about to write the head.
            seen = str(error)
        time.sleep(_READ_AGAIN_S)
    raise fault("camera", f"frame {row} of {path.name} to be readable", seen)
