"""Foreign libraries, each in a process of its own, which may be absent or die."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.parallel_beam import (
    checked_angles,
    require_level_rows,
    require_sinograms,
    require_slice_on_row,
    scan_weights,
)
from voltomo.analysis.reconstructor import Capabilities, SliceGeometry
from voltomo.model.sentence import SentenceError
from voltomo.recon.convention import Convention, find_convention, shift_rows

Name = Literal["algotom", "tomopy"]

_WORKER = Path(__file__).with_name("backend_worker.py")
_START_S = 300.0
_ADVICE = {
    "algotom": "install it with pip in an environment, and name that environment's Python",
    "tomopy": (
        "make the conda environment of "
        f"{Path(__file__).with_name('tomopy-environment.yml')}, and name its Python"
    ),
}


class BackendFailed(SentenceError):
    """A foreign library is absent, failed, or its process died; the message says which."""


class ProcessReconstructor:
    """A library that reconstructs slices, run by a Python that has it.

    Implements `voltomo.analysis.reconstructor.Reconstructor`. Rows are centred before they are
    given to it and weighted by their share of the turn, and what it returns is turned, moved and
    scaled into our convention, which is found by a test at the start.

    Parameters
    ----------
    name : {"algotom", "tomopy"}
        Which library.
    python : Path, optional
        An interpreter that can import it; our own if not given.
    threads : int
        Of the library.
    patience_s : float
        A slice that takes longer ends the process.
    first_s : float
        What each order may take besides: libraries compile at their first.
    """

    def __init__(
        self,
        name: Name,
        python: Path | None = None,
        threads: int = 1,
        patience_s: float = 120.0,
        first_s: float = 600.0,
    ) -> None:
        self.capabilities = Capabilities(name, grows=False, any_order=False, largest_tilt_deg=0.0)
        self._name = name
        self._python = str(python or sys.executable)
        self._threads = threads
        self._patience_s = patience_s
        self._first_s = first_s
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._buffer = b""
        self._asked: Any = None
        self._angles = np.empty(0)
        self._weights = np.empty(0)
        self._size = self._wide = 0
        self._axis = 0.0
        self._columns = 0
        self._convention = Convention(0, False, 0.0, 0.0, 1.0, 0.0)

    @property
    def memory_promise_bytes(self) -> int:
        """What our side holds; what the library holds is its own."""
        return 3 * 4 * self._angles.size * self._wide + 3 * 4 * self._wide**2

    def prepare(
        self,
        geometry: SliceGeometry,
        angles_deg: ArrayLike | None = None,
        size: int | None = None,
        weights_rad: ArrayLike | None = None,
    ) -> None:
        """See `Reconstructor.prepare`; starts the process and tests what it does.

        Raises
        ------
        BackendFailed
            The library is absent, fails, or does not pass the test.
        ValueError
            The geometry is not that of tomography, or there are no angles.
        """
        require_level_rows(geometry)
        side = geometry.columns if size is None else size
        require_slice_on_row(geometry.columns, geometry.axis, side)
        if angles_deg is None:
            raise ValueError(f"{self._name} must know all angles before it starts; none were given")
        angles = checked_angles(angles_deg)
        self._columns, self._axis = geometry.columns, geometry.axis
        # Wide enough for the slice and for the row on either side of the axis, and of the parity
        # of the slice, so that its pixels are the middle ones of what the library makes.
        reach = max(geometry.axis, geometry.columns - 1 - geometry.axis)
        wide = max(side, int(2 * np.ceil(reach)) + 1)
        wide += (wide - side) % 2
        asked = (wide, angles.tobytes())
        self._size, self._wide, self._angles = side, wide, angles
        self._weights = scan_weights(angles, weights_rad) * (angles.size / np.pi)
        if self._process is None:
            self._start()
        if asked != self._asked:
            try:
                self._convention = find_convention(self._test, wide, angles)
            except ValueError as reason:
                raise BackendFailed(
                    f"{self._name} cannot be used: {reason}; nothing was reconstructed; use "
                    "--backend own"
                ) from reason
            self._asked = asked

    def recon_slices(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Reconstructor.recon_slices`."""
        require_sinograms(sinograms, self._angles.size, self._columns)
        left = (self._wide - self._columns) // 2
        right = self._wide - self._columns - left
        weighted = sinograms * self._weights[:, None].astype(np.float32)
        wide = np.pad(weighted, ((0, 0), (0, 0), (left, right)), mode="edge")
        to_middle = (self._wide - 1) / 2 - (self._axis + left)
        moved = shift_rows(wide, to_middle + self._convention.shift_of(self._angles))
        made = self._order(moved)
        edge = (self._wide - self._size) // 2
        inside = slice(edge, edge + self._size)
        return np.stack([self._convention.apply(one)[inside, inside] for one in made])

    def close(self) -> None:
        """End the process and leave no file."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _test(self, sinogram: NDArray[np.float32], _: NDArray[np.float64]) -> NDArray[np.float32]:
        weighted = sinogram * self._weights[:, None].astype(np.float32)
        return self._order(weighted[None])[0]

    def _start(self) -> None:
        threads = str(self._threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        command = [self._python, str(_WORKER), self._name, threads]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **dict.fromkeys(names, threads)},
                start_new_session=True,
            )
        except OSError as error:
            raise BackendFailed(
                f"{self._python} cannot be run for {self._name}: {error.strerror}; nothing was "
                "reconstructed; name a Python with --backend-python"
            ) from error
        answer = self._answer(_START_S)
        if answer["kind"] == "absent":
            self.close()
            raise BackendFailed(
                f"{self._name} is absent from {self._python} ({answer['why']}); nothing was "
                f"reconstructed; {_ADVICE[self._name]} with --backend-python, or use --backend own"
            )

    def _order(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"voltomo-{self._name}-"))
        given, made = self._folder / "sinograms.npy", self._folder / "slices.npy"
        np.save(given, sinograms)
        order = {
            "sinograms": str(given),
            "slices": str(made),
            "angles_rad": np.radians(self._angles).tolist(),
            "centre": (self._wide - 1) / 2,
        }
        process = self._process
        if process is None or process.stdin is None:
            raise BackendFailed(f"{self._name} was not prepared, or has ended; prepare it first")
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            raise self._died() from None
        answer = self._answer(self._first_s + self._patience_s * len(sinograms))
        if answer["kind"] != "done":
            raise BackendFailed(
                f"{self._name} failed with {answer['why']}; this slab was not written, those "
                "before it stay; use --backend own, or see what fails there"
            )
        return np.asarray(np.load(made), np.float32)

    def _answer(self, patience_s: float) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdout is None:
            raise self._died()
        until = time.monotonic() + patience_s
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([process.stdout], [], [], max(0, until - time.monotonic()))
            if not ready:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise BackendFailed(
                    f"{self._name} did not answer within {patience_s:.0f} s and was ended; this "
                    "slab was not written, those before it stay; use --backend own"
                )
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                raise self._died()
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _died(self) -> BackendFailed:
        code = self._process.wait() if self._process is not None else 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return BackendFailed(
            f"the process of {self._name} ended {how}; this slab was not written, those before it "
            "stay, and the same command goes on after them; use --backend own, or see what fails "
            "there"
        )
