"""A scan that never was: latches, frames of a phantom, files and run log as a plan writes them."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.live.engine import StreamedFrame
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.trigger_source import TriggerChunk
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.frame_files import FRAMES, STAMPS, UNIQUE_IDS

PERIOD_S = 0.02
DARK, FLAT = 100.0, 4000.0


def make_spec(
    rows: int = 4,
    columns: int = 64,
    projections: int = 90,
    range_deg: float = 180.0,
    **options: Any,
) -> ScanSpec:
    geometry = Geometry(
        rows=rows,
        columns=columns,
        pixel_um=1.0,
        axis_column=30.4 * columns / 64,
        step_deg=range_deg / projections,
        projections=projections,
    )
    few: dict[str, Any] = {"priming": 8, "darks": 4, "flats_before": 5, "flats_after": 3}
    return ScanSpec(
        sample="cell", geometry=geometry, exposure_s=0.01, period_s=PERIOD_S, **(few | options)
    )


@dataclass
class SyntheticScan:
    """Frames, latches and documents of one scan; ``folder`` takes its files."""

    folder: Path
    spec: ScanSpec = field(default_factory=make_spec)
    uid: str = "a-scan"
    clock_offset_s: float = 5000.0
    skew: float = 20e-6
    pause_s: float = 1.0
    jitter_s: float = 0.0

    def __post_init__(self) -> None:
        time_s = 10.0
        edges: list[float] = []
        angles: list[float] = []
        for block in self.spec.blocks():
            time_s += self.pause_s
            edges += [time_s + PERIOD_S * k for k in range(block.count)]
            time_s = edges[-1]
            asked = block.asked_deg
            angles += [0.0] * block.count if asked is None else asked.tolist()
        self.edge_s = np.array(edges)
        self.angle_deg = np.array(angles)
        self.stamp_s = (self.edge_s + self.clock_offset_s) * (1 + self.skew)
        self._random = np.random.default_rng(1)
        self.stamp_s += self._random.normal(0.0, self.jitter_s, self.stamp_s.size)
        self.images = [self._image(block, i) for block in self.spec.blocks() for i in range(
            block.first, block.last)]  # fmt: skip

    def _image(self, block: Block, index: int) -> NDArray[np.uint16]:
        return self._random.poisson(self.mean_counts(block, index)).astype(np.uint16)

    def mean_counts(self, block: Block, index: int) -> NDArray[np.float64]:
        """What the frame of a trigger would be without noise."""
        geometry = self.spec.geometry
        if block.kind in ("priming", "darks"):
            counts = np.full((geometry.rows, geometry.columns), DARK)
        elif block.kind == "flats":
            counts = np.full((geometry.rows, geometry.columns), DARK + FLAT)
        else:
            speed = (block.step_deg or 0.0) / block.period_s
            angle = np.radians(self.angle_deg[index] + speed * self.spec.exposure_s / 2)
            scale = geometry.columns / 64
            axis = self.spec.axis_column(block)
            column = np.arange(geometry.columns) - axis
            away = column - 8 * scale * np.cos(angle) - 5 * scale * np.sin(angle)
            radius = (9 + np.arange(geometry.rows)[:, None]) * scale
            chord = 2 * np.sqrt(np.maximum(radius**2 - away**2, 0))
            counts = DARK + FLAT * np.exp(-0.02 / scale * chord)
        return counts

    def chunk(self, first: int, last: int) -> TriggerChunk:
        return TriggerChunk(
            first, self.angle_deg[first:last].tolist(), self.edge_s[first:last].tolist()
        )

    def streamed(self, index: int) -> StreamedFrame:
        return StreamedFrame(self.images[index], float(self.stamp_s[index]), time.monotonic())

    def block(self, name: str) -> Block:
        return next(block for block in self.spec.blocks() if block.name == name)

    def write_file(self, block: Block, without: set[int] | None = None) -> Path:
        """The block's file, written whole."""
        kept = [i for i in range(block.first, block.last) if i not in (without or set())]
        path = self.folder / f"{self.uid}_{block.name}.h5"
        with h5py.File(path, "w", libver="latest") as file:
            images = np.array([self.images[i] for i in kept], np.uint16)
            file.create_dataset(
                FRAMES,
                data=images,
                chunks=(1, *images.shape[1:]),
                maxshape=(None, *images.shape[1:]),
            )
            file[UNIQUE_IDS] = np.array(kept, np.int64) + 1
            file[STAMPS] = self.stamp_s[kept]
        return path

    def log_start(self, log: AppendLog) -> None:
        scan_spec = self.spec.model_dump(mode="json")
        doc = {"uid": self.uid, "time": 1.0, "plan_name": "tomography", "scan_spec": scan_spec}
        self._document(log, "start", doc)
        self._document(log, "descriptor", {"uid": f"{self.uid}-t", "name": "triggers"})

    def log_file(self, log: AppendLog, block: Block, path: Path) -> None:
        parameters = {"dataset": FRAMES, "swmr": True, "block": block.name}
        doc = {
            "uid": f"{self.uid}-{block.name}",
            "data_key": "camera_image",
            "uri": f"file://localhost{path}",
            "parameters": parameters,
        }
        self._document(log, "stream_resource", doc)

    def log_latches(self, log: AppendLog, first: int, last: int) -> None:
        data = {
            "trigger_index": list(range(first, last)),
            "trigger_angle_deg": self.angle_deg[first:last].tolist(),
            "trigger_time_s": self.edge_s[first:last].tolist(),
        }
        self._document(log, "event_page", {"descriptor": f"{self.uid}-t", "data": data})

    def log_stop(self, log: AppendLog, exit_status: str = "success") -> None:
        self._document(log, "stop", {"run_start": self.uid, "exit_status": exit_status})

    def log_all(self, log: AppendLog, stop: bool = True, without: set[int] | None = None) -> None:
        self.log_start(log)
        for block in self.spec.blocks():
            self.log_file(log, block, self.write_file(block, without))
            self.log_latches(log, block.first, block.last)
        if stop:
            self.log_stop(log)

    @staticmethod
    def _document(log: AppendLog, name: str, doc: dict) -> None:
        log.append("document", {"name": name, "doc": doc})
