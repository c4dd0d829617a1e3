"""The filler dies in mid-scan and comes back: every run is catalogued once, equal to the log."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.records.serving import client_of, served_catalogue
from tests.virtual_beamline import VirtualBeamline, scan_file, stored
from voltomo.model.frame_layout import FRAMES
from voltomo.records.catalogue_state import read_state
from voltomo.records.ended_runs import EndedRuns, documents_of
from voltomo.runtime.run_folder import RunFolder

pytestmark = [
    pytest.mark.twin,
    pytest.mark.kill,
    pytest.mark.timeout(300),
    # tiled's client and its server speak of the future of what they use.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def filler(folder: RunFolder) -> subprocess.Popen[bytes]:
    """As the supervisor starts it, but that it need not stand behind other tests."""
    words = ["-m", "voltomo.records.filler", "--run-folder", str(folder.root), "--niceness", "0"]
    with (folder.services / "catalogue.log").open("ab") as log:
        return subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)


def test_a_filler_that_dies_in_mid_scan_misses_nothing(beamline: VirtualBeamline) -> None:
    folder = beamline.folder
    first = beamline.scan(scan_file(projections=40)).record.uid
    process = filler(folder)
    known = len(beamline.world.frames)
    scan = scan_file(projections=200)
    session = beamline.start_scan(scan)
    beamline.wait_for_sweep(session, 20, known, scan)
    process.kill()
    process.wait()
    said, _ = session.communicate(timeout=110)
    assert session.returncode == 0, said
    second = beamline.last_scan().record.uid

    process = filler(folder)
    try:
        ended = {run.uid: run for run in EndedRuns(folder.run_log).poll()}

        def filled() -> bool:
            state = read_state(folder)
            return state is not None and set(state.runs) == set(ended)

        beamline.wait(filled, 200)
    finally:
        process.terminate()
        assert process.wait(30) == 0
    state = read_state(folder)
    assert state is not None
    assert (state.set_aside, state.trouble) == ({}, "")

    with served_catalogue(folder) as (address, key):
        catalogue: Any = client_of(address, key)
        assert sorted(catalogue.keys()) == sorted(ended)
        for uid in (first, second):
            logged = documents_of(folder.run_log, ended[uid])
            header = catalogue.v1[uid]
            assert dict(header.start) == logged[0][1]
            assert dict(header.stop) == logged[-1][1]
            uids = {d["uid"] for n, d in logged if n == "descriptor" and d["name"] == "triggers"}
            pages = [d["data"] for n, d in logged if n == "event_page" and d["descriptor"] in uids]
            table = header.table(stream_name="triggers")
            for key_ in ("trigger_index", "trigger_angle_deg", "trigger_time_s"):
                assert table[key_].tolist() == [x for page in pages for x in page[key_]]
        run = catalogue[second]
        (path,) = [
            source.path
            for source in beamline.last_scan().record.sources
            if source.block == "sweep_0"
        ]
        frames = run["primary"]["data"]["camera_image"]
        assert np.array_equal(frames[190:], stored(path, FRAMES)[190:])
        fates = run["frame_table"].read()
        assert (fates["row"].to_numpy() >= 0).all()
        catalogue.context.close()
