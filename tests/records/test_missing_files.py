"""A file of frames that is gone or broken costs its own frames, never another frame's angle."""

import numpy as np
import pytest

from tests.records.synthetic import SyntheticRun, contents, small_spec
from voltomo.model.names import run_name
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.nxtomo_rows import INVALID
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder

NAMES = [block.name for block in small_spec().blocks()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "damage"),
    [*((name, "gone") for name in NAMES), ("priming", "cut"), ("sweep_0", "empty")],
)
def test_any_one_file(tmp_path, name: str, damage: str) -> None:
    folder = RunFolder(tmp_path)
    run = SyntheticRun(folder).write()
    path = folder.frames / f"{run_name(run.uid)}_{name}.h5"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:700])
    scan = read_scan(folder, run.uid)
    rows = scan.table
    assert any(str(path) in problem for problem in scan.problems)
    exported = contents(export_nxtomo(scan, tmp_path / "scan.nxs"))
    if name == "priming":
        assert not rows.valid.any()
        assert any("restore that file" in problem for problem in scan.problems)
        assert set(exported["instrument/detector/image_key"]) == {INVALID}
        return
    number = scan.block_numbers[name]
    assert np.array_equal(rows.valid, rows.block != number)
    index, data = exported["voltomo/frames/trigger_index"], exported["data/data"]
    assert all(np.array_equal(data[at], run.truth[i]) for at, i in enumerate(index))
    sweep = exported["instrument/detector/image_key"] == 0
    first = run.spec.blocks()[3].first
    true_deg = 3.0 * (index[sweep] - first) + 3.0 / 0.025 * 0.02 / 2
    assert np.allclose(exported["sample/rotation_angle"][sweep], true_deg)
