"""The writer's file: nothing is overwritten, and a disk without room leaves a readable file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from voltomo.runtime.frame_files import FrameFile
from voltomo.runtime.salvage import salvage
from voltomo.twin.hdf5_stream import Hdf5Stream

# A limit on the size of files makes the kernel refuse writes as a full disk does.
NO_ROOM = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from voltomo.twin.hdf5_stream import Hdf5Stream
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
stream = Hdf5Stream(Path(sys.argv[1]), 128, 128)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    for k in range(200):
        stream.append([np.full((128, 128), k, np.uint16)], [k], [k / 10])
except OSError as error:
    sys.stdout.write(f"{stream.captured}")
"""


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    Hdf5Stream(tmp_path / "a.h5", 8, 8).close()
    with pytest.raises(FileExistsError, match="nothing was overwritten"):
        Hdf5Stream(tmp_path / "a.h5", 8, 8)


def test_a_disk_without_room_is_refused_before_the_file_suffers(tmp_path: Path) -> None:
    # No disk has room for this frame, so the real check refuses it.
    with pytest.raises(OSError, match="MB left"):
        Hdf5Stream(tmp_path / "a.h5", 2**26, 2**26)
    assert not (tmp_path / "a.h5").exists()


def test_what_was_written_before_the_disk_was_full_stays_readable(tmp_path: Path) -> None:
    path, clean = tmp_path / "a.h5", tmp_path / "clean.h5"
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(path)], capture_output=True, text=True, timeout=60
    )
    captured = int(done.stdout)
    assert captured > 20
    assert salvage(path, clean) >= captured
    with FrameFile(clean, swmr=False) as reader:
        assert len(reader) >= captured
        frames = reader.frames(0, captured)
    assert (frames == np.arange(captured)[:, None, None]).all()
