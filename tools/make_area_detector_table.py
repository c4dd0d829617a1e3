"""Make the table of PV names that unmodified areaDetector classes expect, with type and words.

Run ``python -m tools.make_area_detector_table`` after a change of ophyd's or ophyd-async's version.
The classes are walked, not instantiated. What they do not tell (the type of a number, the words of
an enumeration) are facts of areaDetector's databases and stand in ``area_detector_words.csv``. The
twin reads the table and so needs no ophyd itself; the conformity tests read it, too.
"""

from __future__ import annotations

import csv
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from ophyd.areadetector import plugins
from ophyd.areadetector.base import EpicsSignalWithRBV
from ophyd.areadetector.cam import SimDetectorCam
from ophyd.areadetector.paths import EpicsPathSignal
from ophyd.device import Device, DynamicDeviceComponent
from ophyd.signal import EpicsSignalBase

HERE = Path(__file__).parent
WORDS = HERE / "area_detector_words.csv"
TARGET = HERE.parent / "src/voltomo/twin/area_detector_pvs.csv"

GROUPS: tuple[tuple[type[Any], str], ...] = (
    (SimDetectorCam, "cam1:"),
    (plugins.PvaPlugin, "Pva1:"),
    (plugins.PvaPlugin_V34, "Pva1:"),
    (plugins.HDF5Plugin_V34, "HDF1:"),
    (plugins.ROIPlugin, "ROI1:"),
    (plugins.ROIPlugin_V34, "ROI1:"),
    (plugins.StatsPlugin, "Stats1:"),
    (plugins.StatsPlugin_V34, "Stats1:"),
    (plugins.ProcessPlugin, "Proc1:"),
    (plugins.ProcessPlugin_V34, "Proc1:"),
    (plugins.TransformPlugin, "Trans1:"),
    (plugins.TransformPlugin_V34, "Trans1:"),
)
ASYNC_GROUPS = (
    ("ADBaseIO", "cam1:"),
    ("NDPluginBaseIO", "Pva1:"),
    ("NDFileHDF5IO", "HDF1:"),
    ("NDROIIO", "ROI1:"),
    ("NDStatsIO", "Stats1:"),
    ("NDProcessIO", "Proc1:"),
)

PLUGIN_TYPES = {
    "HDF1:": "NDFileHDF5", "Pva1:": "NDPluginPva", "ROI1:": "NDPluginROI",
    "Stats1:": "NDPluginStats", "Proc1:": "NDPluginProcess", "Trans1:": "NDPluginTransform",
}  # fmt: skip
# First values that are not 0, empty, or the first word.
INITIAL = {
    "cam1:AcquirePeriod": "0.1",
    "cam1:AcquireTime": "0.02",
    "cam1:ArrayCallbacks": "Enable",
    "cam1:BinX": "1",
    "cam1:BinY": "1",
    "cam1:Gain": "1",
    "cam1:ImageMode": "Continuous",
    "cam1:Manufacturer_RBV": "voltomo",
    "cam1:Model_RBV": "virtual camera",
    "cam1:NumExposures": "1",
    "cam1:NumImages": "1",
    "cam1:PortName_RBV": "CAM",
    "HDF1:EnableCallbacks": "Enable",
    "HDF1:FileTemplate": "%s%s_%6.6d.h5",
    "HDF1:FileWriteMode": "Stream",
    "HDF1:StoreAttr": "Yes",
    "HDF1:SWMRMode": "On",
    "HDF1:SWMRSupported_RBV": "Supported",
    "Pva1:EnableCallbacks": "Enable",
    "Proc1:Scale": "1",
    "Proc1:DataTypeOut": "Automatic",
    "Proc1:NumFilter": "1",
    "ROI1:BinX": "1",
    "ROI1:BinY": "1",
    "ROI1:EnableX": "Enable",
    "ROI1:EnableY": "Enable",
    "ROI1:DataTypeOut": "Automatic",
    "ROI1:Scale": "1",
    "Stats1:HistSize": "256",
    "Stats1:HistMax": "65535",
}
LENGTHS = {"Histogram": 256, "Dimensions": 10}
LENGTH = 1024
# Not in the classes, but in areaDetector's own database and of use here.
EXTRA = ("cam1:UniqueId_RBV", "cam1:TimeStamp_RBV", "cam1:ADCoreVersion_RBV")


