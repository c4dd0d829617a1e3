"""What each stage of the live planes costs a frame, measured one after the other on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from voltomo.analysis.corrected import Fields
from voltomo.analysis.growing_corrections import GrowingCorrections
from voltomo.analysis.plane_kernels import add_to_plane
from voltomo.analysis.planes import PlaneReconstructor
from voltomo.analysis.ramp_filter import RampFilter
from voltomo.live.positions import PLANES, Positions
from voltomo.live.settings import LiveSettings
from voltomo.model.geometry import Geometry

_SIZE = 1024
_TURNS = 15


def stages_ms(kind: str) -> dict[str, float]:
    """CPU milliseconds of each stage for a frame of 1024²: correction, filter, buffer, planes.

    Parameters
    ----------
    kind : str
        "three planes" or "laminography".
    """
    tilted = kind == "laminography"
    geometry = Geometry(
        rows=_SIZE, columns=_SIZE, pixel_um=1.0, step_deg=0.4, projections=900,
        tilt_deg=30.0 if tilted else 0.0,
    )  # fmt: skip
    random = np.random.default_rng(1)
    flats, darks = (
        random.poisson(level, (4, _SIZE, _SIZE)).astype(np.uint16) for level in (4000, 100)
    )
    frame = random.poisson(2000, (_SIZE, _SIZE)).astype(np.uint16)
    settings = LiveSettings()
    fields = Fields(flats, darks, list(range(4)))
    corrections = GrowingCorrections(settings.corrections.settings(), fields)
    integrals = corrections.line_integrals(frame, 10.0)
    names = PLANES if tilted else PLANES[1:]
    planes = {name: Positions().plane(name, geometry) for name in names}
    made = PlaneReconstructor(geometry, planes, 900, int(settings.buffer_MB * 1e6))
    made.add(integrals, 0.0, 1.0)
    padded = np.zeros((_SIZE + 1, _SIZE + 1), np.float32)
    ramp = RampFilter(_SIZE)
    image = np.zeros((_SIZE, _SIZE), np.float32)
    found = {
        "correction": _cpu_ms(lambda _: corrections.line_integrals(frame, 10.0)),
        "filter": _cpu_ms(lambda _: ramp.apply(integrals)),
        "buffer": _cpu_ms(lambda turn: made.buffer.add(padded, float(turn), 1.0)),
    }
    for name, plane in planes.items():
        part = image[: plane.rows]

        def add(turn: int, plane=plane, part=part) -> None:
            place = plane.on_detector(geometry, 17.0 * turn)
            add_to_plane(part, padded, place, 1.0, 0, plane.rows)

        found[name] = _cpu_ms(add)
    return {name: round(value, 2) for name, value in found.items()}


def _cpu_ms(work: Callable[[int], object]) -> float:
    work(0)
    before = time.thread_time()
    for turn in range(_TURNS):
        work(turn)
    return 1e3 * (time.thread_time() - before) / _TURNS
