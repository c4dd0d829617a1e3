"""What start documents say of beamline, sample and recording."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bluesky import RunEngine
from bluesky import plan_stubs as bps

from voltomo.model.sample import Sample
from voltomo.profiles import metadata
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline

CELL = Sample(name="cell 3", material="LFP", dose_limit_Gy=1e5, beam_limit_s=60)


def started(sample: str | None) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    engine = RunEngine({})
    engine.preprocessors.append(metadata.with_sample([CELL]))
    engine.subscribe(lambda name, doc: found.append(doc) if name == "start" else None)

    def plan():
        yield from bps.open_run({} if sample is None else {"sample": sample})
        yield from bps.close_run()

    engine(plan())
    (start,) = found
    return start


def test_a_run_on_a_known_sample_says_what_it_may_receive() -> None:
    assert started("cell 3")["sample_limits"] == {
        "material": "LFP",
        "dose_limit_Gy": 1e5,
        "beam_limit_s": 60.0,
        "dose_limit_source": "unverified default",
    }


def test_other_runs_are_left_as_they_are() -> None:
    assert "sample_limits" not in started("nobody")
    assert "sample_limits" not in started(None)


def test_the_energy_is_left_to_the_plan() -> None:
    entries = metadata.of_beamline(load_beamline("virtual"))
    assert entries["source"] == "twin"
    assert entries["beamline"]["name"] == "virtual"
    assert "energy_keV" not in entries


def replayed(path: Path, scale: float | None) -> BeamlineFile:
    virtual = load_beamline("virtual")
    camera = {"source": "replay", "replay_file": str(path), "replay_scale": scale}
    changed = {"energy_keV": 72.0, "twin": {**virtual.twin, "camera": camera}}
    return virtual.model_copy(update=changed)


def test_of_a_recording_only_what_its_file_says_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recorded.h5"
    with h5py.File(path, "w") as file:
        # Images that cannot be played: nobody looks at them here.
        file["exchange/data"] = np.full((9, 4, 16), np.nan, np.float32)
        file["exchange/data_white"] = np.full((3, 4, 16), np.nan, np.float32)
        file["exchange/data_dark"] = np.full((2, 4, 16), np.nan, np.float32)
        file["exchange/theta"] = np.arange(9) * 20.0
        file["exchange/title"] = "a tooth"
    entries = metadata.of_beamline(replayed(path, 3.5))
    assert entries["source"] == "replay"
    assert entries["energy_keV"] == 72.0
    assert entries["replay"] == {
        "file": "recorded.h5",
        "title": "a tooth",
        "scale": 3.5,
        "assumed": ["pixel size", "energy"],
    }
