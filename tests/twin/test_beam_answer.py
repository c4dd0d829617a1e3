"""What the virtual cell does in the beam: where the dose fell, and nothing where it is off."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.twin.answering import Answering
from voltomo.twin.beam_answer import AnswerSettings, BeamAnswer, Light, gas_fraction
from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.frame_source import Exposure
from voltomo.twin.gas_bubbles import bubbles
from voltomo.twin.image_formation import PhantomCamera
from voltomo.twin.settings import TwinSettings
from voltomo.twin.shapes import more_than_around
from voltomo.twin.world import Segment, World

FLUX = 1e11
PER_FLUENCE = dose_per_fluence_Gy_cm2(material("electrolyte"), 20.0)
ON = AnswerSettings(gas_gain=2000.0, kinetics_gain=2000.0, heat_gain=1.0)


def _answer(settings: AnswerSettings = ON) -> BeamAnswer:
    return BeamAnswer(settings, 0.25, 0.64)


def test_gas_is_free_only_beyond_what_dissolves() -> None:
    limit_Gy = ON.dissolved_up_to_Gy / ON.gas_gain
    assert gas_fraction(ON, 0.99 * limit_Gy) == 0
    # Twice as much dose: as much gas is free as is dissolved, 3 mmol/l at 24.4 l/mol.
    assert gas_fraction(ON, 2 * limit_Gy) == pytest.approx(3e-3 * 24.4)
    answer = _answer()
    answer.shine(Light(2 * limit_Gy / (FLUX * PER_FLUENCE), FLUX, 20.0), PER_FLUENCE)
    assert answer.mean_dose_Gy == pytest.approx(2 * limit_Gy)
    assert answer.gas_mm3 == pytest.approx(0.3 * math.pi * 0.25**2 * 0.64 * 3e-3 * 24.4)


def test_kinetics_fall_where_the_dose_fell() -> None:
    answer = _answer()
    lit = Light(10.0, FLUX, 20.0, (-math.inf, math.inf), (0.0, 0.32))
    answer.shine(lit, PER_FLUENCE)
    assert answer.kinetics_at(-0.2, 0.1) == 1
    fallen = math.exp(-2000 * 10 * FLUX * PER_FLUENCE / ON.kinetics_Gy)
    assert answer.kinetics_at(0.2, 0.1) == pytest.approx(fallen)
    assert answer.kinetics == pytest.approx((1 + fallen) / 2)
    # A narrow beam on the axis: the middle is always in it, the rim a small part of the turn.
    narrow = _answer()
    narrow.shine(Light(10.0, FLUX, 20.0, (-0.05, 0.05)), PER_FLUENCE)
    assert narrow.kinetics_at(0.0, 0.01) < narrow.kinetics_at(0.0, 0.24) < 1


def test_the_rate_heats_and_the_cell_cools() -> None:
    answer = _answer()
    for _ in range(100):
        answer.shine(Light(0.02, FLUX, 20.0), PER_FLUENCE)
    power_W = 0.5 * FLUX * 0.05 * 0.064 * 20 * 1.602e-16
    assert answer.warmth_K == pytest.approx(1100 * power_W, rel=0.01)
    answer.shine(Light(2.0, 0.0, 20.0), PER_FLUENCE)
    assert answer.warmth_K < 1e-4 * 1100 * power_W


def test_off_by_default_nothing_happens() -> None:
    assert not TwinSettings().answer.on
    answer = _answer(AnswerSettings())
    answer.shine(Light(1e4, FLUX, 20.0), PER_FLUENCE)
    assert (answer.gas_mm3, answer.kinetics, answer.warmth_K) == (0.0, 1.0, 0.0)


def test_gas_is_seen_in_frames_as_light_that_is_not_taken() -> None:
    settings = CameraSettings(rows=8, columns=128, pixel_um=5.0, read_noise=0.0, ring_columns=0.0)
    camera = PhantomCamera(settings, 2, FLUX)

    def lines(gas_mm3: float) -> np.ndarray:
        exposure = Exposure(
            number=1, start_s=0.0, end_s=0.02, angles_deg=np.array([30.0]),
            weights=np.array([1.0]), fluence_per_cm2=FLUX * 0.02, open_part=1.0,
            mid_angle_deg=30.0, sample_x_mm=0.0, sample_z_mm=0.0, energy_keV=20.0, gas_mm3=gas_mm3,
        )  # fmt: skip
        return -np.log(camera.intensity(exposure))

    fresh, gassed = lines(0.0), lines(4e-4)
    lost = float((fresh - gassed).sum())
    # All of the gas takes the place of electrolyte, whatever the rays.
    voxels = 4e-4 / 0.005**3
    phantom = camera.phantom
    mu, _ = more_than_around("electrolyte", "", 20.0, 5.0)
    assert lost == pytest.approx(voxels * mu * phantom.part, rel=0.05)
    assert not bubbles(0.0, 64, 1).size
    areas = [math.pi * (bubbles(area, 64, 1)[:, 2] ** 2).sum() for area in (3.0, 30.0, 300.0)]
    assert areas == pytest.approx([3.0, 30.0, 300.0])


def test_the_world_says_what_became_of_the_cell(tmp_path: Path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    settings = TwinSettings(answer=ON)
    now_s = world.now_s()
    for name, value in (("flux", FLUX), ("shutter", 1.0), ("energy", 20.0), ("sample_x", 0.0)):
        channel = world.channel(name)
        channel.put([Segment(now_s, now_s + 100, value)])
        channel.beat()
    answering = Answering(world, settings)
    begun_s = world.now_s()
    while world.now_s() < begun_s + 0.4:
        for name in ("flux", "shutter", "energy", "sample_x"):
            world.channel(name).beat()
        answering.beat(world.now_s())
        time.sleep(0.04)
    seen_s = world.now_s()
    dose_Gy = float(world.channel("cell_dose").at(seen_s))
    # What happened in the last tenth of a second is not taken yet.
    assert 0.15 * FLUX * PER_FLUENCE < dose_Gy < (seen_s - begun_s) * FLUX * PER_FLUENCE
    assert float(world.channel("kinetics").at(seen_s)) < 1
    assert float(world.channel("warmth").at(seen_s)) > 0
    # Its process starts again: what is known of the cell is taken over.
    again = Answering(world, settings)
    assert again.answer.mean_dose_Gy == pytest.approx(dose_Gy, rel=1e-3)
