"""What a replay is made of: read from the file, and refused before anything starts."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from voltomo.cli.errors import Refused
from voltomo.cli.replay import replay_job
from voltomo.cli.settings import check_settings
from voltomo.runtime.recorded_scan import RecordedHead, RecordedScan, RecordingUnreadable

ANGLES = np.arange(61) * 3.0


def recording(path: Path, energy_keV: float | None = None, **changes: Any) -> Path:
    """A disc off the axis, in floats, as other programs store them."""
    column = np.arange(48) - 25.3
    centre = 6 * np.cos(np.radians(ANGLES))[:, None] + 2 * np.sin(np.radians(ANGLES))[:, None]
    chord = 2 * np.sqrt(np.clip(81.0 - (column - centre) ** 2, 0, None))
    images = np.repeat(np.exp(-0.05 * chord)[:, None, :], 2, axis=1).astype(np.float32)
    parts = {
        "data": images,
        "data_white": np.ones((4, 2, 48), np.float32),
        "data_dark": np.zeros((3, 2, 48), np.float32),
        "theta": ANGLES,
    } | changes
    with h5py.File(path, "w") as file:
        for name, values in parts.items():
            file[f"exchange/{name}"] = values
        if energy_keV is not None:
            file["measurement/instrument/monochromator/energy"] = energy_keV
    return path


def test_axis_angles_and_numbers_come_from_the_file(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.h5")
    job = replay_job(path, None, tmp_path, 25.0)
    assert job.file.axis_column == pytest.approx(25.3, abs=0.05)
    assert (job.file.rows, job.file.columns) == (2, 48)
    assert (job.scan.projections, job.scan.darks, job.scan.flats_before) == (61, 3, 4)
    scale = job.file.twin["camera"]["replay_scale"]
    assert scale == RecordedHead.read(path).scale == RecordedScan.read(path).scale
    whole, given = RecordedScan.read(path), RecordedScan.read(path, scale)
    assert np.array_equal(whole.projections, given.projections)


@pytest.mark.parametrize("energy_keV", [0.3, 7.1, 72.0, 450.0, None])
def test_any_recorded_energy_can_be_played(tmp_path: Path, energy_keV: float | None) -> None:
    job = replay_job(recording(tmp_path / "a.h5", energy_keV), 25.3, tmp_path, 25.0)
    settings = check_settings(job.file)
    assert 8 <= settings["twin"]["energy_keV"] <= 60
    assert settings["guard"]["source"] == "replay"
    assert job.file.energy_keV == (energy_keV or 20.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": np.full((61, 2, 48), np.nan, np.float32)}, "expected finite values"),
        ({"data_white": np.ones((4, 2, 40), np.float32)}, "images of 2 × 48 pixels"),
        ({"theta": ANGLES[:-1]}, "an angle for each"),
    ],
)
def test_what_cannot_be_played_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    path = recording(tmp_path / "a.h5", **changes)
    with pytest.raises(RecordingUnreadable, match=sentence):
        replay_job(path, 25.3, tmp_path, 25.0)


def test_without_opposite_views_the_axis_is_asked_for(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.h5", theta=ANGLES / 2)
    with pytest.raises(Refused, match="--axis COLUMN"):
        replay_job(path, None, tmp_path, 25.0)
