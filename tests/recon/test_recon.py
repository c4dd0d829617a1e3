"""From recorded files to volumes: right, said beforehand, gone on with after an interruption."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.recon.recording import (
    ANGLES,
    AXIS,
    COLUMNS,
    ROWS,
    VIEWS,
    counts,
    data_exchange,
    nxtomo,
    truth,
)
from tests.recon.test_ome_zarr import check_rules, opened
from voltomo.analysis.correction_settings import CorrectionSettings, PhaseSettings
from voltomo.analysis.correlation import disc_correlation
from voltomo.cli.main import app
from voltomo.model.sentence import SentenceError
from voltomo.recon import job, room
from voltomo.recon.job import Made, Progress, Stopped, reconstruct
from voltomo.recon.ome_zarr import Layout
from voltomo.recon.planning import NotStarted, OtherReconstruction
from voltomo.recon.record import log_of, read_done
from voltomo.recon.room import NoRoom, ScanSize, check_disk, plan_slabs
from voltomo.recon.wish import Wish
from voltomo.runtime.recorded_layouts import RecordingUnreadable
from voltomo.runtime.recorded_rows import open_rows


def run(wish: Wish, said: list[str] | None = None) -> Made:
    return reconstruct(wish, [].append if said is None else said.append, lambda _: None)


def volume_of(path: Path) -> Any:
    return opened(path)["0"][...]


@pytest.mark.parametrize("make", [nxtomo, data_exchange])
def test_a_file_becomes_a_volume(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    said: list[str] = []
    wish = Wish(file=make(tmp_path / "scan.h5"), output=tmp_path / "scan.ome.zarr", threads=2)
    made = run(wish, said)
    assert abs(made.plan.axis_column - AXIS) < 0.1
    volume = volume_of(wish.output)
    assert volume.shape == (ROWS, COLUMNS, COLUMNS)
    for row in (6, 20, 33):
        likeness = disc_correlation(volume[row], truth(row - (ROWS - 1) / 2), 0.8)
        assert likeness > 0.9
    middle = volume[20][30:42, 30:42].mean() / truth(0.5)[30:42, 30:42].mean()
    assert middle == pytest.approx(1, abs=0.03)
    multiscale = check_rules(wish.output)
    record = opened(wish.output).attrs["voltomo"]
    assert record["complete"]
    assert record["denoised"] is False
    assert record["steps"][0]["name"] == "zingers"
    assert any(line.startswith("frc_resolution") for line in record["quality"])
    assert made.axis_picture is not None
    if make is nxtomo:
        scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
        assert scale == pytest.approx([1.5] * 3)
        assert record["plan"]["pixel_um"] == pytest.approx(1.5)
    assert any("disk up to" in line for line in said)


def test_it_goes_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = nxtomo(tmp_path / "scan.nxs")
    whole = Wish(file=file, output=tmp_path / "whole.ome.zarr", axis_column=AXIS)
    run(whole)
    wish = whole.model_copy(update={"output": tmp_path / "broken.ome.zarr"})
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(Stopped, match="goes on after them"):
        reconstruct(wish, lambda _: None, stop)
    assert [one.done for one in seen] == [16, 32]
    assert seen[0].left_s > 0
    assert sorted(read_done(wish.output).slabs) == [0, 1]
    written: list[int] = []
    write = job.VolumeStore.write

    def note(self: Any, first: int, slices: Any) -> None:
        written.append(first)
        write(self, first, slices)

    monkeypatch.setattr(job.VolumeStore, "write", note)
    said: list[str] = []
    run(wish, said)
    assert said[0] == "goes on after 2 of 3 slabs"
    assert written == [32]
    np.testing.assert_array_equal(volume_of(wish.output), volume_of(whole.output))
    run(wish, said)
    assert "complete already" in said[-1]
    assert written == [32]
    run(wish.model_copy(update={"again": True}), said)
    assert written == [32, 0, 16, 32]


def test_other_wishes_do_not_mix_with_what_is_there(tmp_path: Path) -> None:
    file = nxtomo(tmp_path / "scan.nxs")
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", axis_column=AXIS, rows=(0, 16))
    run(wish)
    before = volume_of(wish.output)
    with pytest.raises(OtherReconstruction, match=r"begun otherwise: axis_column, rows differ"):
        run(wish.model_copy(update={"axis_column": 30.0, "rows": (0, 20)}))
    os.utime(file, (1, 1))
    with pytest.raises(OtherReconstruction, match="file_changed_ns"):
        run(wish)
    np.testing.assert_array_equal(volume_of(wish.output), before)


def test_a_disk_that_is_full_is_said_before_and_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = Wish(
        file=nxtomo(tmp_path / "scan.nxs"), output=tmp_path / "a.ome.zarr", axis_column=AXIS
    )
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(NoRoom, match=r"0\.00 GB are free; nothing was started"):
        run(wish)
    assert not wish.output.exists()
    monkeypatch.undo()
    write = job.VolumeStore.write

    def full(self: Any, first: int, slices: Any) -> None:
        if first == 16:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, first, slices)

    monkeypatch.setattr(job.VolumeStore, "write", full)
    with pytest.raises(Stopped, match=r"is full; make room first: slabs that are done stay"):
        run(wish)
    monkeypatch.undo()
    said: list[str] = []
    run(wish, said)
    assert said[0] == "goes on after 1 of 3 slabs"


def test_a_disk_that_is_really_full_leaves_nothing_half_written(tmp_path: Path) -> None:
    file, output = nxtomo(tmp_path / "scan.nxs"), tmp_path / "a.ome.zarr"
    whole = Wish(file=file, output=tmp_path / "whole.ome.zarr", axis_column=AXIS)
    run(whole)

    def sizes(path: Path) -> dict[str, int]:
        found = (path / "0" / "c").rglob("*")
        return {str(p.relative_to(path)): p.stat().st_size for p in found if p.is_file()}

    complete = sizes(whole.output)
    command = [Path(sys.executable).parent / "voltomo", "recon", file, "--output", output]
    command += ["--axis", str(AXIS)]
    most = min(complete.values()) // 2
    # The kernel refuses what goes beyond it, as it does on a disk or a quota that is full.
    full = subprocess.run(
        command, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    assert full.returncode == 1
    assert f"the disk of {output} is full; make room first: slabs that are done stay" in full.stderr
    assert "Traceback" not in full.stderr
    assert sizes(output) == {}
    assert read_done(output).slabs == {}
    assert opened(output).attrs["voltomo"]["complete"] is False
    run(whole.model_copy(update={"output": output}))
    assert sizes(output) == complete
    np.testing.assert_array_equal(volume_of(output), volume_of(whole.output))


def test_a_large_layout_needs_a_large_disk(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="make room"):
        check_disk(tmp_path / "not" / "there", Layout((60000, 20000, 20000), 1.0))


def test_bad_frames_are_left_out_and_named(tmp_path: Path) -> None:
    made = counts()
    frames = made["projections"].astype(np.float32)
    frames[5, 3, 3] = np.nan
    frames[9] = 7
    file = nxtomo(tmp_path / "scan.nxs", projections=frames)
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", axis_column=AXIS)
    done = run(wish)
    assert set(done.left_out) == {5, 9}
    assert "not finite" in done.left_out[5]
    assert disc_correlation(volume_of(wish.output)[20], truth(0.5), 0.8) > 0.9


def test_corrections_of_every_kind_go_through(tmp_path: Path) -> None:
    settings = CorrectionSettings(
        flats="eigen", rings="consistent", filter="hann", monitor=True, air_columns=2,
        phase=PhaseSettings(delta_over_beta=20, distance_mm=2),
    )  # fmt: skip
    file = nxtomo(tmp_path / "scan.nxs")
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", corrections=settings)
    run(wish)
    steps = opened(wish.output).attrs["voltomo"]["steps"]
    assert [step["name"] for step in steps] == [
        "zingers", "monitor", "flats, eigen", "air", "phase", "rings, consistent", "filter, hann",
    ]  # fmt: skip
    assert disc_correlation(volume_of(wish.output)[20], truth(0.5), 0.8) > 0.85


def test_rows_and_bins_choose_a_part(tmp_path: Path) -> None:
    file = nxtomo(tmp_path / "scan.nxs")
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", rows=(4, 36), binning=2)
    made = run(wish)
    volume = volume_of(wish.output)
    assert volume.shape == (16, 36, 36)
    assert made.plan.pixel_um == pytest.approx(3.0)
    # Attenuation per pixel: pixels are twice as large.
    expected = 2 * truth(0.0).reshape(36, 2, 36, 2).mean(axis=(1, 3))
    assert disc_correlation(volume[8], expected, 0.8) > 0.9
    assert volume[8][14:22, 14:22].mean() == pytest.approx(expected[14:22, 14:22].mean(), rel=0.06)


def test_half_acquisition_makes_a_wider_volume(tmp_path: Path) -> None:
    angles: NDArray[np.float64] = np.arange(120, dtype=np.float64) * 3.0
    made = counts(angles)
    cut: dict[str, Any] = {name: stack[:, :, 24:] for name, stack in made.items()}
    file = nxtomo(tmp_path / "scan.nxs", angles, **cut)
    settings = CorrectionSettings(half_acquisition=True)
    wish = Wish(
        file=file, output=tmp_path / "a.ome.zarr", corrections=settings, axis_column=AXIS - 24
    )
    run(wish)
    volume = volume_of(wish.output)
    wide = volume.shape[1]
    assert wide == 75
    inner = slice(wide // 2 - 30, wide // 2 + 31)
    expected = truth(0.5)
    middle = expected[COLUMNS // 2 - 30 : COLUMNS // 2 + 31, COLUMNS // 2 - 30 : COLUMNS // 2 + 31]
    assert disc_correlation(volume[20][inner, inner], middle, 0.9) > 0.8


def test_memory_decides_slabs_and_binning() -> None:
    scan = ScanSize(views=900, columns=2048, fields=60, item_bytes=2)
    usual = CorrectionSettings()
    large = plan_slabs(scan, 2048, usual, 0, 10**8, memory_bytes=64e9)
    small = plan_slabs(scan, 2048, usual, 0, 10**8, memory_bytes=3e9)
    tiny = plan_slabs(scan, 2048, usual, 0, 10**8, memory_bytes=1.2e9)
    assert large.slices > small.slices
    assert large.binning == small.binning == 1 < tiny.binning
    assert tiny.promised_bytes <= 1.2e9
    with pytest.raises(NoRoom, match="nothing was started"):
        plan_slabs(scan, 2048, usual, 0, 10**8, memory_bytes=0.3e9)
    with pytest.raises(NoRoom, match="--bin"):
        plan_slabs(scan, 2048, usual, 0, 10**8, binning=1, memory_bytes=1.2e9)


def test_too_little_memory_bins_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = Wish(
        file=nxtomo(tmp_path / "scan.nxs"), output=tmp_path / "a.ome.zarr", axis_column=AXIS
    )
    full = ScanSize.bytes_of

    def greedy(self: ScanSize, slices: int, binning: int, *rest: Any) -> int:
        return full(self, slices, binning, *rest) + (10**13 if binning == 1 else 0)

    monkeypatch.setattr(ScanSize, "bytes_of", greedy)
    said: list[str] = []
    assert run(wish, said).plan.binning == 2
    assert any("2 × 2 pixels are averaged" in line for line in said)


def test_what_cannot_be_reconstructed_is_refused_in_a_sentence(tmp_path: Path) -> None:
    output = tmp_path / "a.ome.zarr"
    good = nxtomo(tmp_path / "scan.nxs")
    with pytest.raises(RecordingUnreadable, match="there is no file"):
        run(Wish(file=tmp_path / "none.nxs", output=output))
    with pytest.raises(NotStarted, match="rows must lie between 0 and 40"):
        run(Wish(file=good, output=output, rows=(30, 50)))
    (tmp_path / "text.nxs").write_text("no")
    with pytest.raises(RecordingUnreadable, match="cannot be read as an HDF5 file"):
        run(Wish(file=tmp_path / "text.nxs", output=output))
    made = counts()
    swapped = nxtomo(tmp_path / "swapped.nxs", flats=made["darks"], darks=made["flats"])
    with pytest.raises(NotStarted, match="are the two exchanged"):
        run(Wish(file=swapped, output=output))
    radians = nxtomo(tmp_path / "radians.nxs", np.radians(ANGLES) * VIEWS / (VIEWS - 1))
    with pytest.raises(NotStarted, match="looks like radians"):
        run(Wish(file=radians, output=output, axis_column=AXIS))
    part = nxtomo(tmp_path / "half.nxs")
    half = CorrectionSettings(half_acquisition=True)
    with pytest.raises(SentenceError, match="views all round"):
        run(Wish(file=part, output=output, axis_column=AXIS, corrections=half))


def test_recordings_are_read_by_rows(tmp_path: Path) -> None:
    with open_rows(nxtomo(tmp_path / "scan.nxs")) as recorded:
        made = counts()
        np.testing.assert_array_equal(recorded.projections(3, 7), made["projections"][:, 3:7])
        some = recorded.projections(0, 2, [5, 2, 59])
        np.testing.assert_array_equal(some, made["projections"][[5, 2, 59], :2])
        np.testing.assert_array_equal(recorded.flat_frames(0, ROWS), made["flats"])
        assert recorded.flat_places is not None
        assert recorded.places is not None
        assert recorded.flat_places.tolist() == [4, 5, 6, 7, 68, 69, 70, 71]
        assert recorded.places[0] == 8
        assert recorded.monitor is not None
        assert recorded.energy_keV == 20
    with open_rows(data_exchange(tmp_path / "scan.h5")) as recorded:
        assert recorded.flat_places is None


def test_the_command_reconstructs_and_shows_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nxtomo(tmp_path / "scan.nxs")
    (tmp_path / "corrections.yml").write_text("rings: running\nzingers: null\n")
    shown = CliRunner().invoke(
        app, ["recon", "scan.nxs", "--corrections", "corrections.yml", "--rows", "8:40"]
    )
    assert shown.exit_code == 0, shown.output
    assert "slice 32 of 32 (100 %)" in shown.output
    assert "axis at column 34." in shown.output
    assert "written: scan.ome.zarr" in shown.output
    assert (tmp_path / "scan.ome.zarr.axis.png").read_bytes().startswith(b"\x89PNG")
    assert check_rules(tmp_path / "scan.ome.zarr")
    kinds = [
        json.loads(line.split(" ", 1)[1])["kind"]
        for line in log_of(tmp_path / "scan.ome.zarr").read_text().splitlines()
    ]
    assert kinds == ["start", "slab", "slab", "complete"]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--rows", "a:b"], "rows are FIRST:LAST"),
        (["--backend", "astra"], "--backend cannot be astra"),
        (["--bin", "0"], "--bin cannot be 0"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, words: list[str], match: str) -> None:
    shown = CliRunner().invoke(app, ["recon", str(tmp_path / "scan.nxs"), *words])
    assert shown.exit_code != 0
    assert match in str(shown.exception)