def components(cls: Any, prefix: str) -> Iterator[tuple[str, bool]]:
    """Suffix of each PV of an ophyd class, and whether an ``_RBV`` goes with it."""
    attributes = inspect.getattr_static(cls, "_sig_attrs")
    for component in attributes.values():
        if isinstance(component, DynamicDeviceComponent):
            yield from components(component.cls, prefix)
            continue
        if not isinstance(component.cls, type):
            continue
        pv = prefix + (component.suffix or "")
        if issubclass(component.cls, Device):
            yield from components(component.cls, pv)
        elif issubclass(component.cls, EpicsSignalBase):
            yield pv, issubclass(component.cls, EpicsSignalWithRBV | EpicsPathSignal)


def _async_components(name: str, prefix: str) -> Iterator[tuple[str, bool]]:
    """The same of an ophyd-async class."""
    from ophyd_async.epics.adcore import _io as adcore
    from ophyd_async.epics.core import PvSuffix

    for hint in get_type_hints(getattr(adcore, name), include_extras=True).values():
        for suffix in getattr(hint, "__metadata__", ()):
            if isinstance(suffix, PvSuffix):
                write = suffix.write_suffix or suffix.read_suffix
                yield prefix + write, suffix.read_suffix != write


def named() -> dict[str, bool]:
    """All names, and whether each has a readback of its own."""
    found: dict[str, bool] = {}
    for cls, prefix in GROUPS:
        for pv, readback in components(cls, prefix):
            found[pv] = found.get(pv, False) or readback
    for name, prefix in ASYNC_GROUPS:
        for pv, readback in _async_components(name, prefix):
            found[pv] = found.get(pv, False) or readback
    found |= {pv: False for pv in EXTRA if pv not in found}
    return {
        pv: rbv for pv, rbv in found.items() if not found.get(pv.removesuffix("_RBV"), False) or rbv
    }


def known_words() -> dict[tuple[str, str], dict[str, str]]:
    """Type and choices by group (empty for all) and word."""
    with WORDS.open(newline="") as file:
        return {(row["group"], row["word"]): row for row in csv.DictReader(file)}


def _row(
    pv: str, readback: bool, known: dict[tuple[str, str], dict[str, str]]
) -> tuple[str, str, str, str, int, str]:
    """Name, type, choices or length, first value, whether it has a readback, whether words hold."""
    prefix, _, rest = pv.partition(":")
    group, word = prefix.rstrip("1"), rest.removesuffix("_RBV")
    fact = known.get((group, word)) or known[("", word)]
    kind, choices = fact["type"], fact["choices"]
    if kind == "enum":
        first = "UInt16" if word == "DataType" else choices.split("|")[0]
    elif kind in ("string", "long_string"):
        first = {
            "NDArrayPort": "CAM",
            "ADCoreVersion": "3.14.0",
            "PortName": prefix.upper(),
            "PluginType": PLUGIN_TYPES.get(f"{prefix}:", ""),
        }.get(word, "")
    else:
        first = "0"
    if kind.endswith("array"):
        choices = str(LENGTHS.get(word, LENGTH))
    return pv, kind, choices, INITIAL.get(pv, first), int(readback), fact["fixed"]


def main() -> None:
    """Write the table."""
    known = known_words()
    with TARGET.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "type", "choices", "initial", "readback", "fixed"))
        writer.writerows(_row(pv, readback, known) for pv, readback in sorted(named().items()))


if __name__ == "__main__":
    main()
