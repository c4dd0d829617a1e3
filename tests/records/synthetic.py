"""A run without a RunEngine: its logs and files of frames, as the contracts say."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np

from voltomo.model.geometry import Geometry
from voltomo.model.names import run_name
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.stream_names import STREAMS
from voltomo.records.run_log import RunLog
from voltomo.records.scan_record import TRIGGER_KEYS
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.run_folder import RunFolder

START_UTC_S = 1_800_000_000.0
TRIGGER_MINUS_UTC_S = 0.4
CAMERA_MINUS_TRIGGER_S = -3.7
SKEW = 25e-6
FLUX = 1e11
DOSE_PER_FLUENCE = 2e-12
PAUSE_S = 1.0


def small_spec(tilt_deg: float = 0.0, sweeps: int = 1) -> ScanSpec:
    return ScanSpec(
        sample="cell 3",
        geometry=Geometry(
            rows=12, columns=48, pixel_um=2.5, step_deg=3.0, projections=60, tilt_deg=tilt_deg
        ),
        exposure_s=0.02,
        period_s=0.025,
        sweeps=sweeps,
        darks=6,
        flats_before=6,
        flats_after=6,
    )


def picture(spec: ScanSpec, block: Block, angle_deg: float, rng: np.random.Generator) -> np.ndarray:
    """Counts of one frame: 100 in the dark, 20 000 in the open, a disc off the axis between."""
    geometry = spec.geometry
    counts = np.full((geometry.rows, geometry.columns), 100.0)
    if block.kind in ("flats", "sweep"):
        flat = 20000 * (1 + 0.1 * np.cos(np.arange(geometry.columns) / 9))
        if block.kind == "sweep":
            u = np.arange(geometry.columns) - spec.axis_column(block)
            turn = np.deg2rad(angle_deg)
            for x, y, radius, mu in ((0, 0, 0.4, 1.2), (0.17, 0.08, 0.1, 3), (-0.2, 0, 0.08, -1)):
                centre = (x * np.cos(turn) + y * np.sin(turn)) * geometry.columns
                size = radius * geometry.columns
                chord = 2 * np.sqrt(np.clip(size**2 - (u - centre) ** 2, 0, None))
                flat = flat * np.exp(-mu * chord / geometry.columns)
        counts = counts + flat
    return rng.poisson(counts).astype(np.uint16)


def write_frames(path: Path, images: np.ndarray, ids: np.ndarray, stamps: np.ndarray) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        size = images.shape[1:]
        file.create_dataset(
            "/entry/data/data", data=images, chunks=(1, *size), maxshape=(None, *size)
        )
        base = "/entry/instrument/NDAttributes/"
        file.create_dataset(base + "NDArrayUniqueId", data=ids.astype(np.int32))
        file.create_dataset(base + "NDArrayTimeStamp", data=stamps)


@dataclass
class SyntheticRun:
    """What is written; the lists of trigger indices are the faults."""

    folder: RunFolder
    spec: ScanSpec = field(default_factory=small_spec)
    lost: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()
    doubled: tuple[int, ...] = ()
    last: int | None = None
    stop: str | None = "success"
    source: str = "twin"
    announce_last_file: bool = True
    uid: str = ""
    truth: dict[int, np.ndarray] = field(default_factory=dict)

    def write(self) -> SyntheticRun:
        self.uid = self.uid or str(uuid.uuid4())
        self.folder.create()
        rng = np.random.default_rng(5)
        with RunLog(self.folder.run_log) as log, AppendLog(self.folder.exposure_log) as ledger:
            self._begin(log)
            now_s, number = START_UTC_S + 1.0, 100
            last = self.spec.triggers if self.last is None else self.last
            blocks = [block for block in self.spec.blocks() if block.first < last]
            for block in blocks:
                count = min(block.count, last - block.first)
                number = self._block(log, block, count, now_s, number, rng, block is blocks[-1])
                if block.kind in ("flats", "sweep"):
                    self._charge(log, ledger, block, count, now_s)
                now_s += count * block.period_s + PAUSE_S
            self._baseline(log, now_s)
            if self.stop:
                log("stop", {"uid": str(uuid.uuid4()), "time": now_s, "run_start": self.uid,
                             "exit_status": self.stop, "reason": "", "num_events": {}})  # fmt: skip
        return self

    def _begin(self, log: RunLog) -> None:
        start: dict[str, Any] = {
            "uid": self.uid, "time": START_UTC_S, "plan_name": "tomography",
            "scan_spec": self.spec.model_dump(mode="json"), "sample": self.spec.sample,
            "source": self.source, "energy_keV": 25.0,
            "beamline": {"name": "virtual", "source_name": "voltomo virtual source"},
            "sample_limits": {"material": "LFP", "dose_limit_Gy": 1e6, "beam_limit_s": 600.0,
                              "dose_limit_source": "a test"},
        }  # fmt: skip
        if self.source == "replay":
            start["replay"] = {"file": "tooth.h5", "scale": 3.5}
        log("start", start)
        trigger_keys = {
            key: {"source": "", "dtype": "number", "shape": []}
            for key in ("trigger_index", "trigger_angle_deg", "trigger_time_s")
        }
        log("descriptor", {"uid": f"{self.uid}-t", "run_start": self.uid, "name": "triggers",
                           "data_keys": trigger_keys, "time": START_UTC_S})  # fmt: skip
        for stream in dict.fromkeys(STREAMS[block.kind] for block in self.spec.blocks()):
            image = {"source": "", "dtype": "array", "dtype_numpy": "<u2", "external": "STREAM:",
                     "shape": [self.spec.geometry.rows, self.spec.geometry.columns]}  # fmt: skip
            log("descriptor", {"uid": f"{self.uid}-{stream}", "run_start": self.uid,
                               "name": stream, "data_keys": {"camera_image": image},
                               "time": START_UTC_S})  # fmt: skip
        units = {"sample_stage_x": "mm", "sample_stage_y": "mm", "sample_stage_z": "mm",
                 "beam_monitor_ring_current": "mA"}  # fmt: skip
        keys = {key: {"source": "", "dtype": "number", "shape": [], "units": unit}
                for key, unit in units.items()}  # fmt: skip
        log("descriptor", {"uid": f"{self.uid}-b", "run_start": self.uid, "name": "baseline",
                           "data_keys": keys, "time": START_UTC_S})  # fmt: skip
        self._baseline(log, START_UTC_S)

    def _baseline(self, log: RunLog, utc_s: float) -> None:
        data = {"sample_stage_x": np.float64(1.0), "sample_stage_y": 2.0, "sample_stage_z": 3.0,
                "beam_monitor_ring_current": 200.0}  # fmt: skip
        log("event", {"uid": str(uuid.uuid4()), "descriptor": f"{self.uid}-b", "time": utc_s,
                      "seq_num": 1 + (utc_s > START_UTC_S), "data": data,
                      "timestamps": dict.fromkeys(data, utc_s)})  # fmt: skip

    def _block(
        self,
        log: RunLog,
        block: Block,
        count: int,
        now_s: float,
        number: int,
        rng: np.random.Generator,
        is_last: bool,
    ) -> int:
        index = block.first + np.arange(count)
        edges_utc_s = now_s + np.arange(count) * block.period_s
        time_s = edges_utc_s + TRIGGER_MINUS_UTC_S
        asked = block.asked_deg
        angle = np.full(count, self.spec.geometry.start_deg) if asked is None else asked[:count]
        half_deg = (block.step_deg or 0.0) / block.period_s * self.spec.exposure_s / 2
        images, ids, stamps = [], [], []
        for i, t, a in zip(index, time_s, angle, strict=True):
            if i in self.missed:
                continue
            number += 1
            if i in self.lost:
                continue
            for repeat in range(2 if i in self.doubled else 1):
                number += repeat
                images.append(picture(self.spec, block, a + half_deg, rng))
                ids.append(number)
                late_s = rng.normal(0, 1e-5) + repeat * 2e-3
                stamps.append((t + late_s - START_UTC_S) * (1 - SKEW) + START_UTC_S
                              + CAMERA_MINUS_TRIGGER_S)  # fmt: skip
                self.truth[int(i)] = images[-1]
        path = self.folder.frames / f"{run_name(self.uid)}_{block.name}.h5"
        shape = (0, self.spec.geometry.rows, self.spec.geometry.columns)
        stack = np.array(images, dtype=np.uint16) if images else np.empty(shape, np.uint16)
        write_frames(path, stack, np.array(ids), np.array(stamps))
        if self.announce_last_file or not is_last:
            resource = str(uuid.uuid4())
            log("stream_resource", {
                "uid": resource, "run_start": self.uid, "data_key": "camera_image",
                "mimetype": "application/x-hdf5", "uri": f"file://localhost{path}",
                "parameters": {"dataset": "/entry/data/data", "block": block.name, "swmr": True,
                               "chunk_shape": [1, *shape[1:]]},
            })  # fmt: skip
            announced = {"start": 0, "stop": len(stack)}
            log("stream_datum", {
                "uid": f"{resource}/0", "stream_resource": resource, "indices": announced,
                "descriptor": f"{self.uid}-{STREAMS[block.kind]}",
                "seq_nums": {"start": 1, "stop": len(stack) + 1},
            })  # fmt: skip
        self._pages(log, index, angle, time_s, edges_utc_s)
        return number

    def _pages(
        self,
        log: RunLog,
        index: np.ndarray,
        angle: np.ndarray,
        time_s: np.ndarray,
        edges_utc_s: np.ndarray,
    ) -> None:
        """Chunks overlap, as those of the trigger source do."""
        for first in range(0, index.size, 7):
            part = slice(max(first - 3, 0), first + 7)
            news = np.full(index[part].size, edges_utc_s[part][-1] + 0.004)
            log("event_page", {
                "uid": [str(uuid.uuid4()) for _ in news], "descriptor": f"{self.uid}-t",
                "seq_num": (1 + index[part]).tolist(), "time": news,
                "data": {"trigger_index": index[part], "trigger_angle_deg": angle[part],
                         "trigger_time_s": time_s[part]},
                "timestamps": dict.fromkeys(TRIGGER_KEYS, news),
            })  # fmt: skip

    def _charge(
        self, log: RunLog, ledger: AppendLog, block: Block, count: int, now_s: float
    ) -> None:
        opened, closed = now_s - 0.05, now_s + count * block.period_s + 0.05
        replay = self.source == "replay"
        central = 0.0 if replay else FLUX * (closed - opened) * DOSE_PER_FLUENCE
        cost = {
            "lease_id": str(uuid.uuid4()), "sample": self.spec.sample, "purpose": block.name,
            "scan_uid": self.uid, "open_s": closed - opened, "dose_Gy": 1.03 * central,
            "dose_central_Gy": central, "stamp": "replay: no beam" if replay else "",
        }  # fmt: skip
        flux = [[t, FLUX] for t in np.linspace(opened, closed, 5)]
        ledger.append("exposure", cost | {
            "opened_utc_s": opened, "closed_utc_s": closed, "flux": flux,
            "charged_s": 0.0 if replay else closed - opened,
            "dose_per_fluence_Gy_cm2": DOSE_PER_FLUENCE})  # fmt: skip
        log.append_entry("settlement", cost | {"reason": "done"})


def contents(path: Path, entry: str = "entry") -> dict[str, Any]:
    """Every field of an entry by its path: arrays, numbers, text."""
    fields: dict[str, Any] = {}

    def walk(group: h5py.Group, above: str) -> None:
        for name, item in group.items():
            if isinstance(item, h5py.Group):
                walk(item, f"{above}{name}/")
            elif isinstance(item, h5py.Dataset):
                is_text = h5py.check_string_dtype(item.dtype) is not None
                fields[above + name] = (item.asstr() if is_text else item)[()]

    with h5py.File(path) as file:
        walk(cast("h5py.Group", file[entry]), "")
    return fields


def count_run(folder: RunFolder) -> str:
    """A run that is no scan, as a stock plan leaves it."""
    uid = str(uuid.uuid4())
    with RunLog(folder.run_log) as log:
        log("start", {"uid": uid, "time": START_UTC_S, "plan_name": "count"})
        keys = {"detector": {"source": "", "dtype": "number", "shape": []}}
        log("descriptor", {"uid": f"{uid}-d", "run_start": uid, "name": "primary", "time": 1.0,
                           "data_keys": keys, "configuration": {}, "hints": {},
                           "object_keys": {}})  # fmt: skip
        for number in (1, 2, 3):
            log("event", {"uid": f"{uid}-{number}", "descriptor": f"{uid}-d", "time": 2.0,
                          "seq_num": number, "data": {"detector": 10.0 * number},
                          "timestamps": {"detector": 2.0}})  # fmt: skip
        log("stop", {"uid": str(uuid.uuid4()), "time": 3.0, "run_start": uid,
                     "exit_status": "success", "num_events": {"primary": 3}})  # fmt: skip
    return uid
