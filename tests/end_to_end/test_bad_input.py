"""What cannot be done is refused in one sentence, before any beam."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from tests.virtual_beamline import (
    VirtualBeamline,
    all_refused,
    command,
    refusal,
    refused,
    scan_file,
)
from voltomo.runtime.append_log import read_log
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder, write_json

pytestmark = [pytest.mark.twin, pytest.mark.slow]

SCAN = scan_file(projections=40).model_dump(mode="json")


@pytest.fixture(autouse=True)
def no_beam(beamline: VirtualBeamline) -> Iterator[None]:
    """Whatever a test of this file does, the shutter stays closed and no lease is given."""
    before_s, known = beamline.world.now_s(), len(read_log(beamline.folder.exposure_log))
    yield
    assert beamline.closed_from(before_s, within_s=0.0)
    later = [entry.kind for entry in read_log(beamline.folder.exposure_log)[known:]]
    assert not {"reserve", "exposure", "foreign"} & set(later)


def written(path: Path, **keys: Any) -> Path:
    """A scan file with these keys changed."""
    path.write_text(yaml.safe_dump(SCAN | keys, sort_keys=False))
    return path


# ---- scan files


def test_a_mistake_in_a_scan_file_is_shown_with_its_place(
    beamline: VirtualBeamline, tmp_path: Path
) -> None:
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"exposure": 1}, "exposure: is not known; did you mean 'exposure_s'?"),
        (
            {"exposure_s": "38 ms"},
            "exposure_s: must be a number, in s and without a unit; it says '38 ms'",
        ),
        (
            {"exposure_s": 0.05},
            "period_s: exposure_s (0.05) must be shorter than period_s (0.036), by the camera's "
            "dead time",
        ),
        ({"projections": 2.5}, "projections: must be a whole number"),
    ]
    paths = [written(tmp_path / f"{at}.yml", **keys) for at, (keys, _) in enumerate(mistakes)]
    said = all_refused(*(("scan", path, "--run-folder", beamline.folder.root) for path in paths))
    for path, (_, expected), sentence in zip(paths, mistakes, said, strict=True):
        place, shown, caret, end = sentence.splitlines()
        assert place.startswith(f"{path}:")
        assert place.endswith(f": {expected}")
        assert shown.strip() in path.read_text().splitlines()
        assert caret.strip() == "^"
        assert end == "1 mistake(s); nothing was started"


def test_a_sample_without_limits_gets_no_beam(beamline: VirtualBeamline, tmp_path: Path) -> None:
    path = written(tmp_path / "scan.yml", sample="nobody")
    assert refused("scan", path, "--run-folder", beamline.folder.root) == (
        "sample 'nobody' is not known to the beamline 'virtual', which lists: demo cell, poor "
        "cell, spent cell; nothing was started; add it to the beamline file with its limits, or "
        "name another"
    )


def _take_privileges() -> None:
    """Root may read everything; without these two capabilities it is asked for permission."""
    library = ctypes.CDLL(None)
    for capability in (1, 2):
        library.prctl(24, capability, 0, 0, 0)


@pytest.mark.parametrize("of", ["scan", "beamline"])
def test_files_that_cannot_be_read(beamline: VirtualBeamline, tmp_path: Path, of: str) -> None:
    absent, binary, broken, closed = (tmp_path / f"{name}.yml" for name in "abcd")
    binary.write_bytes(bytes(range(128, 200)))
    broken.write_text("sample: [demo cell\n")
    closed.write_text("sample: demo cell")
    closed.chmod(0)
    run = tmp_path / "run"
    said = all_refused(
        *(
            ("scan", path, "--run-folder", beamline.folder.root)
            if of == "scan"
            else ("up", "--beamline", path, "--run-folder", run)
            for path in (absent, binary, broken, closed)
        ),
        preexec_fn=_take_privileges,
    )
    why = "cannot be read (No such file or directory); nothing was started"
    assert said[0] == f"{absent} {why}"
    assert said[1].startswith(f"{binary} is not written in UTF-8 (byte 1 of it is not)")
    assert said[2].startswith(f"{broken}:2:1: expected ',' or ']'")
    assert said[3] == f"{closed} cannot be read (Permission denied); nothing was started"
    assert not run.exists()


# ---- the beamline does not give what is asked for


@contextlib.contextmanager
def beside(beamline: VirtualBeamline, root: Path, prefix: str = "VT:") -> Iterator[RunFolder]:
    """Another run folder with the services of the running one."""
    folder = RunFolder(root).create()
    folder.write_addresses(beamline.folder.addresses().model_copy(update={"prefix": prefix}))
    write_json(folder.beamline_file, beamline.file.model_dump(mode="json"))
    with FileLock(folder.supervisor_lock, "voltomo up"):
        yield folder


def test_scans_that_do_not_fit_the_beamline(beamline: VirtualBeamline, tmp_path: Path) -> None:
    misfits: list[tuple[dict[str, Any], str]] = [
        (
            {"start_deg": 1000.0},
            "rotation, sweep_0: expected a path within the limits, run-up included, saw 1211.25",
        ),
        (
            {"projections": 8},
            "rotation: expected a sweep of at most 180 deg/s, saw 625 deg/s (22.5 deg in 0.036 s)",
        ),
        (
            {"sample": "poor cell"},
            "lease: expected 2.1 s of beam for the whole scan of 'poor cell', saw ",
        ),
        (
            {"projections": 40_000_000, "exposure_s": 0.001, "period_s": 0.002},
            "camera: expected 10485.77 GB free in ",
        ),
    ]
    for at, (keys, expected) in enumerate(misfits):
        path = written(tmp_path / f"{at}.yml", **keys)
        sentence = refused("scan", path, "--run-folder", beamline.folder.root)
        assert sentence.startswith(expected)
        assert "; no beam was used; " in sentence
        assert len(sentence.splitlines()) == 1


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A disk of one megabyte, where this process may mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_is_too_small(beamline: VirtualBeamline, tmp_path: Path) -> None:
    with beside(beamline, tmp_path / "run") as folder, small_disk(folder.frames):
        path = beamline.written(scan_file(projections=40))
        said = refused("scan", path, "--run-folder", folder.root)
    assert said == (
        f"camera: expected 0.02 GB free in {folder.frames} (twice the need), saw 0.00 GB; no beam "
        "was used; make room or take fewer frames"
    )


def test_pvs_that_do_not_answer(beamline: VirtualBeamline, tmp_path: Path) -> None:
    path = beamline.written(scan_file(projections=40))
    camera = beamline.supervisor.pid("camera")
    os.kill(camera, signal.SIGSTOP)
    try:
        with beside(beamline, tmp_path / "run", prefix="NO:") as elsewhere:
            started = [
                command("scan", path, "--run-folder", folder.root, stderr=subprocess.PIPE)
                for folder in (beamline.folder, elsewhere)
            ]
            hung, unserved = (refusal(process) for process in started)
    finally:
        os.kill(camera, signal.SIGCONT)
    assert "PVs of the beamline to answer within 10 s, saw none from" in hung
    assert "VT:Cam:" in hung
    assert "VT:Stage:" not in hung
    assert "no beam was used; see 'voltomo status' and 'voltomo beamline check'" in hung
    assert "to answer to NO:Guard:Run within 10 s, saw no answer; nothing was moved" in unserved
    for said in (hung, unserved):
        assert len(said.splitlines()) == 1


# ---- beamline files, ports, run folders

UNOBTAINIUM = {"name": "x", "material": "unobtainium", "dose_limit_Gy": 1.0, "beam_limit_s": 1.0}


def test_a_mistake_in_a_beamline_file(beamline: VirtualBeamline, tmp_path: Path) -> None:
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"energy_kev": 20.0}, "energy_kev: is not known; did you mean 'energy_keV'?"),
        ({"energy_keV": "20 keV"}, "must be a number, in keV and without a unit; it says '20 keV'"),
        ({"guard": {"stale": 0.5}}, "guard.stale: is not known; did you mean 'stale_s'?"),
        ({"twin": {"energy_keV": 5.0}}, "twin.energy_keV: must be greater than or equal to 8"),
        ({"samples": [UNOBTAINIUM]}, "sample 'x': There is no material named 'unobtainium'"),
    ]
    values = beamline.file.model_dump(mode="json", exclude_defaults=True)
    commands: list[Sequence[str | Path]] = []
    for at, (keys, _) in enumerate(mistakes):
        path = tmp_path / f"{at}.yml"
        path.write_text(yaml.safe_dump(values | keys, sort_keys=False))
        commands.append(("up", "--beamline", path, "--run-folder", tmp_path / "run"))
    for sentence, (_, expected) in zip(all_refused(*commands), mistakes, strict=True):
        assert expected in sentence
        assert sentence.endswith("1 mistake(s); nothing was started")
    assert not (tmp_path / "run").exists()


def test_a_beamline_that_is_not_there(beamline: VirtualBeamline, tmp_path: Path) -> None:
    said = refused("up", "--beamline", "nowhere", "--run-folder", tmp_path)
    assert said.startswith("there is no beamline 'nowhere'; shipped: virtual")


def test_ports_that_are_taken(beamline: VirtualBeamline, tmp_path: Path) -> None:
    first = beamline.supervisor.addresses.channel_access["motion"]

    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = int(server.getsockname()[1])
        said = all_refused(
            *(
                ("up", "--first-port", str(port), "--run-folder", tmp_path / str(port))
                for port in (first, 80, min(taken, 65496))
            ),
            stdout=subprocess.DEVNULL,
        )
    assert "is held by 'voltomo up in" in said[0]
    assert said[1].startswith("a block of 40 ports must begin between 1024 and 65496; got 80")
    assert f"port {taken} is taken by another program; nothing was started" in said[2]


def test_a_second_supervisor_and_a_second_session(
    beamline: VirtualBeamline, tmp_path: Path
) -> None:
    where = ("--run-folder", beamline.folder.root)
    said = refused("up", *where, stdout=subprocess.DEVNULL)
    assert "supervisor.lock is held by 'voltomo up', process" in said
    assert "nothing was started; end that one first or wait for it" in said
    with FileLock(beamline.folder.beamline_lock, "somebody's scan"):
        said = refused("scan", beamline.written(scan_file()), *where)
    assert "beamline.lock is held by 'somebody's scan', process" in said
    assert set(beamline.supervisor.states().values()) == {"ready"}


def test_nothing_is_up(beamline: VirtualBeamline, tmp_path: Path) -> None:
    where = ("--run-folder", tmp_path)
    path = beamline.written(scan_file())
    expected = f"no services run in {tmp_path}; start them with 'voltomo up'"
    assert refused("scan", path, *where) == expected
    for words in (("guard", "reset", "--reason", "cured"), ("guard", "status"), ("beam", "off")):
        assert refused(*words, *where) == expected
    real = tmp_path / "real.yml"
    values = beamline.file.model_dump(mode="json", exclude_defaults=True) | {
        "virtual": False,
        "ledger": str(tmp_path / "ledger"),
        "epics": {"ca_addresses": ["127.0.0.1"]},
    }
    real.write_text(yaml.safe_dump(values))
    said = refused("shell", "--beamline", real, *where)
    assert f"start them with 'voltomo up --beamline {real}'" in said
    assert not list(tmp_path.glob("*.log"))


def test_runs_that_are_not_there(beamline: VirtualBeamline, tmp_path: Path) -> None:
    said = refused("export", "zzz", "--run-folder", beamline.folder.root)
    assert said.startswith(f"'zzz' names 0 runs in {beamline.folder.root}; the latest are: ")
    said = refused("export", "--run-folder", tmp_path)
    assert said == f"'last' names 0 runs in {tmp_path}; the latest are: none"
    assert "has no run log; nothing can be rebuilt" in refused("rebuild", "--run-folder", tmp_path)


# ---- recordings


def recording(path: Path, projections: int = 6, rows: int = 8) -> Path:
    """A small DataExchange file."""
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for name, count, level in (
            ("data", projections, 900),
            ("data_white", 3, 1000),
            ("data_dark", 2, 10),
        ):
            shape = (count, rows, 32)
            file[f"exchange/{name}"] = random.poisson(level, shape).astype(np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, projections, endpoint=False)
    return path


def test_recordings_that_cannot_be_played(beamline: VirtualBeamline, tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    cut = recording(tmp_path / "cut.h5")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    empty = recording(tmp_path / "empty.h5")
    with h5py.File(empty, "r+") as file:
        del file["exchange/data"]
    whole = recording(tmp_path / "whole.h5")
    unreadable = "cannot be read as an HDF5 file with a scan: "
    expected: list[tuple[Sequence[str | Path], str]] = [
        ((tmp_path / "absent.h5",), f"there is no file {tmp_path}/absent.h5"),
        ((text,), f"{text} {unreadable}"),
        ((cut,), f"{cut} {unreadable}"),
        ((empty,), f"{empty}: "),
        ((whole,), "Give it with --axis COLUMN."),
        ((whole, "--axis", "32"), "the axis must lie on the detector, columns 0 to 31; got 32.0"),
        ((whole, "--axis", "middle"), "Invalid value for '--axis': "),
        ((whole, "--rate", "0"), "the rate must lie between 0 and 200 frames/s; got 0"),
    ]
    output = tmp_path / "out"
    said = all_refused(
        *(("replay", *words, "--output", output) for words, _ in expected),
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
    )
    for (_, part), sentence in zip(expected, said, strict=True):
        assert part in sentence
    assert not output.exists()
