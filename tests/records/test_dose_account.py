"""Every gray that was charged has its cause, and the causes add up."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.records.synthetic import DOSE_PER_FLUENCE, FLUX, SyntheticRun
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog, Entry, read_log
from voltomo.runtime.run_folder import RunFolder

SWEEP = 12 + 6 + 6
FRAME_GY = FLUX * 0.02 * DOSE_PER_FLUENCE


def test_causes_add_up(tmp_path):
    run = SyntheticRun(
        RunFolder(tmp_path), missed=(SWEEP + 1,), lost=(SWEEP + 2, SWEEP + 3)
    ).write()
    dose = read_scan(run.folder, run.uid).dose
    assert dose.by_cause["frames"] == pytest.approx(57 * FRAME_GY)
    assert dose.by_cause["triggers without a valid frame"] == pytest.approx(3 * FRAME_GY)
    assert sum(dose.by_cause.values()) == pytest.approx(dose.dose_Gy)
    assert dose.bound_Gy == pytest.approx(1.03 * dose.dose_Gy)
    assert dose.wasted_fraction == pytest.approx(1 - 57 * FRAME_GY / dose.dose_Gy)
    assert dose.open_s == pytest.approx(72 * 0.025 + 3 * 0.1)


def test_dose_of_each_frame(tmp_path):
    run = SyntheticRun(RunFolder(tmp_path)).write()
    scan = read_scan(run.folder, run.uid)
    lit = scan.table.index >= 18
    np.testing.assert_allclose(scan.table.dose_Gy[lit], FRAME_GY)
    np.testing.assert_allclose(scan.table.dose_Gy[~lit], 0)
    assert np.all(np.isnan(scan.exposure.flux_per_cm2_s[~lit]))


def test_without_exposure_log_the_settlements_count(tmp_path):
    run = SyntheticRun(RunFolder(tmp_path)).write()
    whole = read_scan(run.folder, run.uid).dose
    run.folder.exposure_log.unlink()
    settled = read_scan(run.folder, run.uid).dose
    assert settled.dose_Gy == pytest.approx(whole.dose_Gy)
    assert settled.wasted_fraction == pytest.approx(whole.wasted_fraction)


def test_replay_costs_nothing(tmp_path):
    run = SyntheticRun(RunFolder(tmp_path), source="replay").write()
    scan = read_scan(run.folder, run.uid)
    assert (scan.dose.dose_Gy, scan.dose.wasted_fraction) == (0, None)
    assert scan.dose.stamp == "replay: no beam"
    assert np.all(scan.table.dose_Gy == 0)


def test_stretches_of_one_lease_and_what_a_dead_guard_had_reserved(tmp_path):
    run = SyntheticRun(RunFolder(tmp_path)).write()
    whole = read_scan(run.folder, run.uid)
    entries = [e.data for e in read_log(run.folder.exposure_log)]
    run.folder.exposure_log.unlink()
    with AppendLog(run.folder.exposure_log) as ledger:
        for entry in entries:
            middle = (entry["opened_utc_s"] + entry["closed_utc_s"]) / 2
            half = {key: entry[key] / 2 for key in ("dose_Gy", "dose_central_Gy", "open_s")}
            ledger.append("exposure", entry | half | {"closed_utc_s": middle})
            ledger.append("exposure", entry | half | {"opened_utc_s": middle})
        unknown = {"opened_utc_s": None, "closed_utc_s": None, "flux": [], "stamp": "in full"}
        ledger.append("exposure", entries[1] | unknown | {"dose_central_Gy": 2.0, "dose_Gy": 2.0})
    split = read_scan(run.folder, run.uid)
    np.testing.assert_allclose(split.table.dose_Gy, whole.table.dose_Gy)
    assert split.dose.by_cause["reserved by a guard that died"] == 2.0
    assert split.dose.dose_Gy == pytest.approx(whole.dose.dose_Gy + 2.0)
    assert sum(split.dose.by_cause.values()) == pytest.approx(split.dose.dose_Gy)


def test_flats_out_of_the_field_cost_nothing(tmp_path):
    run = SyntheticRun(RunFolder(tmp_path)).write()
    entries = [e.data for e in read_log(run.folder.exposure_log)]
    run.folder.exposure_log.unlink()
    with AppendLog(run.folder.exposure_log) as ledger:
        for entry in entries:
            free = {"dose_Gy": 0.0, "dose_central_Gy": 0.0, "stamp": "sample out of the field"}
            flats = entry["purpose"].startswith("flats")
            ledger.append("exposure", entry | (free if flats else {}))
    scan = read_scan(run.folder, run.uid)
    assert scan.dose.by_cause["flats"] == 0
    assert scan.dose.wasted_fraction == pytest.approx(1 - 60 * 0.02 / 1.6)
    flats = (scan.table.index >= 18) & (scan.table.index < 24)
    assert np.all(scan.table.dose_Gy[flats] == 0)
    np.testing.assert_allclose(scan.exposure.flux_per_cm2_s[flats], FLUX)


class SetClock:
    """A clock that somebody sets now and then; its steady time goes on by a second an entry."""

    def __init__(self) -> None:
        self.steady_s, self.set_to_s = 1000.0, 0.0

    def now_s(self) -> float:
        self.steady_s += 1.0
        return self.steady_s

    def utc_s(self) -> float:
        return self.steady_s + 1.0 + self.set_to_s


def rewritten(path: Path, moved: Callable[[Entry], float]) -> None:
    """The log as it would be with a clock that was off by so much at each entry."""
    entries = read_log(path)
    path.unlink()
    clock = SetClock()
    with AppendLog(path, clock=clock) as log:
        for entry in entries:
            clock.set_to_s = 1.8e9 + moved(entry)
            doc = entry.data.get("doc", entry.data)
            for key in ("time", "opened_utc_s", "closed_utc_s"):
                if key in doc:
                    doc[key] = (np.array(doc[key]) + moved(entry)).tolist()
            if "flux" in doc:
                doc["flux"] = [[utc_s + moved(entry), flux] for utc_s, flux in doc["flux"]]
            log.append(entry.kind, entry.data)


@pytest.mark.parametrize("during_s", [0.0, 5.0, -3600.0])
@pytest.mark.parametrize("before_s", [0.0, 1.0, -86400.0])
def test_clocks_that_are_set_move_no_dose(tmp_path, before_s: float, during_s: float):
    """Once before the scan, since when the guard's own clock is off; once in the middle of it."""
    run = SyntheticRun(RunFolder(tmp_path), lost=(SWEEP + 5,)).write()
    whole = read_scan(run.folder, run.uid)
    middle = len(read_log(run.folder.run_log)) // 2
    rewritten(run.folder.run_log, lambda entry: during_s if entry.number > middle else 0.0)
    rewritten(run.folder.exposure_log, lambda entry: before_s)
    scan = read_scan(run.folder, run.uid)
    np.testing.assert_allclose(scan.table.dose_Gy, whole.table.dose_Gy, rtol=1e-6)
    assert scan.dose.wasted_fraction == pytest.approx(whole.dose.wasted_fraction)
    utc_s = scan.table.time_s + scan.record.latches.utc_minus_trigger_s
    expected_s = whole.table.time_s + whole.record.latches.utc_minus_trigger_s
    np.testing.assert_allclose(utc_s, expected_s, atol=1e-3)
