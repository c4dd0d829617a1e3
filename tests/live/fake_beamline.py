"""Camera and trigger as the worker sees them: ``python -m fake_beamline FOLDER``, orders on stdin.

``stream FIRST LAST [LOST ...]`` posts frames over PVA and their latches over Channel Access.
"""

import json
import sys
import time
from pathlib import Path

from softioc import asyncio_dispatcher, builder, softioc
from synthetic_scan import SyntheticScan, make_spec


def main() -> None:
    import numpy as np
    from p4p.nt import NTNDArray
    from p4p.server import Server
    from p4p.server.thread import SharedPV

    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    scan = SyntheticScan(Path(sys.argv[1]), make_spec(**options))
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.SetDeviceName("VT:Trigger")
    chunk = builder.WaveformIn("Chunk", length=8192, datatype=float)
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    kind = NTNDArray()
    image = SharedPV()
    image.open(kind.wrap(np.zeros((2, 2), np.uint16)))
    with Server(providers=[{"VT:Cam:Pva1:Image": image}]):
        sys.stdout.write("up\n")
        sys.stdout.flush()
        for line in sys.stdin:
            first, last, *lost = (int(word) for word in line.split()[1:])
            for index in range(first, last):
                if index not in lost:
                    value = kind.wrap(scan.images[index])
                    value["uniqueId"] = index + 1
                    stamp = float(scan.stamp_s[index])
                    value["dataTimeStamp.secondsPastEpoch"] = int(stamp)
                    value["dataTimeStamp.nanoseconds"] = int(stamp % 1 * 1e9)
                    image.post(value)
                time.sleep(0.005)
            count = last - first
            angles, times = scan.angle_deg[first:last], scan.edge_s[first:last]
            chunk.set(np.concatenate([[first, count], angles, times]))
            time.sleep(0.2)
            sys.stdout.write("streamed\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
