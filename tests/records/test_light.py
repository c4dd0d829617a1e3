"""Frames of a lease that did not end as it should count only while the beam was on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.records.synthetic import SyntheticRun
from voltomo.model.frame_table import Outcome
from voltomo.records.charges import Opening
from voltomo.records.light import stretches
from voltomo.records.nxtomo_rows import nxtomo_rows
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.append_log import AppendLog, read_log
from voltomo.runtime.run_folder import RunFolder

FLATS, SWEEP = range(18, 24), range(24, 84)


def rewritten(
    tmp_path: Path, change: Callable[[str, dict[str, Any]], dict[str, Any] | None]
) -> Scan:
    """A scan whose charges and openings were changed, or left out (None)."""
    run = SyntheticRun(RunFolder(tmp_path)).write()
    for path in (run.folder.run_log, run.folder.exposure_log):
        entries = read_log(path)
        path.unlink()
        with AppendLog(path) as log:
            for entry in entries:
                data = entry.data
                if entry.kind in ("settlement", "exposure"):
                    data = change(entry.kind, data)
                if data is not None:
                    log.append(entry.kind, data)
    return read_scan(run.folder, run.uid)


def test_a_shutter_that_did_not_open_leaves_no_flat(tmp_path: Path) -> None:
    def stuck(kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        if data["purpose"] != "flats_before":
            return data
        return None if kind == "exposure" else data | {"reason": "the shutter reads a fault"}

    scan = rewritten(tmp_path, stuck)
    flats = np.isin(scan.table.index, FLATS)
    assert np.all(scan.table.outcome[flats] == Outcome.UNLIT)
    assert np.all(scan.table.dose_Gy[flats] == 0)
    assert np.all(scan.table.valid[np.isin(scan.table.index, SWEEP)])
    rows = nxtomo_rows(scan)
    assert np.count_nonzero(rows.image_key == 1) == 6, "those behind the sweep"
    assert np.count_nonzero(rows.image_key == 3) == 6


def test_frames_behind_the_end_of_the_beam_are_listed_as_unlit(tmp_path: Path) -> None:
    part = 0.5

    def lost(kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        if data["purpose"] != "sweep_0":
            return data
        if kind == "settlement":
            return data | {"reason": "lost: the lease was not renewed"}
        opened, closed = data["opened_utc_s"], data["closed_utc_s"]
        return data | {"closed_utc_s": opened + part * (closed - opened)}

    scan = rewritten(tmp_path, lost)
    sweep = np.isin(scan.table.index, SWEEP)
    outcome = scan.table.outcome[sweep]
    lit = np.flatnonzero(outcome == Outcome.FRAME)
    assert np.array_equal(lit, np.arange(lit.size)), "the first ones, without a hole"
    assert 27 <= lit.size <= 30
    assert np.all(outcome[lit.size :] == Outcome.UNLIT)
    assert set(scan.table.missing) == set(SWEEP[lit.size :])


def test_a_long_opening_may_be_logged_in_parts(tmp_path: Path) -> None:
    run = SyntheticRun(RunFolder(tmp_path)).write()
    entries = [entry.data for entry in read_log(run.folder.exposure_log)]
    openings = [Opening.model_validate(entry) for entry in entries]
    whole = openings[1]
    assert whole.opened_utc_s is not None
    middle_s = whole.opened_utc_s + 0.7
    parts = [
        whole.model_copy(update={"closed_utc_s": middle_s}),
        whole.model_copy(update={"opened_utc_s": middle_s}),
    ]
    assert stretches(parts) == stretches([whole])
    assert len(stretches(openings) or []) == len(openings)
    assert stretches([*parts, whole.model_copy(update={"opened_utc_s": None})]) is None


def test_without_a_word_of_the_beam_frames_keep_their_triggers(tmp_path: Path) -> None:
    scan = rewritten(tmp_path, lambda _kind, _data: None)
    assert np.all(scan.table.valid)


def test_a_guard_that_died_takes_no_frame_with_it(tmp_path: Path) -> None:
    def died(kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        if data["purpose"] != "sweep_0":
            return data
        unknown = {"opened_utc_s": None, "closed_utc_s": None, "flux": []}
        return None if kind == "settlement" else data | unknown

    assert np.all(rewritten(tmp_path, died).table.valid)
