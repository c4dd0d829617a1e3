"""Every PV that unmodified ophyd classes name answers, with the right type and the right words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ophyd.areadetector import cam, plugins

from tests.conformity.asking import Expected, of_class
from tests.conformity.conftest import option

Demand = Callable[[list[Expected]], None]

PLUGINS = {
    "HDF1:": ("HDF", (plugins.HDF5Plugin_V34,)),
    "Pva1:": ("Pva", (plugins.PvaPlugin, plugins.PvaPlugin_V34)),
    "Trans1:": ("Trans", (plugins.TransformPlugin, plugins.TransformPlugin_V34)),
    "ROI1:": ("ROI", (plugins.ROIPlugin, plugins.ROIPlugin_V34)),
    "Stats1:": ("Stats", (plugins.StatsPlugin, plugins.StatsPlugin_V34)),
    "Proc1:": ("Proc", (plugins.ProcessPlugin, plugins.ProcessPlugin_V34)),
}

MOTOR = (
    Expected(".VAL", "double", writable=True),
    Expected(".RBV", "double"),
    Expected(".OFF", "double", writable=True),
    Expected(".DIR", "enum", ("Pos", "Neg"), writable=True),
    Expected(".FOFF", "enum", ("Variable", "Frozen"), writable=True),
    Expected(".SET", "enum", ("Use", "Set"), writable=True),
    Expected(".VELO", "double", writable=True),
    Expected(".VMAX", "double"),
    Expected(".ACCL", "double", writable=True),
    Expected(".EGU", "string"),
    Expected(".MOVN", "int"),
    Expected(".DMOV", "int"),
    Expected(".HLS", "int"),
    Expected(".LLS", "int"),
    Expected(".HLM", "double", writable=True),
    Expected(".LLM", "double", writable=True),
    Expected(".DHLM", "double"),
    Expected(".DLLM", "double"),
    Expected(".TDIR", "int"),
    Expected(".STOP", "int", writable=True),
    Expected(".HOMF", "int", writable=True),
    Expected(".HOMR", "int", writable=True),
)


def test_the_camera(prefix: str, request: pytest.FixtureRequest, demand: Demand) -> None:
    cls = getattr(cam, option(request.config, "--cam-class"))
    detector = prefix + option(request.config, "--detector")
    demand(of_class(cls, f"{detector}cam1:", "cam"))


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin(name: str, prefix: str, request: pytest.FixtureRequest, demand: Demand) -> None:
    group, classes = PLUGINS[name]
    detector = prefix + option(request.config, "--detector")
    found: dict[str, Expected] = {}
    for cls in classes:
        found |= {one.name: one for one in of_class(cls, detector + name, group)}
    demand(list(found.values()))


def test_motor_records(prefix: str, request: pytest.FixtureRequest, demand: Demand) -> None:
    axes = option(request.config, "--motors").split(",")
    demand(
        [
            Expected(f"{prefix}{axis}{one.name}", one.kind, one.words, one.writable)
            for axis in axes
            for one in MOTOR
        ]
    )


def test_every_field_that_a_motor_class_names_is_looked_at() -> None:
    from ophyd import EpicsMotor

    named = {component.suffix for component in _attributes(EpicsMotor).values()}
    assert named <= {one.name for one in MOTOR}


def _attributes(cls: Any) -> dict[str, Any]:
    return dict(cls._sig_attrs)
