"""Laminographies become volumes at the tilt that the file says, or are refused in a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis.balls import Stage
from tests.recon.recording import AXIS, COLUMNS, ROWS, counts, nxtomo, truth
from tests.recon.test_ome_zarr import check_rules, opened
from tests.recon.test_recon import run, volume_of
from voltomo.analysis.correction_settings import CorrectionSettings
from voltomo.analysis.correlation import disc_correlation
from voltomo.recon.job import Progress, Stopped, reconstruct
from voltomo.recon.planning import NotStarted
from voltomo.recon.room import NoRoom, ScanSize
from voltomo.recon.tilted import Detector, plan_tilted_slabs
from voltomo.recon.wish import Wish

TILT = 25.0
ANGLES: NDArray[np.float64] = np.arange(90, dtype=np.float64) * 4.0


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = Stage(ROWS, COLUMNS, AXIS, tilt_deg=TILT)
    made: dict[str, Any] = counts(ANGLES, stage=stage)
    return nxtomo(tmp_path_factory.mktemp("tilted") / "scan.nxs", ANGLES, TILT, **made)


def test_a_laminography_becomes_a_volume(file: Path, tmp_path: Path) -> None:
    said: list[str] = []
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", axis_column=AXIS)
    made = run(wish, said)
    volume = volume_of(wish.output)
    assert volume.shape == (ROWS, COLUMNS, COLUMNS)
    middle = (ROWS - 1) / 2
    right = [disc_correlation(volume[row], truth(row - middle), 0.8) for row in (16, 20, 24)]
    assert min(right) > 0.95
    # The same frames taken for a tomography, and the volume upside down, are none.
    flat = Wish(file=file, output=tmp_path / "b.ome.zarr", axis_column=AXIS, tilt_deg=0.0)
    run(flat)
    wrong = [disc_correlation(volume_of(flat.output)[r], truth(r - middle), 0.8) for r in (16, 24)]
    assert right[0] > wrong[0] + 0.05
    assert right[2] > wrong[1] + 0.05
    over = disc_correlation(volume[16], truth(middle - 16), 0.8)
    assert right[0] > over + 0.05
    assert any("9 % of all directions" in line for line in said)
    check_rules(wish.output)
    record = opened(wish.output).attrs["voltomo"]
    assert record["complete"]
    assert record["plan"]["tilt_deg"] == made.plan.tilt_deg == pytest.approx(TILT)


@pytest.mark.parametrize("binning", [1, 2])
def test_the_roll_that_the_file_says_is_followed(tmp_path: Path, binning: int) -> None:
    stage = Stage(ROWS, COLUMNS, AXIS, tilt_deg=TILT, roll_deg=8.0)
    made: dict[str, Any] = counts(ANGLES, stage=stage)
    middle = (ROWS - 1) / 2
    right = np.mean([truth(row - middle) for row in (26, 27)], axis=0)
    right = right.reshape(COLUMNS // binning, binning, -1, binning).mean(axis=(1, 3))
    likeness: dict[float, float] = {}
    for roll_deg in (8.0, 0.0, -8.0):
        file = nxtomo(tmp_path / f"{roll_deg}.nxs", ANGLES, TILT, roll_deg, **made)
        output = tmp_path / f"{roll_deg}.ome.zarr"
        wish = Wish(file=file, output=output, axis_column=AXIS, binning=binning)
        said: list[str] = []
        assert run(wish, said).plan.roll_deg == roll_deg
        assert any("rolled by 8.000 deg" in line for line in said) == (roll_deg == 8.0)
        likeness[roll_deg] = disc_correlation(
            volume_of(output)[26 // binning : 28 // binning].mean(axis=0), right, 0.8
        )
    assert likeness[8.0] > (0.95 if binning == 1 else 0.85)
    assert likeness[8.0] > likeness[0.0] + 0.03 > likeness[-8.0]


def test_it_goes_on_after_an_interruption_and_bins(file: Path, tmp_path: Path) -> None:
    whole = Wish(file=file, output=tmp_path / "whole.ome.zarr", axis_column=AXIS, binning=2)
    run(whole)
    broken = whole.model_copy(update={"output": tmp_path / "broken.ome.zarr"})

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Stopped):
        reconstruct(broken, lambda _: None, stop)
    run(broken)
    volume = volume_of(broken.output)
    np.testing.assert_array_equal(volume, volume_of(whole.output))
    assert volume.shape == (20, 36, 36)
    expected = 2 * truth(0.0).reshape(36, 2, 36, 2).mean(axis=(1, 3))
    assert disc_correlation(volume[10], expected, 0.8) > 0.7


def test_memory_decides_slabs_and_binning() -> None:
    scan = ScanSize(views=900, columns=1024, fields=40, item_bytes=2)
    detector, usual = Detector(1024, 1024, 511.5, 30.0), CorrectionSettings()
    large = plan_tilted_slabs(scan, detector, usual, 0, 2, memory_GB=64)
    small = plan_tilted_slabs(scan, detector, usual, 0, 2, memory_GB=6)
    assert large.binning == 1 < small.binning
    assert large.promised_bytes <= 64e9
    assert small.promised_bytes <= 6e9
    with pytest.raises(NoRoom, match="nothing was started"):
        plan_tilted_slabs(scan, detector, usual, 0, 2, memory_GB=0.3)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"backend": "algotom"}, "use --backend own"),
        ({"rows": (0, 8)}, "leave --rows out"),
        ({"axis_column": None}, "nor --axis says"),
        ({"tilt_deg": 80.0}, "tilts from 0 to 70"),
        ({"corrections": CorrectionSettings(half_acquisition=True)}, "half acquisition"),
    ],
)
def test_what_cannot_be_made_is_refused(
    file: Path, tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    wish = Wish(file=file, output=tmp_path / "a.ome.zarr", axis_column=AXIS)
    with pytest.raises(NotStarted, match=match):
        run(wish.model_copy(update=changes))
    assert not wish.output.exists()
