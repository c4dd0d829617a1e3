"""The other end of `benchmarks.fbp_worker`: a process that is held to its limits."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.fbp_methods import METHODS

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-bench" / "bin" / "python"
# One thread each, whatever library starts them.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class Failed(Exception):
    """The method crashed, or did not answer in time."""


class Absent(Exception):
    """The method is not installed."""


class MethodProcess:
    """One method, running in its environment until closed.

    Parameters
    ----------
    name : str
        A key of `METHODS`.

    Raises
    ------
    Absent
        If its environment was not made.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        python = sys.executable if METHODS[name].own else str(PEERS)
        if not Path(python).exists():
            raise Absent("make setup-bench was not run")
        # A file, as a full pipe would stop it; closed with the process.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.fbp_worker", name],
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(_THREADS, "1")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    def ask(self, order: dict[str, Any], within_s: float) -> dict[str, Any]:
        """Give an order and wait for the answer.

        Raises
        ------
        Absent
            If the method cannot be imported.
        Failed
            If the process ended, or gave no answer in time; it is ended then.
        """
        pipes = self._process
        if pipes.stdin is None or pipes.stdout is None:
            raise Failed("it was started without pipes")
        try:
            pipes.stdin.write(json.dumps(order) + "\n")
            pipes.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._last_words()) from None
        with selectors.DefaultSelector() as waiting:
            waiting.register(pipes.stdout, selectors.EVENT_READ)
            if not waiting.select(within_s):
                self.close()
                raise Failed(f"no answer within {within_s:.0f} s")
        line = pipes.stdout.readline()
        if not line:
            raise Failed(self._last_words())
        answer = json.loads(line)
        if "absent" in answer:
            self.close()
            raise Absent(answer["absent"])
        return answer

    def close(self) -> None:
        """End the process; once more does no harm."""
        if not self._said.closed:
            self._process.kill()
            self._process.communicate()
            self._said.close()

    def _last_words(self) -> str:
        code = self._process.wait(5)
        self._said.seek(0)
        said = self._said.read().decode(errors="replace")
        self.close()
        return f"it ended with {code}: {said[-500:]}"
