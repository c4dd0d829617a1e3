"""Every gray that was charged has its cause, and the causes add up."""

import numpy as np
import pytest

from tests.records.synthetic import DOSE_PER_FLUENCE, FLUX, SyntheticRun
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog, read_log
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
