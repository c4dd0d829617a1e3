"""What slits, beam, lens, focus, dust, drift and a rolling shutter do to an image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.twin.test_image_formation import EXPOSURE, FLAT, FLUENCE, SETTINGS
from voltomo.twin.frame_source import Sight, expose
from voltomo.twin.image_formation import PhantomCamera, spread
from voltomo.twin.rolling import RollingShutter
from voltomo.twin.stage_errors import StageErrors, StageErrorSettings
from voltomo.twin.standing import Dust, Standing
from voltomo.twin.world import Fault, Segment, World


@pytest.fixture(scope="module")
def camera() -> PhantomCamera:
    return PhantomCamera(SETTINGS, 3, 1e11)


def standing(**values) -> Standing:
    return Standing(**values)


def test_slits_leave_light_between_them(camera: PhantomCamera) -> None:
    # 5 µm pixels: from 10 pixels left of the middle to 20 right, 5 below to 15 above.
    slits = standing(slits_mm=(-0.05, 0.1, -0.025, 0.075))
    frame = camera.frame(replace(FLAT, standing=slits)).astype(float) - 100
    whole = camera.frame(FLAT).astype(float) - 100
    rows, columns = np.flatnonzero(frame.mean(1) > 500), np.flatnonzero(frame.mean(0) > 500)
    assert (columns[0], columns[-1]) == (38, 67)
    assert (rows[0], rows[-1]) == (27, 46)
    inside = np.s_[28:46, 39:67]
    assert frame[inside].mean() == pytest.approx(whole[inside].mean(), rel=1e-3)
    assert np.abs(frame[:, :30].mean()) < 1


def test_the_beam_moves_its_profile_and_dust_throws_a_shadow(camera: PhantomCamera) -> None:
    def flat(**values) -> np.ndarray:
        frames = [
            camera.frame(replace(FLAT, number=k, standing=standing(**values))) for k in range(20)
        ]
        return np.mean(frames, 0)

    still, moved = flat(), flat(beam_um=(100.0, 0.0))
    ratio = (moved / still).mean(0)
    assert ratio[-5:].mean() > 1.005 > 0.995 > ratio[:5].mean()
    dusty = flat(dust=(Dust(column=30, row=20, part=0.4),)) / still
    assert dusty[20, 30] == pytest.approx(0.6, abs=0.03)
    assert dusty[50, 70] == pytest.approx(1.0, abs=0.02)


def test_a_lens_and_the_focus_change_what_is_seen(camera: PhantomCamera) -> None:
    wide = camera.intensity(replace(EXPOSURE, standing=standing(pixel_um=10.0)))
    assert np.abs(wide[:, :20] - 1).max() < 0.02
    blurred, sharp = (
        camera.intensity(replace(EXPOSURE, standing=standing(focus_mm=focus)))
        for focus in (0.3, 0.0)
    )
    assert np.abs(np.diff(blurred)).mean() < 0.7 * np.abs(np.diff(sharp)).mean()
    assert camera.phantom.pixel_um == SETTINGS.pixel_um


def test_the_point_spread_has_its_width() -> None:
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    for deviation in (0.3, 0.5, 1.4, 3.0):
        spot = spread(point, deviation)
        assert spot.sum() == pytest.approx(1, rel=1e-4)
        assert spot.sum(0) @ (np.arange(41) - 20) ** 2 == pytest.approx(deviation**2, rel=1e-3)


def test_errors_are_those_that_were_asked_for_and_the_same_again() -> None:
    none = StageErrors(StageErrorSettings(), 1).at(33.0, 100.0)
    assert (none.x_mm, none.z_mm, none.tilt_deg, none.roll_deg) == (0, 0, 0, 0)
    asked = StageErrorSettings(
        runout_um=2.0, lift_um=1.0, wobble_deg=0.01, drift_x_um_per_h=36.0, tilt_zero_deg=0.5
    )
    errors, again = StageErrors(asked, 4), StageErrors(asked, 4)
    turn = [errors.at(float(angle), 0.0) for angle in range(360)]
    assert max(abs(error.x_mm) for error in turn) == pytest.approx(2e-3, rel=1e-3)
    assert max(abs(error.z_mm) for error in turn) == pytest.approx(1e-3, rel=1e-3)
    assert [np.hypot(e.tilt_deg - 0.5, e.roll_deg) for e in turn] == pytest.approx([0.01] * 360)
    assert errors.at(7.0, 3600.0).x_mm - errors.at(7.0, 0.0).x_mm == pytest.approx(0.036)
    assert turn[40] == again.at(40.0, 0.0)
    assert turn[40].x_mm == pytest.approx(again.at(400.0, 0.0).x_mm)


def test_shifts_by_errors_move_the_image(camera: PhantomCamera) -> None:
    moved = camera.intensity(replace(EXPOSURE, standing=standing(error_x_mm=0.02)))
    still = camera.intensity(EXPOSURE)
    assert np.abs(moved[:, 4:] - still[:, :-4]).max() < 1e-5


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A turning stage, a beam that fades, an open shutter."""
    made = World.create(tmp_path / "world.bin", seed=2)
    for name, piece in {
        "rotation": Segment(0.0, 10.0, 0.0, 20.0),
        "flux": Segment(0.0, 10.0, 1e11, -5e9),
        "shutter": Segment(0.0, 10.0, 1.0),
        "tilt": Segment(0.0, 0.0, 30.0),
        "slit_left": Segment(0.0, 0.0, -0.12),
        "slit_right": Segment(0.0, 0.0, 0.0),
        "slit_bottom": Segment(0.0, 0.0, -5.0),
        "slit_top": Segment(0.0, 0.0, 5.0),
    }.items():
        made.channel(name).put([piece])
        made.channel(name).beat_s = 100.0
    return made


