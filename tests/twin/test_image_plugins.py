"""The image plugins: what each computes, and how they hang on each other's ports."""

import asyncio
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from voltomo.twin import image_operations as operations
from voltomo.twin.area_detector import AreaDetector
from voltomo.twin.camera_engine import CameraFrame
from voltomo.twin.image_plugins import GROUPS, ImagePlugins

IMAGE = np.random.default_rng(1).integers(0, 1000, (40, 60)).astype(np.uint16)
STATS = {
    "ComputeStatistics": "Yes", "ComputeCentroid": "Yes", "ComputeProfiles": "Yes",
    "ComputeHistogram": "Yes", "BgdWidth": 0, "CentroidThreshold": 0, "CursorX": 5, "CursorY": 6,
    "HistMin": 0, "HistMax": 1000, "HistSize": 10,
}  # fmt: skip
ROI = {
    "EnableX": "Enable", "EnableY": "Enable", "MinX": 10, "MinY": 4, "SizeX": 20, "SizeY": 30,
    "AutoSizeX": "No", "AutoSizeY": "No", "BinX": 1, "BinY": 1, "ReverseX": "No",
    "ReverseY": "No", "EnableScale": "Disable", "Scale": 1.0, "DataTypeOut": "Automatic",
}  # fmt: skip
PROC = {
    "EnableBackground": "Disable", "EnableFlatField": "Disable", "ScaleFlatField": 0.0,
    "EnableOffsetScale": "Disable", "Offset": 0.0, "Scale": 1.0, "EnableLowClip": "Disable",
    "LowClip": 0.0, "EnableHighClip": "Disable", "HighClip": 0.0, "EnableFilter": "Disable",
    "FilterType": "RecursiveAve", "NumFilter": 3, "DataTypeOut": "Automatic",
}  # fmt: skip


def test_a_region_is_cut_binned_and_turned() -> None:
    cut, place = operations.region(IMAGE, ROI)
    assert np.array_equal(cut, IMAGE[4:34, 10:30])
    assert place["MaxSizeX_RBV"] == 60
    binned, _ = operations.region(IMAGE, ROI | {"BinX": 2, "BinY": 3, "DataTypeOut": "Float64"})
    assert np.array_equal(binned, IMAGE[4:34, 10:30].reshape(10, 3, 10, 2).sum((1, 3)))
    turned, _ = operations.region(IMAGE, ROI | {"ReverseX": "Yes"})
    assert np.array_equal(turned, IMAGE[4:34, 10:30][:, ::-1])
    clipped, place = operations.region(IMAGE, ROI | {"MinX": 55, "SizeX": 100})
    assert clipped.shape == (30, 5)
    assert place["SizeX_RBV"] == 5


def test_images_are_turned_clockwise() -> None:
    assert np.array_equal(operations.transformed(IMAGE, {"Type": "Rot90"})[0], IMAGE[::-1, 0])
    assert np.array_equal(operations.transformed(IMAGE, {"Type": "Mirror"}), IMAGE[:, ::-1])
    assert np.array_equal(operations.transformed(IMAGE, {"Type": "None"}), IMAGE)


def test_processing_takes_away_background_and_averages() -> None:
    memory = operations.Processing(background=np.full(IMAGE.shape, 100.0))
    out = operations.processed(IMAGE, PROC | {"EnableBackground": "Enable"}, memory)
    assert np.array_equal(out, np.maximum(IMAGE.astype(int) - 100, 0))
    clip = PROC | {"EnableHighClip": "Enable", "HighClip": 50.0}
    assert operations.processed(IMAGE, clip, memory).max() == 50
    averaging = PROC | {"EnableFilter": "Enable", "DataTypeOut": "Float64"}
    means = [operations.processed(IMAGE, averaging, memory) for _ in range(3)]
    assert means[-1] == pytest.approx(IMAGE)
    later = operations.processed(IMAGE + np.uint16(300), averaging, memory)
    assert later == pytest.approx(IMAGE + 100.0)


def test_statistics_are_those_of_the_image() -> None:
    found = operations.statistics(IMAGE, STATS)
    assert found["Total"] == IMAGE.sum()
    assert found["Sigma"] == pytest.approx(IMAGE.std())
    assert IMAGE[int(found["MaxY"]), int(found["MaxX"])] == IMAGE.max()
    y, x = ndimage.center_of_mass(IMAGE.astype(float))
    assert (found["CentroidX"], found["CentroidY"]) == (pytest.approx(x), pytest.approx(y))
    assert found["Histogram"].sum() + found["HistAbove"] == IMAGE.size
    assert np.array_equal(found["ProfileCursorX"], IMAGE[6])
    assert operations.statistics(IMAGE, dict.fromkeys(STATS, "No")) == {}
    flat = operations.statistics(np.full((20, 20), 7), STATS | {"BgdWidth": 3})
    assert flat["Net"] == pytest.approx(0)


def test_plugins_follow_their_ports_and_drop_what_comes_too_fast() -> None:
    pvs = AreaDetector("T:", ("cam1:", *GROUPS))
    pvs_shown = (
        "Stats1:Total_RBV", "Stats1:ArraySize0_RBV", "ROI1:SizeY_RBV", "Trans1:ArrayCounter_RBV",
        "ROI1:DroppedArrays_RBV", "Stats1:UniqueId_RBV",
    )  # fmt: skip

    async def run() -> dict[str, Any]:
        for name, value in {
            "ROI1:EnableCallbacks": "Enable", "ROI1:MinX": 10, "ROI1:MinY": 4, "ROI1:SizeX": 20,
            "ROI1:SizeY": 30, "Stats1:EnableCallbacks": "Enable", "Stats1:NDArrayPort": "ROI1",
            "Stats1:ComputeStatistics": "Yes", "Trans1:EnableCallbacks": "Enable",
            "Trans1:NDArrayPort": "nowhere",
        }.items():  # fmt: skip
            await pvs[name].write(value, verify_value=False)
        plugins = ImagePlugins(pvs)
        plugins.start()
        try:
            for number in range(50):
                plugins.offer(CameraFrame(IMAGE, number, 1.5))
            for _ in range(200):
                await asyncio.sleep(0.01)
                await plugins.show()
                if pvs.value("Stats1:UniqueId_RBV") == 49:
                    break
        finally:
            plugins.end()
        return {name: pvs.value(name) for name in pvs_shown}

    seen = asyncio.run(run())
    assert seen["Stats1:Total_RBV"] == IMAGE[4:34, 10:30].sum()
    assert seen["Stats1:ArraySize0_RBV"] == 20
    assert seen["ROI1:SizeY_RBV"] == 30
    assert seen["Trans1:ArrayCounter_RBV"] == 0
    assert seen["ROI1:DroppedArrays_RBV"] >= 40
    assert seen["Stats1:UniqueId_RBV"] == 49
