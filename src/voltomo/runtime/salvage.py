"""What can be had of a file of frames whose writer was killed, or whose end is lost.

HDF5 reads the metadata of such a file again and again, for ever, where they are not whole. So the
copy is made by a process of its own, which says every frame that it has; when it falls silent it
is ended, and a second one copies what came before that place.
"""

from __future__ import annotations

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
import argparse
import contextlib
import os
import select
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from voltomo.runtime.frame_files import FRAMES, STAMPS, UNIQUE_IDS, FrameFile, FrameFileUnreadable

STALL_S = 10.0
"""A copy that has said nothing for so long hangs."""


def salvage(path: Path, clean: Path, *, stall_s: float = STALL_S) -> int:
    """Copy what is readable of a file to a clean one.

    Frames are taken from the first on up to the first that is not whole.

    Parameters
    ----------
    path : Path
        The file that was left behind; it is not changed.
    clean : Path
        The new file, replaced in one step.
    stall_s : float
        How long one frame may take.

    Returns
    -------
    int
        Frames that were copied.

    Raises
    ------
    FrameFileUnreadable
        Nothing can be had from the file.
    """
    # Of a name of its own: an export and the catalogue may want the same copy at the same time.
    part = clean.with_name(f"{clean.name}.{os.getpid()}.part")
    try:
        copied, ended = _copy(path, part, None, stall_s)
        if not ended and copied:
            copied, ended = _copy(path, part, copied, stall_s)
        if not ended:
            raise FrameFileUnreadable(
                f"{path} cannot be read: its end is lost, or the disk is failing; restore it from "
                "a copy"
            )
        part.replace(clean)
    finally:
        part.unlink(missing_ok=True)
    return copied


def _copy(path: Path, part: Path, at_most: int | None, stall_s: float) -> tuple[int, bool]:
    """Frames that a process has copied, and whether it came to its end."""
    command = [sys.executable, "-m", "voltomo.runtime.salvage", str(path), str(part)]
    if at_most is not None:
        command += ["--at-most", str(at_most)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        frames = process.stdout
        copied, ended = 0, False
        while frames is not None and not ended:
            ready, _, _ = select.select([frames], [], [], stall_s)
            if not ready:
                break
            said = os.read(frames.fileno(), 1 << 16)
            copied += said.count(b"\n")
            ended = not said
        if not ended:
            process.kill()
        complaint = process.stderr.read().decode(errors="replace") if process.stderr else ""
    if ended and process.returncode:
        raise FrameFileUnreadable(complaint.strip().rpartition("\n")[2] or f"{path} is unreadable")
    return copied, ended


def _copy_here(path: Path, part: Path, at_most: int | None) -> None:
    """The copy itself, a line on standard output for each frame."""
    with FrameFile(path, rescue=True) as source:
        count, rows, columns = source.shape
        count = count if at_most is None else min(count, at_most)
        unique_id, time_s = source.unique_id, source.time_s
        with h5py.File(part, "w", libver="latest") as target:
            frames = target.create_dataset(
                FRAMES, (count, rows, columns), np.uint16, chunks=(1, rows, columns),
                maxshape=(None, rows, columns),
            )  # fmt: skip
            whole = 0
            for number in range(count):
                try:
                    data = source.raw_chunk(number)
                except (OSError, ValueError, RuntimeError):
                    break
                if len(data) != rows * columns * 2:
                    break
                frames.id.write_direct_chunk((number, 0, 0), data)
                whole += 1
                os.write(1, b"\n")
            frames.resize(whole, 0)
            target.create_dataset(UNIQUE_IDS, data=unique_id[:whole])
            target.create_dataset(STAMPS, data=time_s[:whole])


def main() -> None:
    """Copy one file; a sentence on standard error and exit code 1 where that cannot be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("part", type=Path)
    parser.add_argument("--at-most", type=int)
    given = parser.parse_args()
    try:
        _copy_here(given.path, given.part, given.at_most)
    except (FrameFileUnreadable, OSError) as error:
        with contextlib.suppress(FileNotFoundError):
            given.part.unlink()
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
