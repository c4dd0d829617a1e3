"""An interlaced scan ends with its target, says what it saved, and ends by nothing unknown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.plans.kinds import small
from tests.plans.scripted import Driver, beamline
from tests.plans.simulated import UID, SimulatedBeamline
from tests.plans.test_scan_kinds import trains_of
from tests.plans.test_taken_again import spec_of
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.target import Target, judge
from voltomo.model.verdict import Verdict
from voltomo.plans.scan import scan
from voltomo.plans.stop_when import Decisions, stop_when
from voltomo.plans.words import ScanRefused
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.report import write_report
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.run_folder import RunFolder

SWEEPS = 6


class Worker:
    """Verdicts of a resolution that gets finer with each sweep; `half` is half of its interval."""

    def __init__(self, spec: ScanSpec, half: float = 0.5, uid: str = UID, late: bool = False):
        self.sweeps = [block for block in spec.blocks() if block.kind == "sweep"]
        self.half, self.uid, self.late, self.asked = half, uid, late, 0

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        if scan_uid != self.uid:
            return {}
        self.asked += 1
        sweep = self.sweeps[0 if self.late else min(self.asked, len(self.sweeps) - 1)]
        value = 8.0 - self.asked
        verdict = Verdict(
            scan_uid=scan_uid, sequence=self.asked, metric="frc_resolution", unit="um",
            value=value, low=value - self.half, high=value + self.half,
            last_trigger=sweep.last - 1, judgement="good",
        )  # fmt: skip
        return {"frc_resolution": verdict}

    def no_slice(self, scan_uid: str) -> str:
        return ""


def spec(**target: Any) -> ScanSpec:
    asked: dict[str, Any] = {"at_most": 6.6, "patience_s": 0.2} | target
    wanted = stop_when("frc_resolution", **asked)
    few = {"sweeps": SWEEPS, "interlace": "golden", "flats_every": 2, "stop_when": wanted}
    return ScanSpec.model_validate(spec_of(0).model_dump() | {"order": "forward"} | few)


def taken(root: Path, wanted: ScanSpec, worker: Worker) -> tuple[SimulatedBeamline, Scan]:
    folder = RunFolder(root)
    at_work = SimulatedBeamline(folder, wanted)
    uid = at_work.run(lambda devices: scan(devices, wanted, verdicts=worker))
    return at_work, read_scan(folder, uid)


def blocks_with_frames(found: Scan) -> list[str]:
    return [found.record.blocks[number].name for number in np.unique(found.table.block)]


def test_the_scan_ends_with_its_target_and_says_what_that_saved(tmp_path: Path) -> None:
    wanted = spec()
    _, found = taken(tmp_path / "run", wanted, Worker(wanted))
    # 7 +- .5 after two sweeps, 6 +- .5 after three.
    assert blocks_with_frames(found) == [
        "priming", "darks", "flats_before", "sweep_0", "sweep_1", "flats_1", "sweep_2",
        "flats_after",
    ]  # fmt: skip
    assert found.record.outcome == "success"
    assert "after 3 of 6 sweeps" in found.record.reason
    assert "50 % of the dose" in found.record.reason
    assert found.table.missing.size == 0
    decisions = found.record.decisions
    assert [(one.sweeps, one.ends) for one in decisions] == [(2, False), (3, True)]
    last = decisions[-1]
    assert (last.projections, last.projections_asked, last.saved_fraction) == (60, 120, 0.5)
    page = write_report(found, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "50 % of the projections" in page
    assert "were left out, since the target had been reached" in page
    assert export_nxtomo(found, tmp_path / "scan.nxs").exists()
    purposes = [charge.purpose for charge in found.record.charges]
    assert purposes == ["flats_before", "sweep_0", "sweep_1", "flats_1", "sweep_2", "flats_after"]


@pytest.mark.parametrize(
    "worker",
    [
        lambda wanted: Worker(wanted, half=2.0),
        lambda wanted: Worker(wanted, late=True),
        lambda wanted: Worker(wanted, uid="another-scan"),
    ],
    ids=["interval across the threshold", "rests on older sweeps", "another scan's"],
)
def test_what_is_not_known_ends_nothing(tmp_path: Path, worker: Any) -> None:
    wanted = spec(at_most=4.2)
    _, found = taken(tmp_path / "run", wanted, worker(wanted))
    assert blocks_with_frames(found)[-2:] == ["sweep_5", "flats_after"]
    assert found.record.outcome == "success"
    assert found.record.reason == ""
    assert [decision.ends for decision in found.record.decisions] == [False] * 4
    page = write_report(found, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not known to be reached" in page


def test_the_fewest_sweeps_are_taken_at_any_rate(tmp_path: Path) -> None:
    wanted = spec(at_most=100.0, fewest_sweeps=4)
    _, found = taken(tmp_path / "run", wanted, Worker(wanted))
    assert [decision.sweeps for decision in found.record.decisions] == [4]


def test_a_sweep_that_passes_a_blind_sector_counts_once_and_with_its_last_part() -> None:
    wanted = ScanSpec.model_validate(spec().model_dump() | {"blind_sectors": ((80, 100),)})
    worker = Worker(wanted)
    worker.sweeps = [block for block in worker.sweeps if block.name.endswith("_part_1")]
    assert len(worker.sweeps) == SWEEPS
    decisions, driver = Decisions(wanted, worker), Driver()
    for block in wanted.blocks():
        if decisions.wants(block):
            driver.run(decisions.after(block, UID))
    assert worker.asked == 2
    assert decisions.reason.startswith("the target was reached")
    assert "after 3 of 6 sweeps" in decisions.reason
    assert decisions.read()["decision_saved_fraction"]["value"] == pytest.approx(0.5, abs=0.05)


def test_what_was_decided_is_not_decided_again_behind_a_pause() -> None:
    wanted = spec(at_most=0.1)
    decisions, driver = Decisions(wanted, Worker(wanted)), Driver()
    second = [block for block in wanted.blocks() if block.kind == "sweep"][1]
    for _ in range(2):
        driver.run(decisions.after(second, UID))
    assert len(driver.of("save")) == 1


def test_a_target_without_anybody_to_judge_is_refused_before_any_beam() -> None:
    driver = Driver()
    with pytest.raises(ScanRefused, match="give the plan the live worker"):
        driver.run(scan(beamline(), spec()))
    assert not driver.of("open_run")


def test_without_a_target_no_verdict_is_asked_for() -> None:
    wanted = small(sweeps=2, interlace="golden")
    worker = Worker(wanted)
    driver = Driver()
    driver.run(scan(beamline(), wanted, verdicts=worker))
    assert worker.asked == 0
    assert trains_of(driver)[-1].last == wanted.triggers


@pytest.mark.parametrize(
    "changes", [{"sweeps": 1}, {"interlace": "none"}, {"every_s": 30.0}], ids=lambda c: str(*c)
)
def test_only_scans_that_grow_can_end_early(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="between interlaced sweeps"):
        ScanSpec.model_validate(spec().model_dump() | changes)


def test_a_threshold_is_kept_by_the_whole_interval_or_not_at_all() -> None:
    assert judge(5, 4, 6, at_most=6) == "good"
    assert judge(5, 4, 6, at_most=5.5) == "unknown"
    assert judge(5, 4, 6, at_most=3) == "bad"
    assert judge(5, 4, 6, at_least=4) == "good"
    assert judge(5, 4, 6, at_least=7) == "bad"
    assert judge(5, None, None, at_most=9) == judge(5, 4, 6) == "unknown"
    # Of what has a direction, the magnitude counts.
    assert judge(-18.8, -19, -18.6, at_most=0.5, signed=True) == "bad"
    assert judge(-0.3, -0.4, -0.2, at_most=0.5, signed=True) == "good"
    assert judge(0.1, -0.7, 0.9, at_most=0.5, signed=True) == "unknown"
    off = Verdict(scan_uid="a", sequence=0, metric="axis_error", value=-9, low=-9.1, high=-8.9)
    assert not stop_when("axis_error", at_most=0.5).reached(off)
    with pytest.raises(ValueError, match="one of at_most and at_least"):
        Target(metric="snr")
    assert not stop_when("snr", at_least=3).reached(None)
    assert stop_when("snr", at_least=3).words == "snr at least 3"
