"""An alignment of the virtual beamline from a random start, held against the world's own record."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from tests.virtual_beamline import VirtualBeamline, refused
from voltomo.records.alignments import alignments_in

pytestmark = [pytest.mark.twin, pytest.mark.long]

SESSION = """
import json, sys
from pathlib import Path
from voltomo.profiles.beamline_file import running_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.session import open_session
from voltomo.runtime.run_folder import RunFolder
folder, start = RunFolder(Path(sys.argv[1])), json.loads(sys.argv[2])
file = running_beamline(folder)
with open_session(folder, file) as session:
    from voltomo.plans.align_options import AlignOptions
    from voltomo.profiles.aligning import Aligning
    line, aligning = session.beamline, Aligning(session)
    axes = {"x": line.sample_stage.x, "roll": line.camera_roll, "focus": line.focus}
    zero = line.tilt.user_offset
    try:
        moves = [axis.move(start[name], wait=False) for name, axis in axes.items()]
        # A stage whose zero is wrong reads 0 and leans.
        zero.set(-start["pitch"]).wait(timeout=5)
        for move in [*moves, line.tilt.move(0.0, wait=False)]:
            move.wait(timeout=20)
        spec = ScanFile(sample="demo cell", projections=200, exposure_s=0.045, period_s=0.06)
        options = AlignOptions(views=4, focus_places=4)
        session.RE(aligning.align(spec.spec(file), "apply", options))
        now = {name: axis.position for name, axis in axes.items()}
        now["tilt_dial"] = line.tilt.position - zero.get()
    finally:
        for axis in axes.values():
            axis.move(0.0, wait=True)
        zero.set(0.0).wait(timeout=5)
        line.tilt.move(0.0, wait=True)
    print(json.dumps({"uid": aligning.last.uid, "now": now}))
"""


def test_from_a_random_start_axis_and_camera_come_to_where_they_belong(
    beamline: VirtualBeamline,
) -> None:
    said = refused("recenter", "--reference", "beef", "--run-folder", beamline.folder.root)
    assert "expected 'beef' to name one alignment" in said
    random = np.random.default_rng(7)
    start = {
        "x": float(random.uniform(-0.03, 0.03)),
        "roll": float(random.uniform(-0.8, 0.8)),
        "focus": float(random.uniform(-0.1, 0.1)),
        "pitch": float(random.uniform(-0.4, 0.4)),
    }
    words = [sys.executable, "-c", SESSION, str(beamline.folder.root), json.dumps(start)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    now = told["now"]

    found = next(one for one in alignments_in(beamline.folder.run_log) if one.uid == told["uid"])
    assert (found.kind, found.mode, found.sample) == ("align", "apply", "demo cell")
    own = beamline.file
    assert own.axis_column is not None
    middle = (own.columns - 1) / 2
    axis = own.axis_column + 1e3 * now["x"] / own.pixel_um / math.cos(math.radians(now["roll"]))
    assert abs((found.quantity("axis").value or 0.0) - axis) < 0.2
    assert abs(axis - middle) < 0.01 * own.columns
    assert abs(now["roll"]) < 0.02
    assert abs(now["tilt_dial"]) < 0.05
    assert abs(now["focus"]) < 0.03
    assert abs((found.quantity("pixel size").value or 0.0) / own.pixel_um - 1) < 2e-3
    assert found.quantity("axis").applied
    assert found.radiographs == 8 + 4 + 4 + 4
    assert found.scan_dose_Gy is not None
    assert 0 < found.dose_Gy < 0.3 * found.scan_dose_Gy
