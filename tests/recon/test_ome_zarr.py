"""Volumes as OME-Zarr 0.5: by its rules, with its smaller copies, in any order of slabs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from voltomo.recon.ome_zarr import SLAB_STEP, Layout, VolumeStore


def opened(path: Path) -> Any:
    """The group, without zarr's union of everything that JSON may be."""
    return zarr.open_group(path, mode="r")


def check_rules(path: Path) -> dict[str, Any]:
    """What OME-Zarr 0.5 demands of an image; returns its multiscale."""
    document = json.loads((path / "zarr.json").read_text())
    assert document["zarr_format"] == 3
    assert document["node_type"] == "group"
    ome = document["attributes"]["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    axes = multiscale["axes"]
    assert 2 <= len(axes) <= 5
    names = [axis["name"] for axis in axes]
    assert names == ["z", "y", "x"]
    assert all(axis["type"] == "space" for axis in axes)
    assert len({axis.get("unit") for axis in axes}) == 1
    before: list[int] = []
    for dataset in multiscale["datasets"]:
        scale, *others = dataset["coordinateTransformations"]
        assert scale["type"] == "scale"
        assert len(scale["scale"]) == len(axes)
        assert len(others) <= 1
        assert all(one["type"] == "translation" and len(one["translation"]) == 3 for one in others)
        array = json.loads((path / dataset["path"] / "zarr.json").read_text())
        assert array["node_type"] == "array"
        assert array["dimension_names"] == names
        # Largest first.
        assert not before or all(a <= b for a, b in zip(array["shape"], before, strict=True))
        before = array["shape"]
    return multiscale


def test_a_volume_follows_the_rules_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "made.ome.zarr"
    layout = Layout((3 * SLAB_STEP + 5, 300, 300), 0.65)
    volume = np.random.default_rng(1).normal(size=layout.shape).astype(np.float32)
    store = VolumeStore(path, layout)
    store.create({"denoised": False})
    for first in (SLAB_STEP, 0, 3 * SLAB_STEP, 2 * SLAB_STEP):
        store.write(first, volume[first : first + SLAB_STEP])
    multiscale = check_rules(path)
    assert {axis["unit"] for axis in multiscale["axes"]} == {"micrometer"}
    root = opened(path)
    np.testing.assert_array_equal(root["0"][...], volume)
    half = volume[:52].reshape(26, 2, 150, 2, 150, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(root["1"][...], half, rtol=1e-5, atol=1e-6)
    scale, translation = multiscale["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == [1.3] * 3
    assert translation["translation"] == [0.325] * 3
    store.note({"complete": True})
    assert root.attrs["ome"]["version"] == "0.5"
    assert opened(path).attrs["voltomo"] == {"denoised": False, "complete": True}


def test_without_a_pixel_size_no_unit_is_invented(tmp_path: Path) -> None:
    path = tmp_path / "made.ome.zarr"
    VolumeStore(path, Layout((1, 20, 20), None)).create({})
    multiscale = check_rules(path)
    assert all("unit" not in axis for axis in multiscale["axes"])
    assert len(multiscale["datasets"]) == 1


def test_copies_get_smaller_until_a_screen_shows_them() -> None:
    assert Layout((2048, 2048, 2048), 1.0).levels[-1] == (256, 256, 256)
    assert len(Layout((8, 4096, 4096), 1.0).levels) == 4
    assert Layout((2048, 2048, 2048), 1.0).bytes_at_most > 4 * 2048**3 * 8 / 7


def test_slabs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    store = VolumeStore(tmp_path / "made.ome.zarr", Layout((40, 20, 20), 1.0))
    store.create({})
    with pytest.raises(ValueError, match="multiple of 16"):
        store.write(3, np.zeros((16, 20, 20), np.float32))
    with pytest.raises(ValueError, match=r"slices of \(20, 20\)"):
        store.write(0, np.zeros((16, 20, 21), np.float32))
    with pytest.raises(ValueError, match="another volume"):
        VolumeStore(store.path, Layout((40, 20, 21), 1.0)).open()
