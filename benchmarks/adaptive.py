"""How much dose a scan saves that ends by itself: ``python -m benchmarks.adaptive --seed 1``.

For each of ``--seeds`` phantoms, the fixed scan takes ``ceil(pi/2 N)`` views, spread evenly, with
so many counts that its slice has the stated signal to noise (``--snr``). The adaptive scan takes
the same exposures in interlaced sweeps (golden), as many as the fixed scan at most, and ends after
the sweep at which the live worker's verdict on the resolution keeps to the target (``--target``, in
pixels) with all of its interval. The rule (`voltomo.model.target.Target`) and the measure
(`voltomo.live.slice_measures`) are those of the live worker; sinograms are closed integrals of
ellipses, with counting noise and with columns of the detector that are off for the whole scan by
``--rings`` times the noise of a view.

``dose_saved_median`` is the part of the fixed scan's views that was not taken. Quality is the
correlation of the slice with the true one, both without detail finer than the target; its ratio is
adaptive over fixed. ``early_stop_errors`` counts scans that ended while the resolution against the
truth, at the threshold that corresponds to the one between halves, was worse than the target.
``never`` counts scans that went on to the end. ``snr_ratio_median`` is what the dose that was not
given costs in noise.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.phantoms import phantom
from voltomo.analysis.batch import fbp
from voltomo.analysis.disc import disc
from voltomo.analysis.quality import snr
from voltomo.analysis.resolution import resolution_of, shell_correlation
from voltomo.analysis.ring_spectrum import RingSpectrum
from voltomo.analysis.rings import remove_rings
from voltomo.analysis.weights import angular_weights
from voltomo.live.slice_measures import measure_views
from voltomo.live.slice_rows import SliceViews
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.target import Target
from voltomo.model.verdict import Verdict

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

_FLATS = 40
_LARGEST_SWEEP = 32


def sweeps_of(views: int) -> tuple[int, int]:
    """Number of sweeps and of views in each, together no more than the fixed scan's."""
    return max(
        (
            (math.floor(views / each), each)
            for each in range(_LARGEST_SWEEP // 2, _LARGEST_SWEEP + 1)
        ),
        key=lambda pair: (pair[0] * pair[1], pair[0]),
    )


def scan_of(size: int, target: Target) -> ScanSpec:
    """The adaptive scan."""
    sweeps, each = sweeps_of(math.ceil(math.pi / 2 * size))
    geometry = Geometry(rows=1, columns=size, pixel_um=1.0, step_deg=180 / each, projections=each)
    return ScanSpec(
        sample="phantom",
        geometry=geometry,
        exposure_s=0.01,
        period_s=0.02,
        sweeps=sweeps,
        interlace="golden",
        stop_when=target,
    )


class Beam:
    """A detector in a beam: counting noise, and columns that are off for the whole scan."""

    def __init__(self, size: int, counts: float, rings: float, random: np.random.Generator) -> None:
        self._counts, self._random = counts, random
        # In units of the noise of a view in the open beam.
        self._gain = 1 + rings / math.sqrt(counts) * random.normal(0, 1, size)
        # Flats were taken before the gain changed: what they do not know draws rings.
        self.flat = random.poisson(counts, (_FLATS, size)).mean(axis=0).astype(np.float32)
        self.dark = np.zeros(size, np.float32)

    def frames(self, sinogram: Image) -> NDArray[np.float32]:
        """Counts (views, columns) of line integrals."""
        mean = self._counts * self._gain * np.exp(-sinogram.astype(np.float64))
        return self._random.poisson(mean).astype(np.float32)

    def integrals(self, frames: NDArray[np.float32]) -> Image:
        """Line integrals of counts."""
        return -np.log(np.maximum(frames, 0.5) / self.flat).astype(np.float32)


def final_slice(beam: Beam, frames: NDArray[np.float32], angles_deg: Floats) -> Image:
    """The slice that a user gets: rings filtered, views weighted by their gaps."""
    order = np.argsort(angles_deg, kind="stable")
    rows = remove_rings(beam.integrals(frames)[order])
    return fbp(rows, angles_deg[order], weights_rad=angular_weights(angles_deg[order]))


def true_resolution(found: Image, truth: Image) -> float:
    """Where a slice ceases to agree with the truth, in pixels.

    A correlation C with the truth stands for C^2 / (2 - C^2) between halves (Rosenthal and
    Henderson, Journal of Molecular Biology 333, 2003, 721).
    """
    rings = RingSpectrum(found.shape[0])
    curve = shell_correlation(rings.without_rings(found), rings.without_rings(truth))
    square = np.maximum(curve.correlation, 0.0) ** 2
    return resolution_of(replace(curve, correlation=square / (2 - square))).value


def likeness(found: Image, truth: Image, period: float) -> float:
    """Correlation with the truth, of what is not finer than a period."""
    inside = disc(found.shape[0])
    # A Gaussian whose transfer is one half at that period.
    sigma = period * math.sqrt(math.log(2) / 2) / math.pi
    one, other = (gaussian_filter(image, sigma)[inside] for image in (found, truth))
    return float(np.corrcoef(one, other)[0, 1])


def counts_for(snr_wanted: float, image: Image, sinogram: Image, views: int) -> float:
    """Counts of the open beam at which a slice of so many views has a signal to noise.

    The noise of filtered back-projection is pi / sqrt(12 views counts) a pixel, .68 of it with
    linear interpolation.
    """
    mean = float(image[disc(image.shape[0])].mean())
    relative_variance = float(np.exp(sinogram.astype(np.float64)).mean())
    sigma = mean / snr_wanted
    return (0.68 * math.pi / sigma) ** 2 / (12 * views) * relative_variance


def views_until_reached(
    spec: ScanSpec, target: Target, beam: Beam, frames: NDArray[np.float32], angles_deg: Floats
) -> int:
    """Views after which the live rule ends the scan; all where it never does."""
    sweeps = [block for block in spec.blocks() if block.kind == "sweep"]
    number = np.repeat(np.arange(len(sweeps)), sweeps[0].count)
    for done in range(target.fewest_sweeps, len(sweeps)):
        taken = done * sweeps[0].count
        views = SliceViews(
            counts=frames[:taken],
            flat=beam.flat,
            dark=beam.dark,
            angles_deg=angles_deg[:taken],
            sweep=number[:taken],
            axis_column=spec.geometry.axis,
            pixel_um=spec.geometry.pixel_um,
            start_deg=spec.geometry.start_deg,
            row=0,
            frames=taken,
            last_trigger=sweeps[done - 1].last - 1,
            here_s=0.0,
        )
        for found in measure_views(views, [target.metric]):
            said = {
                "metric": found.metric,
                "value": found.value,
                "low": found.low,
                "high": found.high,
            }
            if target.reached(Verdict.model_validate({"scan_uid": "scan", "sequence": 0, **said})):
                return taken
    return len(angles_deg)


def one_scan(
    seed: int, size: int, snr_wanted: float, rings: float, target: Target
) -> dict[str, Any]:
    """A fixed and an adaptive scan of one phantom."""
    views = math.ceil(math.pi / 2 * size)
    spec = scan_of(size, target)
    sweeps = [block for block in spec.blocks() if block.kind == "sweep"]
    asked = [block.asked_deg for block in sweeps]
    angles = np.concatenate([one for one in asked if one is not None])
    even = np.arange(views) * 180 / views
    truth, (fixed_sinogram,) = phantom(seed, size, even, [(size - 1) / 2])
    _, (sinogram,) = phantom(seed, size, angles, [(size - 1) / 2])
    counts = counts_for(snr_wanted, truth, fixed_sinogram, views)
    random = np.random.default_rng([seed, 7])
    beam = Beam(size, counts, rings, random)
    fixed = final_slice(beam, beam.frames(fixed_sinogram), even)
    frames = beam.frames(sinogram)
    taken = views_until_reached(spec, target, beam, frames, angles)
    adaptive = final_slice(beam, frames[:taken], angles[:taken])
    period = target.at_most or 0.0
    return {
        "views": taken,
        "saved": 1 - taken / views,
        "ended": taken < len(angles),
        "quality": likeness(adaptive, truth, period) / likeness(fixed, truth, period),
        "snr": snr(adaptive) / snr(fixed),
        "snr_fixed": snr(fixed),
        "resolution": true_resolution(adaptive, truth),
        "resolution_fixed": true_resolution(fixed, truth),
    }


def run(
    seeds: int, seed: int, size: int, snr_wanted: float, rings: float, period: float
) -> dict[str, Any]:
    """All scans, and what came of them."""
    target = Target(metric="frc_resolution", at_most=period)
    scans: list[dict[str, Any]] = []
    for number in range(seeds):
        scans.append(one_scan(seed + number, size, snr_wanted, rings, target))
        sys.stderr.write(json.dumps(scans[-1]) + "\n")
    errors = sum(one["ended"] and one["resolution"] > period for one in scans)

    def median(name: str) -> float:
        return round(float(np.median([one[name] for one in scans])), 4)

    return {
        "seeds": seeds,
        "dose_saved_median": median("saved"),
        "quality_ratio_median": median("quality"),
        "early_stop_errors": errors,
        "never": sum(not one["ended"] for one in scans),
        "snr_ratio_median": median("snr"),
        "resolution_px_median": median("resolution"),
        "resolution_fixed_px_median": median("resolution_fixed"),
    }


def main() -> None:
    """Measure, and print one JSON object on the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--snr", type=float, default=5.0)
    parser.add_argument("--rings", type=float, default=1.0)
    parser.add_argument("--target", type=float, default=6.0, help="resolution in pixels")
    asked = parser.parse_args()
    found = run(asked.seeds, asked.seed, asked.size, asked.snr, asked.rings, asked.target)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
