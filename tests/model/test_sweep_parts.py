"""Sweeps that pass blind sectors, and frames of a rolling shutter."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from voltomo.model.beam_window import beam_window
from voltomo.model.clock import ClockMap
from voltomo.model.frame_table import Frames, Triggers, join
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sweep_parts import blind_wedge_deg


def spec(range_deg: float = 180.0, **options: Any) -> ScanSpec:
    count = round(range_deg)
    geometry = Geometry(rows=8, columns=8, pixel_um=1, step_deg=1.0, projections=count)
    return ScanSpec.model_validate(
        {"sample": "cell", "geometry": geometry, "exposure_s": 0.01, "period_s": 0.02, **options}
    )


def sweeps(scan: ScanSpec) -> list[tuple[str, float, float]]:
    """Name, first and last angle of every part."""
    found: list[tuple[str, float, float]] = []
    for block in scan.blocks():
        if block.kind == "sweep" and block.asked_deg is not None:
            found.append((block.name, block.asked_deg[0], block.asked_deg[-1]))
    return found


def test_a_sweep_goes_round_a_blind_sector_in_parts() -> None:
    scan = spec(blind_sectors=((85.0, 95.0),))
    assert sweeps(scan) == [("sweep_0_part_0", 0.0, 83.0), ("sweep_0_part_1", 95.0, 179.0)]
    blocks = scan.blocks()
    assert all(before.last == after.first for before, after in pairwise(blocks))
    assert scan.triggers == spec().triggers - 11


def test_the_beam_has_time_to_close_before_a_sector() -> None:
    scan = spec(blind_sectors=((85.0, 95.0),), blind_margin_deg=2.5)
    assert sweeps(scan) == [("sweep_0_part_0", 0.0, 81.0), ("sweep_0_part_1", 98.0, 179.0)]


def test_on_the_way_back_the_parts_come_in_reverse() -> None:
    scan = spec(blind_sectors=((85.0, 95.0),), sweeps=2, order="alternate", flats_every=1)
    assert sweeps(scan)[2:] == [("sweep_1_part_0", 179.0, 96.0), ("sweep_1_part_1", 84.0, 0.0)]
    names = [block.name for block in scan.blocks() if block.kind != "priming"]
    assert names.index("flats_0") == names.index("sweep_0_part_1") + 1


def test_a_sector_beside_the_range_changes_nothing() -> None:
    scan = spec(blind_sectors=((200.0, 300.0),))
    assert sweeps(scan) == sweeps(spec())
    assert blind_wedge_deg(scan) == ()


def test_steps_keep_to_the_angles_in_sight() -> None:
    scan = spec(blind_sectors=((85.0, 95.0),), motion="step", gate="lease")
    assert sweeps(scan) == [("sweep_0_part_0", 0.0, 84.0), ("sweep_0_part_1", 95.0, 179.0)]
    golden = spec(blind_sectors=((85.0, 95.0),), motion="step", angles="golden")
    (block,) = [block for block in golden.blocks() if block.kind == "sweep"]
    assert block.asked_deg is not None
    assert not np.any((block.asked_deg > 85) & (block.asked_deg < 95))
    assert 165 <= block.count < 180


def test_the_missing_wedge_is_what_no_view_from_either_side_makes_good() -> None:
    assert blind_wedge_deg(spec(blind_sectors=((85.0, 95.0),))) == ((85.0, 95.0),)
    assert blind_wedge_deg(spec(360.0, blind_sectors=((85.0, 95.0),))) == ()
    tilted = spec(360.0, blind_sectors=((85.0, 95.0),))
    leaning = tilted.model_copy(
        update={"geometry": tilted.geometry.model_copy(update={"tilt_deg": 30.0})}
    )
    assert blind_wedge_deg(leaning) == ((85.0, 95.0),)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"blind_sectors": ((95.0, 85.0),)}, "upwards, by less than a turn"),
        (
            {
                "blind_sectors": ((85.0, 95.0),),
                "motion": "step",
                "angles": "golden",
                "gate": "lease",
            },
            "leaves the beam on meanwhile",
        ),
        ({"row_delay_us": 3000.0}, "does not fit into a period"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**options)


def test_a_rolling_shutter_is_exposed_later_row_by_row() -> None:
    scan = spec(row_delay_us=1000.0)
    assert scan.read_out_s == pytest.approx(0.007)
    assert scan.frame_s == pytest.approx(0.017)
    assert beam_window(0.01, 0.005, 0.007).tail_s == pytest.approx(0.018)
    (sweep,) = [block for block in scan.blocks() if block.kind == "sweep"]
    index = np.arange(sweep.first, sweep.last)
    time_s = 0.02 * np.arange(sweep.count, dtype=np.float64)
    triggers = Triggers.of_blocks([sweep], index, time_s, 50 * time_s)
    frames = Frames(time_s, index, index)
    table = join(triggers, frames, ClockMap(0.0), scan.exposure_s, scan.read_out_s)
    assert table.valid.all()
    # The middle of the rows, (8 - 1) / 2 delays behind the first, at 50 deg/s.
    np.testing.assert_allclose(table.angle_deg, 50 * (time_s + 0.005 + 0.0035))
    np.testing.assert_allclose(table.read_out_deg, 50 * 0.007)
    still = join(triggers, frames, ClockMap(0.0), scan.exposure_s)
    assert not still.read_out_deg.any()


def test_what_a_leaning_axis_lacks_is_told_once_for_all_turns() -> None:
    once = spec(blind_sectors=((80.0, 100.0),))
    whole = {"projections": 360, "step_deg": 1.0, "tilt_deg": 30.0}
    turned = once.geometry.model_copy(update=whole)
    two = ScanSpec.model_validate(once.model_dump() | {"geometry": turned, "turns": 2})
    one = ScanSpec.model_validate(once.model_dump() | {"geometry": turned})
    assert len(blind_wedge_deg(one)) == 1
    assert blind_wedge_deg(two) == blind_wedge_deg(one)
