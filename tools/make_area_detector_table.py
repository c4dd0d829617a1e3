"""Make the table of PV names that unmodified ophyd areaDetector classes expect.

Run ``python tools/make_area_detector_table.py`` after a change of ophyd's version. The classes
are walked, not instantiated; what they do not tell (the choices of an enumeration, which numbers
are real) stands below. The twin reads the table and so needs no ophyd itself.
"""

from __future__ import annotations

import csv
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ophyd.areadetector.base import EpicsSignalWithRBV
from ophyd.areadetector.cam import SimDetectorCam
from ophyd.areadetector.paths import EpicsPathSignal
from ophyd.areadetector.plugins import HDF5Plugin_V34, PvaPlugin_V34
from ophyd.device import Device, DynamicDeviceComponent
from ophyd.signal import EpicsSignalBase

TARGET = Path(__file__).parents[1] / "src/voltomo/twin/area_detector_pvs.csv"

GROUPS: tuple[tuple[type[Any], str], ...] = (
    (SimDetectorCam, "cam1:"),
    (PvaPlugin_V34, "Pva1:"),
    (HDF5Plugin_V34, "HDF1:"),
)

NO_YES = "No|Yes"
OFF_ON = "Off|On"
ENUMS = {
    "Acquire": "Done|Acquire",
    "ArrayCallbacks": "Disable|Enable",
    "AutoIncrement": NO_YES,
    "AutoSave": NO_YES,
    "BlockingCallbacks": NO_YES,
    "BloscCompressor": "blosclz|lz4|lz4hc|snappy|zlib|zstd",
    "BloscShuffle": "None|ByteShuffle|BitShuffle",
    "Capture": "Done|Capture",
    "ColorMode": "Mono|Bayer|RGB1|RGB2|RGB3|YUV444|YUV422|YUV421",
    "Compression": "None|N-bit|szip|zlib|Blosc",
    "DataType": "Int8|UInt8|Int16|UInt16|Int32|UInt32|Int64|UInt64|Float32|Float64",
    "DeleteDriverFile": NO_YES,
    "DetectorState": "Idle|Acquire|Readout|Correct|Saving|Aborting|Error|Waiting|Initializing"
    "|Disconnected|Aborted",
    "DimAttDatasets": NO_YES,
    "EmptyFreeList": "Done|Empty",
    "EnableCallbacks": "Disable|Enable",
    "FileWriteMode": "Single|Capture|Stream",
    "FilePathExists": NO_YES,
    "FrameType": "Normal|Background|FlatField|DblCorrelation",
    "ImageMode": "Single|Multiple|Continuous",
    "LazyOpen": NO_YES,
    "NDAttributesStatus": "Attributes file OK|File not found|XML syntax error|Macro error",
    "PositionMode": OFF_ON,
    "ProcessPlugin": "Done|Process",
    "ReadFile": "Done|Read",
    "ReadStatus": "Done|Read",
    "Reset": "Done|Reset",
    "ReverseX": NO_YES,
    "ReverseY": NO_YES,
    "ShutterControl": "Close|Open",
    "ShutterMode": "None|EPICS|Detector",
    "ShutterStatus": "Closed|Open",
    "SimMode": "LinearRamp|Peaks|Sine",
    "SortMode": "Unsorted|Sorted",
    "StoreAttr": NO_YES,
    "StorePerform": NO_YES,
    "SWMRActive": "Off|Active",
    "SWMRMode": OFF_ON,
    "SWMRSupported": "Not Supported|Supported",
    "TriggerMode": "Internal|External",
    "WriteFile": "Done|Write",
    "WriteStatus": "Write OK|Write error",
    "XMLValid": NO_YES,
}
LONG_STRINGS = {
    "FileName",
    "FilePath",
    "FileTemplate",
    "FullFileName",
    "NDAttributesFile",
    "NDAttributesMacros",
    "StatusMessage",
    "StringFromServer",
    "StringToServer",
    "TempSuffix",
    "WriteMessage",
    "XMLErrorMsg",
    "XMLFileName",
}
STRINGS = {
    "ADCoreVersion",
    "BayerPattern",
    "DriverVersion",
    "FileFormat",
    "Manufacturer",
    "Model",
    "NDArrayPort",
    "PluginType",
    "PortName",
    "PvName",
}
DOUBLES = {
    "AcquirePeriod",
    "AcquireTime",
    "ArrayRate",
    "ExecutionTime",
    "FillValue",
    "Gain",
    "GainBlue",
    "GainGreen",
    "GainRed",
    "GainX",
    "GainY",
    "IOSpeed",
    "MaxArrayRate",
    "MaxByteRate",
    "MinCallbackTime",
    "PoolMaxMem",
    "PoolUsedMem",
    "RunTime",
    "ShutterCloseDelay",
    "ShutterOpenDelay",
    "SortTime",
    "Temperature",
    "TemperatureActual",
    "TimeRemaining",
    "TimeStamp",
}
ARRAYS = {"Dim0SA", "Dim1SA", "Dim2SA", "Dimensions"}
INITIAL = {
    "cam1:AcquirePeriod": "0.1",
    "cam1:AcquireTime": "0.02",
    "cam1:ArrayCallbacks": "Enable",
    "cam1:ADCoreVersion_RBV": "3.14.0",
    "cam1:BinX": "1",
    "cam1:BinY": "1",
    "cam1:DataType": "UInt16",
    "cam1:Gain": "1",
    "cam1:ImageMode": "Continuous",
    "cam1:Manufacturer_RBV": "voltomo",
    "cam1:Model_RBV": "virtual camera",
    "cam1:NumExposures": "1",
    "cam1:NumImages": "1",
    "cam1:PortName_RBV": "CAM",
    "HDF1:CreateDirectory": "0",
    "HDF1:FileTemplate": "%s%s_%6.6d.h5",
    "HDF1:FileFormat": "HDF5",
    "HDF1:FileWriteMode": "Stream",
    "HDF1:PortName_RBV": "HDF1",
    "HDF1:PluginType_RBV": "NDFileHDF5",
    "HDF1:StoreAttr": "Yes",
    "HDF1:SWMRMode": "On",
    "HDF1:SWMRSupported_RBV": "Supported",
    "Pva1:PluginType_RBV": "NDPluginPva",
    "Pva1:PortName_RBV": "PVA1",
}
# Not in ophyd's classes, but in areaDetector's own database and of use here.
EXTRA = ("cam1:UniqueId_RBV", "cam1:TimeStamp_RBV", "cam1:ADCoreVersion_RBV")


