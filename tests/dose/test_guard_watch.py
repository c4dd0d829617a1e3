"""The guard alone around a scan that is not ours: it counts, keeps the ledger, raises alarms."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.dose.guard_bench import GuardBench, guard_bench
from tests.dose.guard_rig import RATE_GY_S, Rig
from voltomo.dose.ledger import LedgerProjection
from voltomo.profiles.beamline_file import load_beamline
from voltomo.runtime.append_log import read_log

# ---- the core, without processes


def test_every_opening_is_expected_counted_and_no_alarm() -> None:
    rig = Rig(watching=True, current_sample="cell")
    rig.run(0.2)
    for _ in range(3):
        rig.manual = True
        rig.run(1.0)
        assert not rig.core.alarmed
        rig.manual = False
        rig.run(0.3)
    assert rig.core.reason.startswith("the shutter was open for ")
    assert "find out who" not in rig.core.reason
    assert rig.kinds().count("watched") == rig.kinds().count("settle") == 3
    assert rig.truth_Gy <= rig.dose_Gy() <= 1.1 * rig.truth_Gy
    assert "only watches" in rig.request()["error"]


def test_a_limit_latches_alarms_and_takes_the_way_out_once() -> None:
    rig = Rig(limit_Gy=2 * RATE_GY_S, watching=True, current_sample="cell")
    rig.run(0.2)
    rig.manual = True
    rig.run(1.0)
    assert not rig.core.latched
    rig.run(2.0)
    assert rig.core.alarmed
    assert "stop the scan" in rig.core.reason
    assert rig.ways_out == 1
    assert rig.kinds().count("latch") == 1
    # The other scan goes on all the same; nothing of it is left out.
    rig.core.reset("told them")
    assert not rig.core.latched
    rig.run(0.1)
    assert rig.core.latched
    assert rig.dose_Gy() >= rig.truth_Gy


# ---- the command, on a shutter that somebody else drives


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardBench]:
    """Devices without a guard of their own."""
    with guard_bench(tmp_path_factory.mktemp("watch") / "run") as made:
        yield made


def beamline_file(folder: Path, limit_Gy: float) -> Path:
    """A beamline file with one sample."""
    file = load_beamline("virtual")
    sample = file.samples[0].model_copy(update={"name": "cell", "dose_limit_Gy": limit_Gy})
    here = file.model_copy(update={"samples": [sample]})
    path = folder / "beamline.yml"
    path.write_text(yaml.safe_dump(here.model_dump(mode="json", exclude_defaults=True)))
    return path


def environment(bench: GuardBench) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
    return kept | bench.addresses.client_environment() | {"PYTHONUNBUFFERED": "1"}


PUT = "import epics, sys; assert epics.caput(sys.argv[2], float(sys.argv[3]), wait=True)"


@pytest.mark.twin
def test_a_foreign_scan_is_counted_and_stopped_at_the_limit(
    foreign: GuardBench, tmp_path: Path
) -> None:
    command = [
        sys.executable, "-m", "voltomo.cli.main", "guard", "watch", "VT:Shutter:State_RBV",
        "--flux", "VT:Beam:Monitor", "--energy", "VT:Beam:Energy_RBV", "--sample", "cell",
        "--beamline", str(beamline_file(tmp_path, 15.0)), "--ledger", str(tmp_path / "ledger"),
        "--stop", "VT:Shutter:Manual=0",
    ]  # fmt: skip
    log = tmp_path / "ledger" / "exposure.log"
    watching = subprocess.Popen(
        command, env=environment(foreign), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        foreign.wait(log.exists, 30)
        begun_s = foreign.world.now_s()
        # An opening that is over, and one that nobody would end: the limit is three seconds.
        foreign.client(PUT, "VT:Shutter:Manual", "1")
        foreign.client(PUT, "VT:Shutter:Manual", "0")
        foreign.wait_closed(begun_s, 10)
        first_Gy = foreign.truth_Gy(begun_s)
        foreign.client(PUT, "VT:Shutter:Manual", "1")
        foreign.wait(lambda: foreign.open_part == 1, 5)
        foreign.wait(lambda: foreign.open_part == 0, 20)
        truth_Gy = foreign.truth_Gy(begun_s)
        assert first_Gy < truth_Gy <= 15.0
        second = subprocess.run(command, env=environment(foreign), capture_output=True, text=True)
        assert second.returncode == 2
        assert "is held by 'voltomo guard watch VT:Shutter:State_RBV', process" in second.stderr
    finally:
        watching.send_signal(signal.SIGINT)
        said, _ = watching.communicate(timeout=30)
    assert watching.returncode == 1, said
    assert "ALARM" in said
    assert "is reached, and this guard only watches: stop the scan" in said
    assert "told to stop the beam instead: VT:Shutter:Manual" in said
    assert "Traceback" not in said
    account = LedgerProjection().fold(read_log(log))["cell"]
    assert truth_Gy <= account.dose_Gy <= 1.15 * truth_Gy
    assert read_log(log)[-1].kind == "stop"
