"""The run log takes every document as it is, and never hides that it cannot write."""

import subprocess
import sys

import numpy as np
import pytest

from voltomo.records.run_log import RunLog
from voltomo.runtime.append_log import LogInUse, read_log


def test_documents_of_a_real_engine(tmp_path):
    from bluesky import RunEngine
    from bluesky import plan_stubs as bps
    from bluesky import preprocessors as bpp

    with RunLog(tmp_path / "run.log") as log:
        engine = RunEngine({})
        engine.subscribe(log)

        @bpp.run_decorator(md={"angles": np.arange(3)})
        def plan():
            yield from bps.null()

        engine(plan())
        log.append_entry("note", {"text": "all well", "flux": np.float32(2.5)})
    entries = read_log(tmp_path / "run.log")
    assert [entry.data.get("name") for entry in entries] == ["start", "stop", None]
    assert entries[1].data["doc"]["run_start"] == entries[0].data["doc"]["uid"]
    assert entries[0].data["doc"]["angles"] == [0, 1, 2]
    assert entries[2].data == {"text": "all well", "flux": 2.5}


def test_a_log_that_cannot_write_ends_the_plan(tmp_path):
    from bluesky import RunEngine
    from bluesky import plan_stubs as bps
    from bluesky import preprocessors as bpp

    log = RunLog(tmp_path / "run.log")
    engine = RunEngine({})
    engine.subscribe(log)
    reached: list[str] = []

    @bpp.run_decorator(md={})
    def plan():
        reached.append("beam")
        yield from bps.null()

    log.close()
    with pytest.raises(ValueError, match="closed file"):
        engine(plan())
    assert reached == []


def test_documents_come_from_the_engine_alone(tmp_path):
    with RunLog(tmp_path / "run.log") as log, pytest.raises(ValueError, match="RunEngine alone"):
        log.append_entry("document", {})


def test_one_writer(tmp_path):
    with RunLog(tmp_path / "run.log"):
        code = (
            "import sys; from pathlib import Path; from voltomo.records.run_log import RunLog; "
            "RunLog(Path(sys.argv[1]))"
        )
        second = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "run.log"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert LogInUse.__name__ in second.stderr
