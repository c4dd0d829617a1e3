"""A real beamline: processes that somebody else runs, at other ports and by other names."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.virtual_beamline import beamline_file, scan_file
from voltomo.cli.services import services
from voltomo.cli.settings import check_settings
from voltomo.cli.supervisor import Supervisor
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.model.names import run_name
from voltomo.records.run_entries import last_scan
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.truth import fluence
from voltomo.twin.world import World

pytestmark = [pytest.mark.twin, pytest.mark.long, pytest.mark.timeout(240)]

PREFIX = "FAC:"


@contextmanager
def facility(root: Path) -> Iterator[Supervisor]:
    """The hardware of a virtual beamline, without guard, worker and page, under other names."""
    file = beamline_file().model_copy(update={"prefix": PREFIX})
    settings = {"twin": check_settings(file)["twin"]}
    made = Supervisor(
        RunFolder(root),
        settings,
        prefix=PREFIX,
        prepare=lambda folder: World.create(folder.world, seed=3),
        specs=lambda addresses: [
            spec for spec in services(addresses, virtual=True) if spec.domain == "hardware"
        ],
    )
    with made:
        yield made


def real_file(path: Path, served: Supervisor, ledger: Path) -> Path:
    """The beamline file of that facility."""
    ports = served.addresses
    names = sorted(served.states())
    left_out = {"twin", "epics", "pvs", "ledger", "beam_loss"}
    values = beamline_file().model_dump(mode="json", exclude=left_out)
    values |= {
        "name": "facility",
        "virtual": False,
        "ledger": str(ledger),
        "epics": {
            "ca_addresses": [f"127.0.0.1:{ports.channel_access[name]}" for name in names],
            "pva_addresses": [f"127.0.0.1:{ports.pv_access['camera']}"],
        },
        "pvs": {"prefix": PREFIX, "ring_current": None, "sample_z": None, "energy_moving": None},
    }
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def voltomo(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "voltomo.cli.main", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def up(file: Path, root: Path) -> Iterator[tuple[RunFolder, str]]:
    """voltomo's own services on a beamline; the run folder, and what was said before ready."""
    process = voltomo("up", "--beamline", file, "--run-folder", root)
    said = ""
    try:
        while "ready; page" not in said:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, said
            said += line
        yield RunFolder(root), said
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest


def shown(folder: RunFolder) -> dict[str, Any]:
    """What the page knows of the beamline, once it has heard from all of it."""
    address = f"http://127.0.0.1:{folder.addresses().page}/state"
    deadline = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(address, timeout=5) as answer:
            values = json.load(answer)
        if {"shutter", "angle_deg", "guard", "triggers_latched"} <= set(values):
            return values
        assert time.monotonic() < deadline, values
        time.sleep(0.2)


def test_a_scan_on_a_facilitys_own_servers(tmp_path: Path) -> None:
    wanted = tmp_path / "scan.yml"
    wanted.write_text(yaml.safe_dump(scan_file().model_dump(mode="json")))
    ledger = tmp_path / "ledger"
    with facility(tmp_path / "facility") as served:
        world = World.open(served.folder.world)
        file = real_file(tmp_path / "beamline.yml", served, ledger)
        with up(file, tmp_path / "own") as (folder, said):
            assert "demo cell: no earlier dose is known there" in said
            assert sorted(folder.addresses().channel_access) == ["guard", "worker"]
            before_s = world.now_s()
            session = voltomo("scan", wanted, "--quiet", "--run-folder", folder.root)
            told, _ = session.communicate(timeout=110)
            assert session.returncode == 0, told
            after_s = world.now_s()
            seen = shown(folder)
            assert seen["shutter"] == "Closed"
            angle_deg = float(world.channel("rotation").at(world.now_s()))
            assert seen["angle_deg"] == pytest.approx(angle_deg, abs=0.01)
            assert "ring_current_mA" not in seen

            another = voltomo("up", "--beamline", file, "--run-folder", tmp_path / "another")
            refusal, _ = another.communicate(timeout=60)
            assert another.returncode == 2
            assert f"is held by 'voltomo up in {folder.root}', process" in refusal

        exposures = [e.data for e in read_log(ledger / "exposure.log") if e.kind == "exposure"]
        dose_Gy = sum(exposure["dose_Gy"] for exposure in exposures)
        per_fluence = dose_per_fluence_Gy_cm2(material("NMC811"), 20.0)
        truth_Gy = fluence(world, before_s, after_s, 2.5) * per_fluence
        assert truth_Gy <= dose_Gy <= 1.05 * truth_Gy

        uid = last_scan(folder.run_log)
        assert uid is not None
        scan = read_scan(folder, uid)
        assert scan.record.source == "beamline"
        assert scan.table.missing.size == 0
        with np.load(folder.exports / f"{run_name(scan.record.uid)}.slice.npz") as picture:
            assert int(picture["frames"]) == 120

        # Whoever comes next, wherever they start, knows what the sample has received.
        with up(file, tmp_path / "next") as (_, said):
            assert f"demo cell: {dose_Gy:.4g} Gy of 1e+09 Gy" in said
