"""Managed sweeps against the same sweeps with the shutter open from stage move to file close.

``python -m benchmarks.damage --seed S``: a series of time points on the virtual cell, in which gas
comes of dose. The beam's times are those of the real plan, measured on the virtual beamline first;
the series itself is run through the twin's own model of the cell and its own camera, faster than
time. What is called damage is found in the frames: the change of attenuation in the electrolyte
between first and last time point, exposed cell against a control cell without beam, by permutation.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.damage_timing import SweepTiming, measure
from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.normalise import line_integrals
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.model.geometry import Geometry
from voltomo.twin.answering import made_answer
from voltomo.twin.beam_answer import AnswerSettings, BeamAnswer, Light
from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.frame_source import Exposure
from voltomo.twin.image_formation import PhantomCamera
from voltomo.twin.settings import TwinSettings

Floats = NDArray[np.float64]

SEEDS = 20
TIME_POINTS = 10
MANAGED_PART = 0.9
"""The series that is managed ends at this part of what the electrolyte dissolves."""
HELD_OUT = (0.85, 1.1, 1.5)
"""Gains, as parts of the one above, at which nothing was chosen."""
CALLED = 0.01
_VIEWS, _COLUMNS, _ROWS, _FLATS = 120, 128, 24, 16
_SECTORS, _SHUFFLES = 24, 4999
_RING = (0.742, 0.788)
_VOXELS = 27.0
"""Gas of fewer voxels is none that anybody could see."""
_CAMERA = CameraSettings(rows=_ROWS, columns=_COLUMNS, pixel_um=5.0, ring_columns=0.0)
_ENERGY_KEV = 20.0


@dataclass(frozen=True)
class Series:
    """One series of one cell: free gas at its end, and what the frames say of it."""

    gas_mm3: float
    p: float

    @property
    def called(self) -> bool:
        """Whether somebody who sees the frames says that the beam did it."""
        return self.p < CALLED

    @property
    def harmed(self) -> bool:
        """Whether there is gas that could be seen."""
        return self.gas_mm3 > visible_mm3()


def visible_mm3() -> float:
    """Volume of gas that counts as seen."""
    return _VOXELS * (_CAMERA.pixel_um * 1e-3) ** 3


def gain_for(timing: SweepTiming, flux: float) -> float:
    """The gain at which the managed series stays just below free gas."""
    per_fluence = dose_per_fluence_Gy_cm2(material("electrolyte"), _ENERGY_KEV)
    dose_Gy = TIME_POINTS * timing.managed_s * flux * per_fluence
    return MANAGED_PART * AnswerSettings().dissolved_up_to_Gy / dose_Gy


def cell_after(settings: TwinSettings, open_s: float, random: np.random.Generator) -> BeamAnswer:
    """The cell after a series with so much open beam at each time point."""
    answer = made_answer(settings)
    per_fluence = dose_per_fluence_Gy_cm2(material("electrolyte"), _ENERGY_KEV)
    for _ in range(TIME_POINTS):
        flux = settings.flux_per_cm2_s * float(random.normal(1.0, 0.02))
        answer.shine(Light(open_s, flux, _ENERGY_KEV), per_fluence)
    return answer


class Viewer:
    """Takes tomograms of one cell, and finds the change in its electrolyte."""

    def __init__(self, seed: int, flux: float) -> None:
        self._camera = PhantomCamera(_CAMERA, seed, flux)
        self._fluence = flux * _CAMERA.counts_exposure_s
        self._number = 0
        self._angles = np.arange(_VIEWS) * 180 / _VIEWS
        flats = [self._frame(0.0, 0.0, 5.0) for _ in range(_FLATS)]
        self._flat = np.mean(flats, axis=0).astype(np.float32)
        self._dark = np.full_like(self._flat, _CAMERA.dark_counts)

    def _frame(self, angle_deg: float, gas_mm3: float, out_mm: float = 0.0) -> NDArray[np.uint16]:
        self._number += 1
        return self._camera.frame(
            Exposure(
                number=self._number, start_s=0.0, end_s=_CAMERA.counts_exposure_s,
                angles_deg=np.array([angle_deg]), weights=np.array([1.0]),
                fluence_per_cm2=self._fluence, open_part=1.0, mid_angle_deg=angle_deg,
                sample_x_mm=out_mm, sample_z_mm=0.0, energy_keV=_ENERGY_KEV, gas_mm3=gas_mm3,
            )
        )  # fmt: skip

    def _lines(self, gas_mm3: float) -> NDArray[np.float32]:
        """Line integrals of a scan, mean over the rows: gas is alike at every height."""
        frames = (self._frame(float(angle), gas_mm3) for angle in self._angles)
        rows = [line_integrals(frame, self._flat, self._dark).mean(axis=0) for frame in frames]
        return np.stack(rows).astype(np.float32)

    def change(self, gas_mm3: float) -> Floats:
        """Change of attenuation by sector, from a cell without gas to one with it."""
        difference = self._lines(gas_mm3) - self._lines(0.0)
        geometry = Geometry(
            rows=_ROWS, columns=_COLUMNS, pixel_um=_CAMERA.pixel_um, step_deg=180 / _VIEWS,
            projections=_VIEWS,
        )  # fmt: skip
        backend = GriddingReconstructor()
        backend.prepare(geometry, self._angles)
        image = backend.recon_slices(difference[None])[0]
        place = np.arange(_COLUMNS) - (_COLUMNS - 1) / 2
        radius = np.hypot(place[None, :], place[:, None]) / (_COLUMNS / 2)
        sector = np.arctan2(place[:, None], place[None, :]) / (2 * np.pi) % 1 * _SECTORS
        ring = (radius > _RING[0]) & (radius < _RING[1])
        numbers = sector.astype(int)
        return np.array([image[ring & (numbers == k)].mean() for k in range(_SECTORS)])


def permutation_p(exposed: Floats, control: Floats, random: np.random.Generator) -> float:
    """Chance that sectors shuffled between both cells differ as much; gas takes attenuation."""
    both = np.concatenate([exposed, control])
    seen = control.mean() - exposed.mean()
    order = random.permuted(np.tile(both, (_SHUFFLES, 1)), axis=1)
    found = order[:, exposed.size :].mean(axis=1) - order[:, : exposed.size].mean(axis=1)
    return float((1 + np.count_nonzero(found >= seen)) / (1 + _SHUFFLES))


def compare(seed: int, gain: float, timing: SweepTiming) -> tuple[Series, Series]:
    """Managed and wasteful series of one seed at a gain."""
    random = np.random.default_rng((seed, 0xDA3))
    settings = TwinSettings(seed=seed, camera=_CAMERA, answer=AnswerSettings(gas_gain=gain))
    flux = settings.flux_per_cm2_s
    control = Viewer(seed + 1_000_003, flux).change(0.0)
    found: list[Series] = []
    for open_s in (timing.managed_s, timing.wasteful_s):
        gas_mm3 = cell_after(settings, open_s, random).gas_mm3
        exposed = Viewer(seed, flux).change(gas_mm3)
        found.append(Series(gas_mm3, permutation_p(exposed, control, random)))
    return found[0], found[1]


def judge(pairs: list[tuple[Series, Series]]) -> dict[str, float]:
    """Ratio of gas, with what nobody could see as the least; calls that were right."""
    least = visible_mm3()
    ratios = [
        max(wasteful.gas_mm3, least) / max(managed.gas_mm3, least) for managed, wasteful in pairs
    ]
    right = sum(
        managed.called == managed.harmed and wasteful.called == wasteful.harmed
        for managed, wasteful in pairs
    )
    return {"gas_ratio_median": float(np.median(ratios)), "right_calls": right}


def run(seed: int, seeds: int, timing: SweepTiming) -> dict[str, object]:
    """All of it, as the JSON says."""
    numbers = [seed * 1000 + n for n in range(seeds)]
    gain = gain_for(timing, TwinSettings().flux_per_cm2_s)
    made = judge([compare(number, gain, timing) for number in numbers])
    off = [compare(number, 0.0, timing) for number in numbers]
    held_out = [
        {"gain_part": part} | judge([compare(number, part * gain, timing) for number in numbers])
        for part in HELD_OUT
    ]
    return {
        "seeds": seeds,
        **made,
        "false_alarms_effect_off": sum(m.called or w.called for m, w in off),
        "held_out": held_out,
        "gas_gain": gain,
        "visible_mm3": visible_mm3(),
        "timing": asdict(timing),
    }


def main() -> None:
    """Print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        timing = measure(Path(root) / "run")
    sys.stdout.write(json.dumps(run(asked.seed, asked.seeds, timing), indent=1) + "\n")


if __name__ == "__main__":
    main()
