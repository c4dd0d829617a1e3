"""A laminography of the twin: its live planes show the phantom, where they lie and where moved."""

import json
import os
import subprocess
import sys
import time

import epics
import numpy as np
import pytest

from tests.virtual_beamline import VirtualBeamline, scan_file
from voltomo.live.observer import ReceivedSlice, SliceObserver
from voltomo.live.positions import Oblique, Positions
from voltomo.model.names import run_name
from voltomo.twin.phantom import Phantom
from voltomo.twin.settings import TwinSettings

pytestmark = [pytest.mark.twin, pytest.mark.long]

TILT_DEG = 30.0
MOVED = Oblique(centre=(10.0, 0.0, 0.0), normal=(0.0, 0.3, 1.0))
PATIENCE_S = 30.0

CLIENT = """
import asyncio, sys
import aioca
async def main():
    await aioca.caput("VT:Live:PlaneXZ", 31.5, wait=True)
    await aioca.caput("VT:Live:PlaneYZ", -20.5, wait=True)
    text = aioca.DBR_CHAR_STR
    await aioca.caput("VT:Live:PlaneOblique", sys.argv[1], datatype=text, wait=True)
    await aioca.caput("VT:Live:Height", 120, wait=True)
    await aioca.caput("VT:Live:MakeVolume", 32, wait=True)
    for _ in range(200):
        said = str(await aioca.caget("VT:Live:Volume", datatype=text))
        if '"ready"' in said or '"refused"' in said:
            break
        await asyncio.sleep(0.1)
    redraw_ms = float(await aioca.caget("VT:Live:RedrawTime"))
    state = int(await aioca.caget("VT:Live:State"))
    print(said)
    print(redraw_ms, state)
asyncio.run(main())
"""


class Truth:
    """Attenuation of the phantom at any point, from slices of every fourth row."""

    def __init__(self, beamline: VirtualBeamline) -> None:
        camera = TwinSettings.model_validate(
            json.loads(beamline.folder.settings.read_text())["twin"]
        )
        made = Phantom.make(
            camera.seed,
            camera.camera.columns,
            camera.camera.rows,
            camera.camera.pixel_um,
            beamline.file.energy_keV,
            camera.camera.axis_column,
            camera.camera.sample,
        )
        self._rows = np.arange(48, 208, 2)
        self._stack = np.stack([made.slice_attenuation(float(row)) for row in self._rows])
        self._middle = (made.columns - 1) / 2, (made.rows - 1) / 2

    def likeness(self, image: np.ndarray, points: np.ndarray) -> float:
        """Correlation where all views of the tilted axis see the sample."""
        from scipy.ndimage import gaussian_filter, map_coordinates

        x, y, z = np.moveaxis(points, -1, 0)
        seen = (np.hypot(x, y) < 60) & (np.abs(z) < 60)
        places = [
            (z + self._middle[1] - self._rows[0]) / 2, y + self._middle[0], x + self._middle[0]
        ]  # fmt: skip
        wanted = map_coordinates(self._stack, places, order=1, mode="nearest")
        blurred = gaussian_filter(wanted, 1.0)
        return float(np.corrcoef(image[seen], blurred[seen])[0, 1])


def test_live_planes_of_a_laminography_show_the_phantom(beamline: VirtualBeamline) -> None:
    names = {"xy": "Slice", "xz": "SliceXZ", "yz": "SliceYZ", "oblique": "Oblique"}
    wanted = scan_file(kind="laminography", tilt_deg=TILT_DEG, range_deg=360.0, projections=180)
    observers = {name: SliceObserver(beamline.supervisor.addresses, names[name]) for name in names}
    try:
        scan = beamline.scan(wanted)
        uid = scan.record.uid
        live = beamline.live(scan)
        assert live["reason"] == ""
        assert live["verdicts"]["lost_frames"]["value"] == 0
        assert live["frames_processed"] == live["frames_in"] == scan.table.index.size
        kept = beamline.folder.exports / f"{run_name(uid)}.slice.npz"
        with np.load(kept) as made:
            assert int(made["frames"]) == 180
        truth = Truth(beamline)
        geometry = scan.record.spec.geometry
        before = check(truth, observers, uid, Positions(), geometry)
        clean = {name: text for name, text in os.environ.items() if not name.startswith("EPICS_")}
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, MOVED.model_dump_json()],
            env=clean | beamline.supervisor.addresses.client_environment(),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said, figures = done.stdout.splitlines()[-2:]
        moved = Positions(row=120, y=31.5, x=-20.5, oblique=MOVED)
        after = check(truth, observers, uid, moved, geometry)
    finally:
        for observer in observers.values():
            observer.close()
        # Others scan about an upright axis on the same beamline.
        assert epics.caput("VT:Stage:Tilt", 0.0, wait=True, timeout=30)
    assert min(before.values()) > 0.5, before
    assert min(after.values()) > 0.5, after
    assert float(figures.split()[0]) > 0
    volume = json.loads(said)
    assert volume["state"] == "ready", volume
    with np.load(volume["path"]) as stored:
        assert stored["volume"].shape == (32, 32, 32)
    # Growing planes came while the scan ran, not only at its end.
    assert len(observers["xz"].receipts(uid)) > 5


def check(truth, observers, uid, positions, geometry) -> dict[str, float]:
    """Correlation of each plane once it lies where it should."""
    found = {}
    for name, observer in observers.items():
        received = await_at(observer, uid, positions.words(name, geometry))
        assert received.frames == 180
        assert received.complete
        plane = positions.plane(name, geometry)
        found[name] = truth.likeness(received.image, plane.points())
    return found


def await_at(observer: SliceObserver, uid: str, words: str) -> ReceivedSlice:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        latest = observer.latest
        if (
            latest is not None
            and latest.scan_uid == uid
            and latest.complete
            and json.loads(latest.position) == json.loads(words)
        ):
            return latest
        time.sleep(0.05)
    raise AssertionError((words, observer.latest and observer.latest.position))
