"""The arithmetic of fly scans, for any scan."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.plans.scripted import spec
from voltomo.model.beam_window import beam_window
from voltomo.model.geometry import Geometry
from voltomo.plans.arithmetic import (
    beam_seconds,
    run_up_deg,
    scan_beam_seconds,
    scan_bytes,
    sweep_path,
)

speeds = st.floats(0.01, 180)
ramps = st.floats(0.0, 5.0)
scans = st.builds(
    lambda start, step, projections, period: spec(
        geometry=Geometry(
            rows=8, columns=8, pixel_um=1, start_deg=start, step_deg=step, projections=projections
        ),
        period_s=period,
        exposure_s=period / 2,
        sweeps=2,
        order="alternate",
    ),
    st.floats(-360, 360),
    st.floats(0.01, 5),
    st.integers(2, 2000),
    st.floats(1e-3, 1),
)


@given(speeds, ramps)
def test_a_stage_is_at_speed_before_the_first_trigger(speed: float, ramp: float) -> None:
    covered_while_accelerating = speed * ramp / 2
    assert run_up_deg(speed, ramp) > covered_while_accelerating


@given(scans, ramps)
def test_the_path_encloses_all_triggers_with_the_run_up_on_both_sides(scan, ramp) -> None:
    for block in scan.blocks():
        if block.kind != "sweep":
            continue
        path = sweep_path(block, scan.velocity_deg_s, ramp)
        away = run_up_deg(scan.velocity_deg_s, ramp)
        low, high = sorted((path.approach_deg, path.end_deg))
        angles = scan.geometry.angles_deg
        assert low <= angles[0] - away
        assert high >= angles[-1] + away
        assert (path.end_deg > path.approach_deg) == (block.step_deg > 0)


@given(scans, st.floats(0.001, 0.2))
def test_a_lease_covers_every_exposure_and_the_shutter(scan, travel: float) -> None:
    window = beam_window(scan.exposure_s, travel)
    assert window.lead_s > travel
    assert window.tail_s > scan.exposure_s
    for block in scan.blocks():
        lit_s = (block.count - 1) * block.period_s + scan.exposure_s + 2 * travel
        assert beam_seconds(block, window) > lit_s


@given(scans)
def test_a_scan_needs_the_beam_of_its_flats_and_sweeps_alone(scan) -> None:
    window = beam_window(scan.exposure_s, 0.015)
    lit = [b for b in scan.blocks() if b.kind in ("flats", "sweep")]
    assert scan_beam_seconds(scan, window) == sum(beam_seconds(b, window) for b in lit)
    assert scan_bytes(scan) == 2 * 64 * sum(b.count for b in scan.blocks())
