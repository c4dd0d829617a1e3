"""The guard warns of a warm sample, and takes the beam before it gets too warm."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.dose.guard_rig import FLUX, Rig
from voltomo.dose.guard_heat import HeatPath, HeatWatch
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import Cause

PATH = HeatPath(
    conductance_W_K=5e-4,
    areal_heat_J_per_m2_K=500.0,
    beam_radius_mm=0.5,
    rim_mm=10.0,
    power_per_flux_W_cm2_s=1e-13,
)
"""At the rig's flux 10 mW, which in the end warm it by 11 K."""


def heated(**more: Any) -> dict[str, Any]:
    return {"heat": {"cell": PATH.model_copy(update=more)}}


def test_the_path_comes_to_what_the_physics_say() -> None:
    watch = HeatWatch("cell", PATH)
    steady_K = PATH.plate().steady_K(FLUX * 1e-13)
    assert 5 < steady_K < 20
    watch.step(FLUX, 0.0)
    for k in range(1, 2001):
        watch.step(FLUX, 0.02 * k)
    assert watch.rise_K == pytest.approx(PATH.plate().rise_K(0.01, 40.0), rel=1e-6)
    watch.step(0.0, 1e5)
    assert watch.rise_K == pytest.approx(0.0, abs=1e-3)


def test_beam_that_would_warm_too_much_is_refused_with_what_would_fit() -> None:
    rig = Rig(**heated())
    rig.run(0.2)
    error = rig.request(60.0)["error"]
    assert "would warm 'cell' by" in error
    assert "at most 5 K are allowed: attenuate the beam to" in error
    assert rig.request(0.3)["ok"]


def test_a_warm_sample_warns_and_a_hot_one_loses_the_beam_in_time() -> None:
    rig = Rig(**heated(hold_K=3.0))
    rig.flux = 0.25 * FLUX
    rig.run(0.2)
    lease = rig.request(30.0)["lease_id"]
    rig.run(5.0, lease)
    watch = rig.core.account.heat["cell"]
    assert 1.0 < watch.rise_K < 3.0
    assert rig.core.warned
    assert "the beam warms 'cell' by" in rig.core.reason
    assert rig.core.enable
    rig.flux = 1.5 * FLUX
    rig.run(5.0, lease)
    lost = [data for kind, data in rig.disk.entries if kind == "lost"]
    assert [data["cause"] for data in lost] == [Cause.HEATING]
    assert watch.rise_K < 3.0
    # It cools, and may have beam again.
    rig.flux = 0.1 * FLUX
    rig.run(30.0)
    assert rig.request(5.0)["ok"]


def test_a_sample_beside_the_beam_stays_cool() -> None:
    rig = Rig(**heated())
    rig.run(0.2)
    rig.core.place(6.0, True, rig.now_s)
    lease = rig.request(5.0, beside_sample=True)["lease_id"]
    rig.run(5.0, lease)
    assert rig.core.account.heat["cell"].rise_K == 0


def test_a_guard_that_died_in_the_beam_begins_warm() -> None:
    rig = Rig(**heated())
    rig.run(0.2)
    lease = rig.request(0.3)["lease_id"]
    rig.run(0.2, lease)
    rig.kill_guard()
    rig.start_guard()
    assert rig.core.account.heat["cell"].rise_K == pytest.approx(PATH.hold_K)


@pytest.mark.parametrize(
    ("heat", "sentence"),
    [
        ({"stranger": PATH.model_dump()}, "no sample is called stranger"),
        ({"cell": PATH.model_dump() | {"rim_mm": 0.1}}, "outside the beam"),
        ({"cell": PATH.model_dump() | {"warn_K": 9.0}}, "warn_K must not lie above"),
    ],
)
def test_impossible_paths_are_refused(heat: dict[str, Any], sentence: str) -> None:
    cell = {"name": "cell", "material": "NMC811", "dose_limit_Gy": 1.0, "beam_limit_s": 1.0}
    with pytest.raises(ValidationError, match=sentence):
        GuardSettings.model_validate({"samples": [cell], "heat": heat})
