"""Compile the twin's kernels into their caches."""

from __future__ import annotations

from voltomo.twin.image_formation import PhantomCamera
from voltomo.twin.settings import TwinSettings


def warm_up() -> None:
    """Make one small frame of each sample."""
    settings = TwinSettings()
    small = settings.camera.model_copy(update={"rows": 32, "columns": 64})
    for sample in ("cell", "electrode"):
        camera = small.model_copy(update={"sample": sample})
        PhantomCamera(camera, settings.seed, settings.flux_per_cm2_s).warm_up()
