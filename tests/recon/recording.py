"""Small recorded scans of balls, as files of both kinds."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tests.analysis.balls import Stage, in_cylinder, project

ROWS, COLUMNS, VIEWS = 40, 72, 60
AXIS = 34.3
STAGE = Stage(ROWS, COLUMNS, AXIS)
BALLS = in_cylinder(27, 50, 25)
ANGLES = np.arange(VIEWS) * 180 / VIEWS


def counts(
    angles: NDArray[np.float64] = ANGLES, seed: int = 1, stage: Stage = STAGE
) -> dict[str, NDArray[np.uint16]]:
    """Projections, flats and darks as measured."""
    random = np.random.default_rng(seed)
    beam = 2e4 * (1 + 0.1 * np.cos(np.arange(stage.columns) / 11.0))
    passed = np.exp(-project(BALLS, stage, angles).astype(np.float64))
    shape = (stage.rows, stage.columns)
    return {
        "projections": random.poisson(100 + beam * passed).astype(np.uint16),
        "flats": random.poisson(100 + beam, (8, *shape)).astype(np.uint16),
        "darks": random.poisson(100, (4, *shape)).astype(np.uint16),
    }


def truth(z: float) -> NDArray[np.float32]:
    """The slice at a height from the middle row, attenuation per pixel."""
    place = np.arange(COLUMNS) - (COLUMNS - 1) / 2
    fine = np.zeros((COLUMNS, COLUMNS))
    for dx in (-0.25, 0.25):
        for dy in (-0.25, 0.25):
            for x, y, height, radius, strength in BALLS:
                away = (place[None, :] + dx - x) ** 2 + (place[:, None] + dy - y) ** 2
                fine += strength * (away + (z - height) ** 2 < radius**2) / 4
    return fine.astype(np.float32)


def nxtomo(
    path: Path,
    angles: NDArray[np.float64] = ANGLES,
    tilt_deg: float = 0.0,
    roll_deg: float = 0.0,
    **changes: Any,
) -> Path:
    """As this program writes it: darks, flats, projections, flats."""
    made = counts(angles) | changes
    flats = made["flats"]
    half = len(flats) // 2
    stacks = [made["darks"], flats[:half], made["projections"], flats[half:]]
    keys = np.repeat([2, 1, 0, 1], [len(stack) for stack in stacks])
    turns = np.zeros(len(keys))
    turns[keys == 0] = angles
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector["data"] = np.concatenate(stacks)
        detector["image_key"] = keys
        detector["x_pixel_size"] = 1.5e-6
        detector["x_pixel_size"].attrs["units"] = "m"
        entry["sample/rotation_angle"] = turns
        entry["sample/rotation_angle"].attrs["units"] = "deg"
        entry["instrument/beam/incident_energy"] = 20.0
        entry["instrument/beam/incident_energy"].attrs["units"] = "keV"
        entry["control/data"] = np.full(len(keys), 0.1)
        if tilt_deg:
            entry["sample/transformations/tilt"] = tilt_deg
            entry["sample/transformations/tilt"].attrs["units"] = "deg"
        if roll_deg:
            entry["voltomo/roll_angle"] = roll_deg
            entry["voltomo/roll_angle"].attrs["units"] = "degree"
    return path


def data_exchange(path: Path) -> Path:
    """As a beamline of the APS writes it; no pixel size."""
    made = counts()
    with h5py.File(path, "w") as file:
        exchange = file.create_group("exchange")
        exchange["data"] = made["projections"]
        exchange["data_white"] = made["flats"]
        exchange["data_dark"] = made["darks"]
        exchange["theta"] = ANGLES
        exchange["theta"].attrs["units"] = "degrees"
    return path
