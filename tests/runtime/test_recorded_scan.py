"""Recorded scans of every dialect, and one clear sentence for each that is broken."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.runtime.recorded_layouts import RecordingUnreadable
from voltomo.runtime.recorded_scan import RecordedScan, even_grid

ANGLES = np.arange(20) * 9.0


def frames(count: int, level: float = 1000.0) -> np.ndarray:
    rng = np.random.default_rng(count)
    return rng.poisson(level, (count, 4, 16)).astype(np.uint16)


def data_exchange(path: Path, **changes: object) -> Path:
    parts = {
        "data": frames(20), "data_white": frames(5, 3000), "data_dark": frames(4, 20),
        "theta": ANGLES, "units": "degrees",
    } | changes  # fmt: skip
    units = parts.pop("units")
    with h5py.File(path, "w") as file:
        exchange = file.create_group("exchange")
        for name, values in parts.items():
            if values is not None:
                exchange[name] = values
        if "theta" in exchange and units:
            exchange["theta"].attrs["units"] = units
    return path


def nxtomo(path: Path, key_name: str = "image_key", unit: str = "deg", deep: bool = False) -> Path:
    keys = np.array([2] * 4 + [1] * 5 + [0] * 20 + ([-1] if key_name.endswith("control") else []))
    angles = np.concatenate([np.zeros(9), ANGLES, [0.0] * (keys.size - 29)])
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry1/tomo_entry" if deep else "entry0000")
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector["data"] = np.concatenate(
            [frames(4, 20), frames(5, 3000), frames(20), frames(keys.size - 29)]
        )
        detector[key_name] = keys
        detector["count_time"] = np.full(keys.size, 50.0)
        detector["count_time"].attrs["units"] = "ms"
        detector["x_pixel_size"] = 1.6e-6
        detector["x_pixel_size"].attrs["units"] = "m"
        entry["sample/name"] = "tooth"
        entry["sample/rotation_angle"] = np.deg2rad(angles) if unit == "rad" else angles
        entry["sample/rotation_angle"].attrs["units"] = unit
    return path


@pytest.mark.parametrize("key_name", ["image_key", "image_key_control"])
@pytest.mark.parametrize("unit", ["deg", "rad"])
@pytest.mark.parametrize("deep", [False, True])
def test_nxtomo_of_others(tmp_path, key_name, unit, deep):
    scan = RecordedScan.read(nxtomo(tmp_path / "scan.nx", key_name, unit, deep))
    assert (scan.kind, scan.sample, scan.scale) == ("NXtomo", "tooth", 1.0)
    np.testing.assert_allclose(scan.angles_deg, ANGLES, atol=1e-9)
    assert np.array_equal(scan.projections, frames(20))
    assert np.array_equal(scan.flats, frames(5, 3000))
    assert np.array_equal(scan.darks, frames(4, 20))
    assert scan.exposure_s == pytest.approx(0.05)
    assert scan.pixel_um == pytest.approx(1.6)
    assert scan.assumed == ["energy"]
    assert scan.energy_keV is None


def test_own_export_comes_back_as_it_was(tmp_path):
    from tests.records.synthetic import SyntheticRun
    from voltomo.records.nxtomo import export_nxtomo
    from voltomo.records.scan import read_scan
    from voltomo.runtime.run_folder import RunFolder

    sweep = 12 + 6 + 6
    run = SyntheticRun(RunFolder(tmp_path / "run"), missed=(sweep + 7,)).write()
    scan = RecordedScan.read(export_nxtomo(read_scan(run.folder, run.uid), tmp_path / "scan.nxs"))
    grid = scan.grid()
    assert grid.count == 60
    assert list(np.flatnonzero(grid.projection_of_trigger < 0)) == [7]
    assert grid.step_deg == pytest.approx(3.0, abs=1e-4)
    for trigger, projection in enumerate(grid.projection_of_trigger):
        if projection >= 0:
            assert np.array_equal(scan.projections[projection], run.truth[sweep + trigger])
    assert (scan.energy_keV, scan.pixel_um, scan.exposure_s) == (25.0, pytest.approx(2.5), 0.02)
    assert scan.assumed == []


def test_floats_are_scaled_and_whole_numbers_are_not(tmp_path):
    whole = RecordedScan.read(data_exchange(tmp_path / "a.h5", data=frames(20).astype(np.float32)))
    assert whole.scale == 1.0
    floats = data_exchange(tmp_path / "b.h5", data=frames(20) * np.float32(0.01))
    scaled = RecordedScan.read(floats)
    assert scaled.flats.max() == 60000
    np.testing.assert_allclose(scaled.projections / scaled.scale, frames(20) * 0.01, atol=0.03)


def test_radians_and_flats_in_two_parts(tmp_path):
    path = data_exchange(
        tmp_path / "a.h5", theta=np.deg2rad(ANGLES), units="radians",
        data_white=frames(3, 3000), data_white_post=frames(2, 3000),
    )  # fmt: skip
    scan = RecordedScan.read(path)
    assert scan.flats.shape[0] == 5
    assert scan.grid().step_deg == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"theta": None}, "expected angles in"),
        ({"theta": ANGLES[:-1]}, "an angle for each of 20 projections; saw 19"),
        ({"theta": np.where(ANGLES == 27, 30.0, ANGLES)}, "off by 33 %"),
        ({"theta": np.where(ANGLES == 27, 18.0, ANGLES)}, "twice"),
        ({"theta": np.where(ANGLES == 27, np.nan, ANGLES)}, "expected a number for every angle"),
        ({"units": "furlong"}, "saw the unit 'furlong'"),
        ({"data_white": frames(1)}, "at least 2 flats and 1 dark; saw 1 and 4"),
        ({"data_dark": None}, "saw 5 and 0"),
        ({"data": np.full((20, 4, 16), np.nan)}, "1280 of 1280 pixels are not"),
        ({"data": np.zeros((20, 4))}, "saw 2 dimensions"),
        ({"data": None}, "expected projections"),
    ],
)
def test_bad_file_says_what_is_wrong_in_one_sentence(tmp_path, changes, sentence):
    path = data_exchange(tmp_path / "bad.h5", **changes)
    with pytest.raises(RecordingUnreadable, match=sentence) as caught:
        RecordedScan.read(path)
    assert "bad.h5" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_no_hdf5_no_scan(tmp_path):
    with pytest.raises(RecordingUnreadable, match="there is no file"):
        RecordedScan.read(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(RecordingUnreadable, match="cannot be read as an HDF5 file"):
        RecordedScan.read(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(RecordingUnreadable, match="expected an NXtomo entry or a DataExchange"):
        RecordedScan.read(tmp_path / "other.h5")


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(3, 400),
    step=st.floats(0.01, 30),
    start=st.floats(-360, 360),
    holes=st.sets(st.integers(1, 398), max_size=30),
    seed=st.integers(0, 999),
)
def test_grid_finds_every_projection_in_any_order(count, step, start, holes, seed):
    rng = np.random.default_rng(seed)
    kept = [k for k in range(count) if k not in holes or k in (0, count - 1)]
    # The step must be the commonest distance, or the grid is not in the angles.
    kept = kept if np.median(np.diff(kept)) == 1 else list(range(count))
    triggers = rng.permutation(kept)
    angles = start + step * (triggers + rng.uniform(-0.01, 0.01, len(kept)))
    grid = even_grid(angles)
    assert grid.count == count
    assert grid.step_deg == pytest.approx(step, rel=0.02)
    found = grid.projection_of_trigger
    assert np.array_equal(found[triggers], np.arange(triggers.size))
    assert grid.holes == count - len(kept)


REAL = os.environ.get("VOLTOMO_REAL_DATA")
FILES = sorted(
    path
    for path in (Path(REAL).iterdir() if REAL else ())
    if path.suffix in (".h5", ".hdf", ".nx", ".nxs")
)


@pytest.mark.skipif(not REAL, reason="VOLTOMO_REAL_DATA names no folder of recorded scans")
def test_there_are_real_data():
    assert FILES, f"{REAL} holds no *.h5, *.hdf, *.nx or *.nxs"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_real_data_can_be_replayed(path):
    scan = RecordedScan.read(path)
    grid = scan.grid()
    assert grid.count >= scan.projections.shape[0]
    assert scan.angles_deg.size == scan.projections.shape[0]
    assert scan.darks.mean() < scan.projections.mean() < scan.flats.mean()
    off = scan.angles_deg[grid.projection_of_trigger[grid.projection_of_trigger >= 0]]
    steps = np.flatnonzero(grid.projection_of_trigger >= 0)
    np.testing.assert_allclose(
        off, grid.start_deg + grid.step_deg * steps, atol=0.05 * grid.step_deg
    )