def test_an_exposure_knows_how_everything_stood(world: World) -> None:
    errors = StageErrors(StageErrorSettings(tilt_zero_deg=0.25), 1)
    world.inject(Fault("dust", 3, 4, 0.5))
    world.inject(Fault("sample_slipped", value=0.05, at_s=2.0))
    before, after = (
        expose(world, 1, at_s, at_s + 0.1, Sight(errors, 64, 96, 5.0)) for at_s in (1.0, 3.0)
    )
    assert before.standing.tilt_deg == 30.25
    assert before.standing.dust == (Dust(3, 4, 0.5),)
    assert before.lit_part == pytest.approx(0.25)
    assert (before.standing.error_x_mm, after.standing.error_x_mm) == (0.0, 0.05)
    plain = expose(world, 1, 1.0, 1.1)
    assert plain.standing == Standing()
    assert plain.fluence_per_cm2 == before.fluence_per_cm2


def test_rows_of_a_rolling_shutter_see_their_own_angles_and_light(world: World) -> None:
    sight = Sight(StageErrors(StageErrorSettings(), 1), 64, 96, 5.0, row_delay_s=1e-3)
    seen = expose(world, 1, 1.0, 1.02, sight)
    rows = seen.rows
    assert rows is not None
    own = rows.weights @ rows.angles_deg
    times = 1.01 + 1e-3 * np.arange(64)
    assert own == pytest.approx(20 * times, abs=2e-3)
    assert rows.fluence_per_cm2 == pytest.approx(0.02 * (1e11 - 5e9 * times), rel=1e-3)
    assert seen.mid_angle_deg == pytest.approx(20 * (1.01 + 63e-3 / 2), abs=1e-3)
    assert seen.fluence_per_cm2 == pytest.approx(float(rows.fluence_per_cm2.mean()))


def test_a_shutter_that_closes_early_leaves_the_last_rows_dark(world: World) -> None:
    shutter = world.channel("shutter")
    shutter.put([Segment(1.03, 1.03, 0.0)])
    shutter.beat_s = 100.0
    sight = Sight(StageErrors(StageErrorSettings(), 1), 64, 96, 5.0, row_delay_s=1e-3)
    exposure = replace(expose(world, 1, 1.0, 1.02, sight), standing=Standing())
    camera = PhantomCamera(SETTINGS.model_copy(update={"row_delay_us": 1000.0}), 3, 1e11)
    frame = camera.frame(replace(exposure, sample_x_mm=5.0)).astype(float)
    assert np.abs(frame[35:].mean() - 100) < 1
    assert frame[5].mean() > 1e4


def test_a_rolling_image_is_each_rows_own_global_one(camera: PhantomCamera) -> None:
    """A still beam: row by row the picture of the stage where it was then."""
    shutter = RollingShutter(64, 2e-3)
    times = np.linspace(0.0, 0.02 + shutter.read_out_s, 4001)
    shares = shutter.shares(times, np.full(4001, 1e11), 30 * times, 0.0, 0.02)
    exposure = replace(EXPOSURE, angles_deg=shares.angles_deg, weights=shares.mean_weights)
    rolling = camera.intensity(replace(exposure, rows=shares))
    for row in (0, 31, 63):
        parts = 30 * (0.002 * row + (np.arange(9) + 0.5) / 9 * 0.02)
        still = camera.intensity(replace(EXPOSURE, angles_deg=parts, weights=np.full(9, 1 / 9)))
        assert np.abs(rolling[row] - still[row]).max() < 0.02
    assert shares.fluence_per_cm2 == pytest.approx(np.full(64, FLUENCE), rel=1e-3)
