"""A beamline whose devices are served by others: voltomo brings guard, worker and page alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.virtual_beamline import VirtualBeamline, beamline_file, scan_file
from voltomo.cli.services import services
from voltomo.cli.settings import check_settings
from voltomo.cli.supervisor import Supervisor
from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.records.scan import read_scan
from voltomo.records.scan_record import scan_uids
from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.world import World

HARDWARE = ("motion", "beam", "shutter", "camera", "writer")

pytestmark = [pytest.mark.twin, pytest.mark.timeout(240)]


def hardware(folder: RunFolder) -> Supervisor:
    """The twin's IOCs without a guard: what a beamline has."""
    file = beamline_file()
    return Supervisor(
        folder,
        check_settings(file),
        prefix=file.prefix,
        prepare=lambda run: World.create(run.world, seed=1),
        specs=lambda at: [s for s in services(at, virtual=True) if s.name in HARDWARE],
    )


def test_a_scan_on_devices_that_others_serve(tmp_path: Path) -> None:
    with hardware(RunFolder(tmp_path / "theirs")) as theirs:
        at = theirs.addresses
        ports = [at.channel_access[name] for name in HARDWARE]
        values = beamline_file().model_dump() | {
            "name": "ours",
            "source_name": "somebody's source",
            "virtual": False,
            "ca_servers": [f"127.0.0.1:{port}" for port in ports],
            "pva_servers": [f"127.0.0.1:{at.pv_access['camera']}"],
            "twin": {},
        }
        file = BeamlineFile.model_validate(values)
        folder = RunFolder(tmp_path / "ours")
        with make_supervisor(folder, file) as ours:
            assert sorted(ours.states()) == ["guard", "page", "worker"]
            written = tmp_path / "scan.yml"
            written.write_text(yaml.safe_dump(scan_file(projections=60).model_dump(mode="json")))
            command = [sys.executable, "-m", "voltomo.cli.main", "scan", str(written), "--quiet"]
            done = subprocess.run(
                [*command, "--run-folder", str(folder.root)],
                capture_output=True,
                text=True,
                timeout=110,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    scan = read_scan(folder, scan_uids(read_log(folder.run_log))[-1])
    assert scan.record.source == "beamline"
    assert scan.record.start["beamline"]["software_guard_only"] is True
    report = folder.exports / f"{scan.record.uid[:8]}.report.html"
    assert "software guard only" in report.read_text()
    assert scan.scan_rows.missing.size == 0
    assert scan.dose.dose_Gy > 0
    live = VirtualBeamline(folder, file, ours).live(scan)
    assert live["frames_processed"] == scan.record.spec.triggers
