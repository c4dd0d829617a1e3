"""A whole scan against the world's own record: angle, time, shutter and dose, frame by frame."""

import numpy as np
import pytest

from tests.virtual_beamline import VirtualBeamline, scan_file, stored
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.model.frame_table import Outcome
from voltomo.model.names import run_name
from voltomo.twin.truth import fluence
from voltomo.twin.world import FATE_DELIVERED, Fault

pytestmark = pytest.mark.twin


def test_every_frame_keeps_angle_time_shutter_and_dose(beamline: VirtualBeamline) -> None:
    world = beamline.world
    known, before_s = len(world.frames), world.now_s()
    scan = beamline.scan(scan_file(flats_after=6))
    after_s = world.now_s()

    true = world.frames.since(known)
    table = scan.table
    assert np.array_equal(np.sort(true["index"]), table.index)
    true = true[np.argsort(true["index"])]
    assert np.all(true["fate"] == FATE_DELIVERED)
    assert np.all(table.valid)
    assert np.array_equal(true["unique_id"], table.unique_id)

    step = scan.record.spec.geometry.step_deg
    assert np.abs(table.angle_deg - true["angle_deg"]).max() < 0.05 * step

    middle_s = (true["start_s"] + true["end_s"]) / 2
    on_trigger_clock = np.array([world.trigger_clock_s(t) for t in middle_s])
    assert np.abs(table.time_s - on_trigger_clock).max() < 0.002

    kinds = np.array([scan.record.blocks[number].kind for number in table.block])
    lit = np.isin(kinds, ["flats", "sweep"])
    assert np.all(true["open_part"][lit] > 0.999)
    assert np.all(true["open_part"][~lit] == 0)

    per_fluence = dose_per_fluence_Gy_cm2(material("NMC811"), beamline.file.energy_keV)
    sweep = kinds == "sweep"
    expected = true["fluence_per_cm2"][sweep] * per_fluence
    assert np.allclose(table.dose_Gy[sweep], expected, rtol=0.05)

    truth = fluence(world, before_s, after_s, 2.5) * per_fluence
    assert truth <= scan.dose.bound_Gy <= 1.05 * truth


def test_lost_and_missed_frames_are_listed_and_shift_nothing(beamline: VirtualBeamline) -> None:
    world = beamline.world
    scan_wanted = scan_file()
    first = next(b for b in scan_wanted.spec(beamline.file).blocks() if b.kind == "sweep").first
    lost = [first, first + 40, first + 41, first + 42, first + 119]
    missed = [first + 20, first + 77]
    for index in lost:
        world.inject(Fault("lose_after_numbering", first=index, last=index + 1))
    for index in missed:
        world.inject(Fault("camera_misses", first=index, last=index + 1))
    world.inject(Fault("duplicate_frame", first=first + 60, last=first + 61))
    try:
        known = len(world.frames)
        scan = beamline.scan(scan_wanted)
    finally:
        world.heal()

    table = scan.table
    assert table.missing.tolist() == sorted(lost + missed)
    assert table.outcome[first + 20] == Outcome.MISSED_BY_CAMERA
    assert table.outcome[first + 41] == Outcome.LOST_AFTER_NUMBERING
    true = world.frames.since(known)
    angle = dict(zip(true["index"], true["angle_deg"], strict=True))
    step = scan.record.spec.geometry.step_deg
    for row in np.flatnonzero(table.valid):
        assert abs(table.angle_deg[row] - angle[table.index[row]]) < 0.05 * step

    nexus = beamline.folder.exports / f"{run_name(scan.record.uid)}.nxs"
    image_key = stored(nexus, "entry/instrument/detector/image_key")
    assert np.count_nonzero(image_key == 0) == 120 - 7
    assert stored(nexus, "entry/instrument/detector/data").shape[0] == image_key.size
    live = beamline.live(scan)
    assert live["verdicts"]["lost_frames"]["value"] == 7
