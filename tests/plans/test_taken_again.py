"""Pauses and beam losses at any moment: what is exported is as if there had been none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bluesky.utils import RequestAbort

from tests.plans.simulated import SimulatedBeamline
from tests.records.synthetic import contents, small_spec
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.scan import scan
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.run_folder import RunFolder

SEEDS = range(30)


def spec_of(seed: int) -> ScanSpec:
    few = {"darks": 3, "flats_before": 4, "flats_after": 3, "priming": 8, "period_s": 0.1}
    geometry = small_spec().geometry.model_copy(
        update={"rows": 2, "projections": 20, "step_deg": 9.0}
    )
    kinds = (
        {"sweeps": 2, "order": "alternate"},
        {"sweeps": 2, "interlace": "golden", "flats_every": 1},
        {"motion": "step", "steps_per_lease": 6},
    )
    values = small_spec().model_dump() | few | kinds[seed % len(kinds)]
    return ScanSpec.model_validate(values | {"geometry": geometry.model_dump()})


def taken(root: Path, spec: ScanSpec, seed: int, at: frozenset[int] = frozenset()):
    folder = RunFolder(root)
    at_work = SimulatedBeamline(folder, spec, seed, at)
    uid = at_work.run(lambda devices: scan(devices, spec))
    return at_work, read_scan(folder, uid)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, Scan, dict]]:
    """Messages, scan and exported file of each kind without interruption."""
    made = []
    for kind in range(3):
        root = tmp_path_factory.mktemp("undisturbed")
        at_work, found = taken(root, spec_of(kind), seed=100 + kind)
        made.append((at_work.messages, found, contents(export_nxtomo(found, root / "scan.nxs"))))
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_interrupted_anywhere_the_data_are_as_if_nothing_had_been(
    tmp_path: Path, undisturbed: list[tuple[int, Scan, dict]], seed: int
) -> None:
    messages, whole, file = undisturbed[seed % 3]
    rng = np.random.default_rng(seed)
    # Not in the clean-up, and not before the engine has heard of the scan.
    at = frozenset(rng.integers(2, messages - 25, size=rng.integers(1, 4)).tolist())
    at_work, found = taken(tmp_path / "run", spec_of(seed), seed, at)
    assert at_work.interruptions == len(at)
    assert found.record.outcome == "success"
    assert found.problems == ()
    assert found.table.missing.size == 0
    assert np.array_equal(found.table.index, np.arange(found.record.spec.triggers))
    again = contents(export_nxtomo(found, tmp_path / "scan.nxs"))
    keys = "instrument/detector/image_key"
    assert np.array_equal(again[keys], file[keys])
    for key in (0, 1, 2):
        # Of the same kind all are there, at the same angles, and show the same within noise.
        rows = again[keys] == key
        angles, wanted = (f["sample/rotation_angle"][rows] for f in (again, file))
        order, other = np.argsort(angles), np.argsort(wanted)
        if key == 0:
            assert np.allclose(angles[order], wanted[other], atol=1e-6)
            order, other = (
                np.lexsort((np.arange(order.size), angles.round(6))),
                np.lexsort((np.arange(other.size), wanted.round(6))),
            )
        images, true = (f["instrument/detector/data"][rows].astype(float) for f in (again, file))
        away = (images[order] - true[other]) / np.sqrt(images[order] + true[other] + 1)
        assert np.abs(away).max() < 6.5
        assert away.std() == pytest.approx(1, abs=0.15)
    dose = found.dose
    assert dose.by_cause["interrupted and taken again"] == pytest.approx(at_work.broken_Gy)
    assert dose.by_cause["frames"] == pytest.approx(whole.dose.by_cause["frames"], rel=1e-6)
    charged = sum(opening.dose_central_Gy for opening in found.record.openings)
    assert sum(dose.by_cause.values()) == pytest.approx(charged)
    assert dose.dose_Gy == pytest.approx(charged)


def test_a_sweep_that_was_cut_short_twice_has_flats_of_its_own(tmp_path: Path) -> None:
    spec, behind = spec_of(0), 8
    plain, _ = taken(tmp_path / "plain", spec, 0)
    first = plain.asked_at["sweep_0"] + behind
    once, _ = taken(tmp_path / "once", spec, 0, frozenset({first}))
    second = once.asked_at["sweep_0_take2"] + behind
    _, found = taken(tmp_path / "twice", spec, 0, frozenset({first, second}))
    takes = [(t.block, t.number, t.outcome) for t in found.record.takes]
    assert takes[2:8] == [
        ("flats_before", 1, "complete"),
        ("sweep_0", 1, "interrupted"),
        ("flats_before", 2, "complete"),
        ("sweep_0", 2, "interrupted"),
        ("flats_before", 3, "complete"),
        ("sweep_0", 3, "complete"),
    ]
    assert found.record.counted["flats_before"] == found.record.counted["sweep_0"] == 3
    assert found.table.missing.size == 0


def test_a_run_that_ended_in_a_later_take_keeps_the_whole_one(tmp_path: Path) -> None:
    spec = spec_of(0)
    plain, _ = taken(tmp_path / "plain", spec, 0)
    first = plain.asked_at["sweep_0"] + 8
    once, _ = taken(tmp_path / "once", spec, 0, frozenset({first}))
    folder = RunFolder(tmp_path / "ended")
    at_work = SimulatedBeamline(folder, spec, 0, frozenset({first}))
    stopped = once.asked_at["flats_before_take2"] + 3

    def ended(devices: object):
        plan = scan(devices, spec)  # pyright: ignore[reportArgumentType]
        message = next(plan)
        while True:
            if at_work.messages == stopped:
                message = plan.throw(RequestAbort())
                stopped_already.append(message)
            try:
                message = plan.send((yield message))
            except StopIteration:
                return

    stopped_already: list[object] = []
    with pytest.raises(RequestAbort):
        at_work.run(ended)
    assert stopped_already
    found = read_scan(folder, "0123456789abcdef")
    assert found.record.counted["flats_before"] == 1
    assert found.table.of_blocks([2]).missing.size == 0
    # Of the sweep the cut take is all there is.
    sweep = found.table.of_blocks([3])
    assert 0 < np.count_nonzero(sweep.valid) < 20
    assert found.dose.by_cause["interrupted and taken again"] == 0
