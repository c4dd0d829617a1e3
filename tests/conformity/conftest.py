"""What a beamline's IOCs must serve: against the virtual beamline, or against any by its prefix.

``pytest tests/conformity --prefix BL7:`` asks the IOCs that the environment names (``EPICS_CA_*``);
without a prefix the tests' own virtual beamline is started. Nothing is written without ``--move``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformity.asking import Expected, complaints

_CHECKED = "PVs checked"
_OPTIONS = {
    "--prefix": (
        "first part of the PVs' names; the tests' own virtual beamline if not given",
        None,
    ),
    "--detector": ("areaDetector's part of the names, behind the prefix", "Cam:"),
    "--cam-class": ("the camera's class in ophyd.areadetector.cam", "SimDetectorCam"),
    "--motors": (
        "motor records, behind the prefix, by commas",
        "Stage:Rotation,Stage:X,Stage:Y,Stage:Z,Stage:Tilt,Slits:Left,Slits:Right,Slits:Bottom,"
        "Slits:Top,Detector:Distance,Detector:Focus,Detector:Roll",
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of these tests; see the module."""
    group = parser.getgroup("conformity")
    for name, (said, default) in _OPTIONS.items():
        group.addoption(name, default=default, help=said)
    group.addoption("--move", action="store_true", help="also move, expose and write")


def option(config: pytest.Config, name: str) -> Any:
    """An option, also where this file was found too late for it to be known."""
    return config.getoption(name, default=_OPTIONS.get(name, ("", False))[1])


@pytest.fixture(scope="session")
def prefix(request: pytest.FixtureRequest) -> str:
    """First part of all names; the servers behind it run."""
    given = option(request.config, "--prefix")
    if given is None:
        request.getfixturevalue("beamline")
        return "VT:"
    return str(given)


@pytest.fixture
def may_move(request: pytest.FixtureRequest) -> None:
    """Only the tests' own beamline is moved without being asked."""
    config = request.config
    if option(config, "--prefix") is not None and not option(config, "--move"):
        pytest.skip("say --move to let this test move a motor and take frames")


@pytest.fixture
def demand(record_property: Callable[[str, object], None]) -> Callable[[list[Expected]], None]:
    """Hold PVs against what is expected of them; they are counted."""

    def check(expected: list[Expected]) -> None:
        record_property(_CHECKED, len(expected))
        found = complaints(expected)
        assert not found, "\n".join(found)

    return check


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many PVs were looked at."""
    checked = {
        report.nodeid: value
        for group in ("passed", "failed")
        for report in terminalreporter.getreports(group)
        for name, value in report.user_properties
        if name == _CHECKED
    }
    if checked:
        line = f"conformity: {sum(checked.values())} PVs checked"
        terminalreporter.write_line(line)
