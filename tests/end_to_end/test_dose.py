"""Flux, limit and ledger on the virtual beamline, as a person on shift meets them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import epics
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.virtual_beamline import VirtualBeamline, command, scan_file, stored
from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.normalise import line_integrals
from voltomo.cli.truth import truth_correlation
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.flux_calibration import load_calibration
from voltomo.dose.materials import material
from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.twin.settings import TwinSettings
from voltomo.twin.truth import fluence

pytestmark = [pytest.mark.twin, pytest.mark.long]

CALIBRATE = """
import sys
from pathlib import Path
from voltomo.profiles.beamline_file import running_beamline
from voltomo.profiles.session import open_session
from voltomo.profiles.startup import namespace
from voltomo.runtime.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
with open_session(folder, running_beamline(folder)) as session:
    namespace(session)["calibrate_flux"](
        area_mm2=0.25, transmissions=[1.0, 0.5], readings=5, days=1, by="test")
"""
INTERLACED = scan_file(
    sample="spent cell", projections=90, exposure_s=0.018, period_s=0.022, darks=5, flats_before=5,
    sweeps=4, interlace="golden",
)  # fmt: skip


def tomogram(path: Path, row: int, spec: ScanSpec) -> NDArray[np.float32]:
    """A slice of an exported file; the air beside the cell says how bright each frame was."""
    key = stored(path, "entry/instrument/detector/image_key")
    data = stored(path, "entry/instrument/detector/data")[:, row : row + 1]
    angles = stored(path, "entry/sample/rotation_angle")[key == 0]
    flat, dark = (np.median(data[key == kind], axis=0).astype(np.float32) for kind in (1, 2))
    lines = np.stack([line_integrals(frame, flat, dark)[0] for frame in data[key == 0]])
    lines -= np.concatenate([lines[:, :8], lines[:, -8:]], axis=1).mean(axis=1)[:, None]
    backend = GriddingReconstructor()
    backend.prepare(spec.geometry, angles)
    return backend.recon_slices(lines[None].astype(np.float32))[0]


def test_calibrate_flux_finds_what_the_world_gives(beamline: VirtualBeamline) -> None:
    before_s = beamline.world.now_s()
    words = [sys.executable, "-c", CALIBRATE, str(beamline.folder.root)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    after_s = beamline.world.now_s()
    found = load_calibration(beamline.folder.exposure_log.parent / "flux-calibration.json")
    settings = TwinSettings.model_validate(json.loads(beamline.folder.settings.read_text())["twin"])
    flux = float(beamline.world.channel("flux").at(after_s))
    assert [point.transmission for point in found.points] == [1.0, 0.5]
    for point in found.points:
        truth = 1 / settings.monitor_counts_per_flux
        assert abs(point.per_count / truth - 1) < point.uncertainty
        assert point.flux_per_cm2_s == pytest.approx(flux * point.transmission, rel=0.03)
    # Everything stands where it stood, and the sample has paid nothing.
    assert beamline.world.channel("sample_x").at(after_s) == pytest.approx(0.0, abs=1e-3)
    assert beamline.world.channel("transmission").at(after_s) == pytest.approx(1.0)
    assert fluence(beamline.world, before_s, after_s, 2.5) == 0
    assert fluence(beamline.world, before_s, after_s, 9.0) > 0


def test_an_interlaced_scan_that_reaches_the_limit_stops_within_a_frame(
    beamline: VirtualBeamline, tmp_path: Path
) -> None:
    world, spec = beamline.world, INTERLACED.spec(beamline.file)
    before_s, known = world.now_s(), len(world.frames)
    # The whole scan fits by a fifth of the flux; then somebody takes a filter out.
    assert epics.caput("VT:Beam:Attenuator", 0.2, wait=True)
    try:
        time.sleep(0.3)
        session = beamline.start_scan(INTERLACED)
        third = next(block for block in spec.blocks() if block.name == "sweep_2")
        beamline.wait(
            lambda: bool((world.frames.since(known)["index"] >= third.first + 5).any()), 60, session
        )
        assert epics.caput("VT:Beam:Attenuator", 1.0, wait=True)
        said, _ = session.communicate(timeout=60)
    finally:
        assert epics.caput("VT:Beam:Attenuator", 1.0, wait=True)
    assert session.returncode == 1, said
    assert "are used up" in said or "limit" in said, said
    scan = beamline.last_scan()
    per_fluence = dose_per_fluence_Gy_cm2(material("NMC811"), beamline.file.energy_keV)
    limit_Gy = next(s for s in beamline.file.samples if s.name == "spent cell").dose_limit_Gy
    received_Gy = fluence(world, before_s, world.now_s(), 2.5) * per_fluence
    rate_Gy_s = float(world.channel("flux").at(world.now_s())) * per_fluence
    # Never beyond the limit; short of it by margins and reservations, not by a sweep.
    assert limit_Gy - 0.35 * rate_Gy_s - 0.03 * limit_Gy <= received_Gy <= limit_Gy
    frames = world.frames.since(known)
    sweep = frames[frames["index"] >= third.first]
    cut = (sweep["open_part"] > 0) & (sweep["open_part"] < 0.99)
    # The blade goes for 15 ms: it may begin in one exposure and end in the next.
    assert np.count_nonzero(cut) <= 2
    rows = scan.table.of_blocks([scan.block_numbers["sweep_2"]])
    lit = np.count_nonzero(sweep["open_part"] >= 0.99)
    assert lit - 1 <= np.count_nonzero(rows.valid) <= lit
    assert 20 < lit < 90
    # What was taken is a whole tomogram of fewer angles, though its light changed on the way.
    path = beamline.folder.exports / f"{run_name(scan.record.uid)}.nxs"
    row = spec.geometry.rows // 2
    settings = TwinSettings.model_validate(json.loads(beamline.folder.settings.read_text())["twin"])
    image = tomogram(path, row, spec)
    assert truth_correlation(image, row, settings, beamline.file.energy_keV) > 0.9

    page = tmp_path / "dose.html"
    where = ("--run-folder", beamline.folder.root, "--output", page)
    told, _ = command("dose", "show", "spent cell", *where).communicate(timeout=60)
    assert "active material" in told
    assert page.read_text().count("<svg") == 2
