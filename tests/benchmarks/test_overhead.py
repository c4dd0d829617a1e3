"""Waste is told by dose and by time, of the sweep alone."""

from __future__ import annotations

import pytest

from benchmarks.overhead import sweep_costs
from tests.records.synthetic import START_UTC_S, SyntheticRun
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder


def test_frames_without_a_picture_and_dead_time_are_waste(tmp_path) -> None:
    folder = RunFolder(tmp_path / "run")
    run = SyntheticRun(folder).write()
    sweep = next(block for block in run.spec.blocks() if block.kind == "sweep")
    whole = sweep_costs(read_scan(folder, run.uid), START_UTC_S)
    exposed_s = sweep.count * run.spec.exposure_s
    assert whole["beam_useful_s"] == pytest.approx(exposed_s, abs=1e-3)
    by_time = 1 - exposed_s / whole["beam_open_s"]
    assert whole["wasted_fraction_by_time"] == pytest.approx(by_time, abs=1e-3)
    # A beam that was steady: a second of it costs the same whenever it passes.
    assert whole["wasted_fraction"] == pytest.approx(by_time, abs=0.05)
    # A fifth of each period is dead time.
    assert whole["wasted_fraction_by_time"] > 0.19

    lost = tuple(range(sweep.first + 10, sweep.first + 25))
    other = RunFolder(tmp_path / "other")
    holes = SyntheticRun(other, lost=lost).write()
    found = sweep_costs(read_scan(other, holes.uid), START_UTC_S)
    for key in ("wasted_fraction", "wasted_fraction_by_time"):
        assert found[key] == pytest.approx(1 - (1 - whole[key]) * 45 / 60, abs=0.01)
    assert found["beam_open_s"] == whole["beam_open_s"]
