"""A camera or writer with one fault in it: ``BROKEN=frames|stream|file python -m …``.

The processes are the real ones; only what a frame source gives, or how a file is appended to,
is what nobody has thought of.
"""

import os

import numpy as np

from voltomo.twin import camera_ioc
from voltomo.twin.hdf5_stream import Hdf5Stream
from voltomo.twin.ioc import main
from voltomo.twin.writer_ioc import WriterIoc


class NoFrames:
    shape = (32, 32)

    def frame(self, exposure):
        raise KeyError("no such projection")


class FramesThatCannotBeSent:
    shape = (32, 32)

    def frame(self, exposure):
        return np.zeros(self.shape, np.complex64)


def no_append(*_):
    raise KeyError("no such chunk")


if __name__ == "__main__":
    broken = os.environ["BROKEN"]
    if broken == "file":
        Hdf5Stream.append = no_append  # type: ignore[method-assign]
        raise SystemExit(main(WriterIoc))
    source = NoFrames() if broken == "frames" else FramesThatCannotBeSent()
    camera_ioc.make_source = lambda settings: source
    raise SystemExit(main(camera_ioc.CameraIoc))
