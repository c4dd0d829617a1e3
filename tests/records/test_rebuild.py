"""Artefacts can be thrown away: folding the same log gives the same ones again."""

import shutil

from tests.records.synthetic import SyntheticRun
from voltomo.records.rebuild import projections
from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder


def rebuild(folder: RunFolder) -> dict[str, bytes]:
    for projection in projections(folder):
        projection.fold(read_log(folder.run_log))
    return {path.name: path.read_bytes() for path in folder.exports.iterdir()}


def test_rebuilt_artefacts_are_the_same(tmp_path):
    folder = RunFolder(tmp_path)
    whole = SyntheticRun(folder, lost=(30,)).write()
    SyntheticRun(folder, last=9, stop="abort").write()
    first = rebuild(folder)
    assert set(first) == {f"{whole.uid[:8]}.nxs", "report.html"}
    assert rebuild(folder) == first
    shutil.rmtree(folder.exports)
    folder.create()
    assert rebuild(folder) == first


def test_empty_run_folder(tmp_path):
    folder = RunFolder(tmp_path).create()
    assert set(rebuild(folder)) == {"report.html"}
