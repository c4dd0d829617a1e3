"""What only a virtual beamline can say: how far records lie from what really happened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.correlation import disc_correlation
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import Material
from voltomo.records.scan import Scan
from voltomo.twin.phantom import Phantom
from voltomo.twin.settings import TwinSettings
from voltomo.twin.truth import fluence
from voltomo.twin.world import World


def angle_rms_fraction_of_step(scan: Scan, world: World) -> float:
    """Angles of the valid frames of sweeps against the world's, as part of the step."""
    rows = scan.table
    blocks = scan.record.blocks
    sweeps = [at for at, block in enumerate(blocks) if block.kind == "sweep"]
    true = world.frames.since(0)
    angle = dict(zip(true["index"].tolist(), true["angle_deg"].tolist(), strict=True))
    kept = rows.valid & np.isin(rows.block, sweeps)
    differences = [rows.angle_deg[at] - angle[int(rows.index[at])] for at in np.flatnonzero(kept)]
    return float(np.sqrt(np.mean(np.square(differences)))) / scan.record.spec.geometry.step_deg


def dose_truth_Gy(scan: Scan, world: World, sample_material: Material, energy_keV: float) -> float:
    """Dose of the sample by the flux that really passed the shutter while it was in the field.

    Over the whole life of the world: twins of one scan have one ledger.
    """
    beyond_mm = scan.record.spec.flats_shift_mm / 2
    passed = fluence(world, 0.0, world.now_s(), beyond_mm)
    return passed * dose_per_fluence_Gy_cm2(sample_material, energy_keV)


def truth_correlation(
    image: NDArray[np.float32], row: int, settings: TwinSettings, energy_keV: float
) -> float:
    """Correlation of a slice with the phantom, inside the disc that every view sees."""
    camera = settings.camera
    phantom = Phantom.make(
        settings.seed,
        camera.columns,
        camera.rows,
        camera.pixel_um,
        energy_keV,
        camera.axis_column,
        camera.sample,
    )
    return disc_correlation(image, np.asarray(phantom.slice_attenuation(row), np.float32))
