"""What holds for every test: no beamline of the caller's, no screen, no luck, no clock."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

# Before anything of pyepics, whichever test comes first.
import epicscorelibs.path.pyepics  # noqa: F401
import pytest
from hypothesis import settings

from voltomo.cli.repeater import Repeater
from voltomo.cli.services import CHANNEL_ACCESS, PV_ACCESS
from voltomo.runtime.launch import give_addresses
from voltomo.runtime.ports import NoPorts, lock_ports

# libca reads its environment once a process: nothing of the caller's may be left by then,
# or a test would find, and move, something real. All tests share one virtual beamline, whose
# ports are known from here on.
# Only `tests/conformity --prefix` asks what the caller's environment names.
PORTS = lock_ports("tests")
if not any(word.startswith("--prefix") for word in sys.argv):
    for name in [name for name in os.environ if name.startswith(("EPICS_", "VOLTOMO_RUN_"))]:
        del os.environ[name]
    os.environ.update(give_addresses(PORTS, CHANNEL_ACCESS, PV_ACCESS).client_environment())
    # libca in this process needs a repeater before the beamline's own is up, on a port of its own.
    OWN = lock_ports("the tests' own repeater")
    REPEATER = Repeater(OWN.first)
    os.environ["EPICS_CA_REPEATER_PORT"] = str(OWN.first)
os.environ["MPLBACKEND"] = "Agg"
# Under nohup processes would inherit that a closed terminal is nothing to them.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Behaviour is asserted, never speed; a run that decides about a merge draws the same examples.
settings.register_profile("voltomo", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "voltomo")


PORTS_PATIENCE_S = 90.0

_SHARING = (
    *(f"tests/end_to_end/test_{name}.py" for name in (
        "align", "bad_input", "beamline_day", "catalogue", "dose", "interrupts", "kills",
        "live_planes", "replay", "shell", "stuck_shutter", "truth",
    )),
    "tests/plans/test_tomography_on_twin.py",
    "tests/conformity/test_records.py",
    "tests/conformity/test_clients.py",
)  # fmt: skip
"""Files of tests on the one virtual beamline (`beamline`)."""


def _group(nodeid: str) -> str:
    """What must run in one process: all that shares the virtual beamline, else a file."""
    path = nodeid.partition("::")[0]
    return "beamline" if path in _SHARING else path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the tests on the virtual beamline first: they wait most, and all in one process."""
    for item in items:
        if "beamline" in getattr(item, "fixturenames", ()) and _group(item.nodeid) != "beamline":
            raise pytest.UsageError(f"{item.path} uses the beamline: name it in {__name__}")
    # The catalogue's test first of all: every run before it would have to be catalogued, too.
    items.sort(
        key=lambda item: (_group(item.nodeid) != "beamline", "test_catalogue" not in item.nodeid)
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand groups to processes."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log)


@pytest.fixture(scope="session")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The virtual beamline, started for the first test that needs it (`VirtualBeamline`)."""
    from tests.virtual_beamline import VirtualBeamline

    PORTS.release()
    root = tmp_path_factory.mktemp("beamline") / "run"
    with ExitStack() as stack:
        # A test of another process that was faster has the block for a while.
        give_up_s = time.monotonic() + PORTS_PATIENCE_S
        while True:
            made = VirtualBeamline.make(root, PORTS.first)
            try:
                stack.enter_context(made.supervisor)
                break
            except NoPorts:
                if time.monotonic() > give_up_s:
                    raise
                time.sleep(0.5)
        yield made
