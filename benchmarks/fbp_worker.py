"""One compared method in a process of its own: ``python -m benchmarks.fbp_worker NAME``.

Reads orders, one JSON object a line, and answers each by one: ``{"make": columns, "angles_deg":
[...]}`` imports, compiles and sets up; ``{"load": "sinograms.npy"}`` takes data; ``{"time": n}``
reconstructs the first n slices; ``{"save": "slices.npy"}`` reconstructs all into a file. Times are
CPU seconds of the whole process, so that a second thread would not be free.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

import numpy as np

from benchmarks.fbp_methods import METHODS, Method, Slices

_MEMORY_BYTES = 8 << 30
_CPU_S = 3600


class Worker:
    """Carries out orders one by one."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._run: Slices | None = None
        self._sinograms = np.empty((0, 0, 0), np.float32)

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do what the order says; an unknown one is an error."""
        if "make" in order:
            return self._make(order["make"], np.asarray(order["angles_deg"]))
        if "load" in order:
            self._sinograms = np.load(order["load"])
            return {"slices": len(self._sinograms)}
        if self._run is None:
            raise ValueError("make comes first")
        if "time" in order:
            begin = time.process_time()
            self._run(self._sinograms[: order["time"]])
            return {"cpu_s": time.process_time() - begin}
        if "save" in order:
            np.save(order["save"], self._run(self._sinograms))
            return {"saved": order["save"]}
        raise ValueError(f"no such order: {order}")

    def _make(self, columns: int, angles_deg: np.ndarray) -> dict[str, Any]:
        begin = time.process_time()
        try:
            module = self._method.available()
        except ImportError as error:
            return {"absent": str(error)}
        # Once on little data, so that what is compiled or planned once is not the scan's.
        few = angles_deg[:: max(1, angles_deg.size // 16)]
        little = np.ones((2, few.size, 64), np.float32)
        self._method.setup(module, 64, few)(little)
        compiled = time.process_time()
        self._run = self._method.setup(module, columns, angles_deg)
        done = time.process_time()
        return {"compile_s": compiled - begin, "setup_s": done - compiled}


def main() -> None:
    """Answer until the orders end."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    # Libraries that print must not spoil the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker(METHODS[sys.argv[1]])
    for line in sys.stdin:
        answers.write(json.dumps(worker.obey(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
