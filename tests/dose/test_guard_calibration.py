"""The guard's process takes a calibration of the flux when it comes, and gives it up."""

from __future__ import annotations

from pathlib import Path
from time import time

import pytest

from tests.dose.guard_bench import SETTINGS, guard_bench
from voltomo.dose.flux_calibration import FluxCalibration, FluxPoint, save_calibration
from voltomo.dose.flux_detectors import Photodiode

pytestmark = pytest.mark.twin


def _calibration() -> FluxCalibration:
    point = FluxPoint(
        energy_keV=20.0, transmission=1.0, photons_s=2.5e8, flux_per_cm2_s=1e11,
        monitor_counts_s=1e6, per_count=1e5, uncertainty=0.03, readings=10,
    )  # fmt: skip
    return FluxCalibration(
        made_utc_s=time(),
        expires_utc_s=time() + 3600,
        detector=Photodiode(),
        area_mm2=0.25,
        points=(point,),
    )


def test_the_guard_believes_a_calibration_as_long_as_it_is_whole(tmp_path: Path) -> None:
    guard = SETTINGS["guard"] | {"calibration_file": "flux.json"}
    with guard_bench(tmp_path / "run", {"guard": guard}) as bench:
        bench.start_guard()
        client = bench.remote()
        path = bench.folder.exposure_log.parent / "flux.json"
        with_none = client.request()
        assert "there is no calibration of the flux" in with_none["note"]
        assert client.ask("settle", lease_id=with_none["lease_id"])["ok"]
        save_calibration(path, _calibration())
        bench.wait(lambda: len(bench.entries("calibration")) == 2, 5)
        lease = client.take()
        bench.wait_open()
        bench.wait(lambda: "calibration" not in client.get("Guard:Reason"), 3)
        path.write_text(path.read_text().replace("0.03", "0.01"))
        bench.wait(lambda: len(bench.entries("calibration")) >= 3, 5)
        bench.wait(lambda: "the calibration of the flux" in client.get("Guard:Reason"), 5)
        assert "its checksum is another" in client.give_back(lease)["stamp"]
        bench.assert_logged()