def _components(cls: Any, prefix: str) -> Iterator[tuple[str, bool]]:
    """Suffix of each PV of a device class, and whether an ``_RBV`` goes with it."""
    attributes = inspect.getattr_static(cls, "_sig_attrs")
    for component in attributes.values():
        if isinstance(component, DynamicDeviceComponent):
            yield from _components(component.cls, prefix)
            continue
        if not isinstance(component.cls, type):
            continue
        pv = prefix + (component.suffix or "")
        if issubclass(component.cls, Device):
            yield from _components(component.cls, pv)
        elif issubclass(component.cls, EpicsSignalBase):
            yield pv, issubclass(component.cls, EpicsSignalWithRBV | EpicsPathSignal)


def _row(pv: str, readback: bool) -> tuple[str, str, str, str, str]:
    """Name, type, choices, first value, whether it has a readback."""
    word = pv.rsplit(":", maxsplit=1)[-1].removesuffix("_RBV")
    plugin = not pv.startswith("cam1:")
    first = INITIAL.get(pv, "")
    if word in ENUMS:
        if plugin and word == "EnableCallbacks":
            first = first or "Enable"
        if plugin and word == "DataType":
            first = "UInt16"
        return pv, "enum", ENUMS[word], first or ENUMS[word].split("|")[0], str(int(readback))
    if word in LONG_STRINGS:
        return pv, "long_string", "", first, str(int(readback))
    if word in STRINGS or word.startswith(("ExtraDimName", "PosNameDim", "PosIndexDim")):
        if word == "NDArrayPort":
            first = "CAM"
        if word == "ADCoreVersion":
            first = "3.14.0"
        return pv, "string", "", first, str(int(readback))
    if word in DOUBLES:
        return pv, "double", "", first or "0", str(int(readback))
    if word in ARRAYS:
        return pv, "int_array", "10", first or "0", str(int(readback))
    return pv, "int", "", first or "0", str(int(readback))


def main() -> None:
    """Write the table."""
    found: dict[str, bool] = {}
    for cls, prefix in GROUPS:
        for pv, readback in _components(cls, prefix):
            found[pv] = found.get(pv, False) or readback
    found |= {pv: False for pv in EXTRA if pv not in found}
    found = {
        pv: rbv for pv, rbv in found.items() if not found.get(pv.removesuffix("_RBV"), False) or rbv
    }
    with TARGET.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "type", "choices", "initial", "readback"))
        writer.writerows(_row(pv, readback) for pv, readback in sorted(found.items()))


if __name__ == "__main__":
    main()
