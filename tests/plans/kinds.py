"""One small scan of every kind."""

from __future__ import annotations

from typing import Any

from tests.plans.scripted import Named, beamline, spec
from voltomo.model.geometry import Geometry
from voltomo.model.place import Place, grid
from voltomo.model.scan_spec import ScanSpec


def geometry(**changes: Any) -> Geometry:
    values = {"rows": 8, "columns": 40, "pixel_um": 2.5, "step_deg": 60.0, "projections": 3}
    return Geometry(**(values | changes))


def small(**changes: Any) -> ScanSpec:
    few = {
        "geometry": geometry(), "period_s": 0.4, "darks": 2, "flats_before": 2, "flats_after": 2,
    }  # fmt: skip
    return spec(**(few | changes))


KINDS: dict[str, ScanSpec] = {
    "one sweep": small(),
    "turns": small(turns=3),
    "interlaced there and back": small(
        sweeps=4, interlace="golden", order="alternate", flats_every=2
    ),
    "mosaic": small(places=grid(2, 2, 0.08, 0.02)),
    "time series": small(sweeps=3, every_s=1e-4, places=grid(1, 2, 0.0, 0.01)),
    "half acquisition": small(
        geometry=geometry(projections=6), places=(Place(x_mm=0.04),), half_acquisition=True
    ),
    "step by step": small(motion="step", sweeps=2, order="alternate"),
    "steps with open beam": small(motion="step", gate="lease"),
    "steps by leases": small(motion="step", gate="lease", steps_per_lease=2),
    "golden frames": small(motion="step", angles="golden"),
    "radiographs": small(motion="step", geometry=geometry(step_deg=0, start_deg=30)),
    "flats and darks": small(sweeps=0),
    "stored flats": small(stored_flats="f00", flats_before=0, flats_after=0),
    "laminography": small(geometry=geometry(tilt_deg=30)),
}


def at_kind(name: str) -> Any:
    """A beamline on which this kind can be taken."""
    made = beamline()
    if name == "laminography":
        made.tilt = Named("tilt", 30.0)
        made.tilt.limits = (0.0, 45.0)
    return made
