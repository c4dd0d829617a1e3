"""Compile all kernels before the first scan, which would otherwise wait for it."""

from dataclasses import dataclass

import numpy as np

from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.normalise import line_integrals, mean_field
from voltomo.analysis.plane import Plane
from voltomo.analysis.planes import PlaneReconstructor
from voltomo.analysis.projector import ParallelProjector
from voltomo.analysis.segment_features import Anchors, features
from voltomo.analysis.segment_trees import Trees
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import plan_volume
from voltomo.analysis.zingers import remove_zingers
from voltomo.model.geometry import Geometry


@dataclass(frozen=True)
class _SmallRow:
    """The smallest geometry that reaches every kernel."""

    columns: int = 16
    axis: float = 7.5
    roll_deg: float = 0.0
    tilt_deg: float = 0.0


def warm_up() -> None:
    """Run every kernel once on small arrays; milliseconds when the cache on disk is filled."""
    counts = np.full(16, 100, np.uint16)
    row = line_integrals(counts, counts * 2, counts // 2)
    sinograms = np.stack([row, row])[None]
    for reconstructor in (SliceReconstructor(16, 7.5), GriddingReconstructor()):
        reconstructor.prepare(_SmallRow(), (0.0, 90.0))
        reconstructor.recon_slices(sinograms)
    ParallelProjector(_SmallRow(), (0.0, 90.0)).project(np.zeros((16, 16), np.float32))
    remove_zingers(counts[None, None])
    _warm_up_segmenter()
    mean_field(np.stack([counts, counts, counts]))
    for tilt_deg, binning in ((0.0, 1), (20.0, 2)):
        _warm_up_volume(tilt_deg, binning)


def _warm_up_segmenter() -> None:
    seen = features(np.eye(32, dtype=np.float32), Anchors(0.0, 1.0, 0.1, 0.1))
    one = np.zeros((1, 1), np.float32)
    trees = Trees(np.zeros((1, 1), np.uint8), one, np.zeros((1, 2), np.float32), one[0])
    trees.probabilities(seen.reshape(len(seen), -1))


def _warm_up_volume(tilt_deg: float, binning: int) -> None:
    geometry = Geometry(
        rows=16, columns=16, pixel_um=1.0, roll_deg=tilt_deg / 10, tilt_deg=tilt_deg,
        step_deg=90.0, projections=4,
    )  # fmt: skip
    plan = plan_volume(geometry, free_bytes=2**30, binning=binning)
    volume = VolumeReconstructor(geometry, plan)
    for angle_deg in geometry.angles_deg:
        volume.add(np.ones((16, 16), np.float32), float(angle_deg))
    volume.recon()
    planes = PlaneReconstructor(geometry, {"": Plane.horizontal(8, 8)}, 4)
    planes.add(np.ones((16, 16), np.float32), 0.0)
    planes.move("", Plane.upright_x(8, 8))
