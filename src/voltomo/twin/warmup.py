"""Compile the twin's kernels into their caches."""

from __future__ import annotations

from voltomo.twin.image_formation import PhantomCamera
from voltomo.twin.settings import TwinSettings


def warm_up() -> None:
    """Make one small frame and one slice of a phantom."""
    settings = TwinSettings()
    small = settings.camera.model_copy(update={"rows": 32, "columns": 64})
    PhantomCamera(small, settings.seed, settings.flux_per_cm2_s).warm_up()
