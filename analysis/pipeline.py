"""Frames to sinograms: all corrections in one fixed order, each with its name in the record."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.beam_monitor import level_air, monitor_factors
from voltomo.analysis.corrected import Fields, Sinograms, Step
from voltomo.analysis.correction_settings import CorrectionSettings, PhaseSettings
from voltomo.analysis.flats import EigenFlats, FlatsInTime
from voltomo.analysis.frame_faults import check_fields, check_left_out, frame_faults
from voltomo.analysis.half_acquisition import HalfAcquisition, check_full_turn
from voltomo.analysis.normalise import mean_field, transmission
from voltomo.analysis.phase import Paganin
from voltomo.analysis.ramp_filter import WindowFilter
from voltomo.analysis.rings import RunningRings, remove_rings
from voltomo.analysis.truncation import continue_rows, fit_ellipse, is_truncated
from voltomo.analysis.zingers import remove_zingers

Image = NDArray[np.float32]

# A row may become so many rows longer on each side.
MOST_ADDED = 2


class Corrections:
    """The one pipeline from counts to sinograms, offline and live.

    Parameters
    ----------
    settings : CorrectionSettings
        What is done.
    fields : Fields
        Flats and darks, of the same rows as the frames that come.
    energy_keV, pixel_um : float, optional
        For the phase filter, where its settings leave them to the file.

    Raises
    ------
    FramesUnusable
        Flats or darks cannot normalise.
    ValueError
        What the settings ask for cannot be done with these data.
    """

    def __init__(
        self,
        settings: CorrectionSettings,
        fields: Fields,
        energy_keV: float | None = None,
        pixel_um: float | None = None,
    ) -> None:
        check_fields(fields.flats.shape[1:], fields.flats, fields.darks)
        self.settings = settings
        self.fields = fields
        self.dark = mean_field(fields.darks)
        self.flats = FlatsInTime.of(
            fields.flats, fields.flat_places if settings.flats != "mean" else None
        )
        self.eigen = (
            EigenFlats.of(fields.flats, self.dark, settings.eigenflats)
            if settings.flats == "eigen"
            else None
        )
        # Once and for all: a live view asks for one frame at a time.
        self._mean_flat = self.flats.mean
        self._brightness = self.flats.brightness(self.dark)
        self.phase = paganin_of(settings.phase, energy_keV, pixel_um)
        if settings.monitor and fields.flat_monitor is None:
            raise ValueError(
                "The corrections ask for the beam monitor, of which there are no readings. Leave "
                "monitor out, or use air_columns."
            )

    def frames(
        self,
        counts: NDArray[Any],
        places: ArrayLike | None = None,
        monitor: ArrayLike | None = None,
    ) -> tuple[Image, list[Step]]:
        """Line integrals of good frames, (views, rows, columns), and what was done.

        Parameters
        ----------
        counts : uint16 or float (views, rows, columns)
            Frames without `frame_faults`, in the order of their angles.
        places : array_like (views,), optional
            Where they lie in the scan, in the count of `Fields.flat_places`.
        monitor : array_like (views,), optional
            The beam monitor's readings.
        """
        chosen = self.settings
        steps: list[Step] = []
        if counts.shape[1:] != self.dark.shape:
            raise ValueError(
                f"Frames must have the shape of the flats, {self.dark.shape}, not "
                f"{counts.shape[1:]}. Nothing was normalised: check the region that is read."
            )
        values: NDArray[Any] = counts
        if chosen.zingers is not None:
            values, found = remove_zingers(values, chosen.zingers)
            steps.append(Step("zingers", {"sigma": chosen.zingers, "replaced": found}))
        passed, step = self._transmissions(values, places, monitor)
        steps += step
        if chosen.air_columns:
            passed = level_air(passed, chosen.air_columns)
            steps.append(Step("air", {"columns": chosen.air_columns}))
        if self.phase is not None and chosen.phase is not None:
            rows = self.phase.line_integrals(passed)
            steps.append(Step("phase", {"method": "Paganin", **chosen.phase.model_dump()}))
        else:
            rows = np.negative(np.log(passed, out=passed), out=passed)
            steps.append(Step("logarithm"))
        return rows, steps

    def _transmissions(
        self, counts: NDArray[Any], places: ArrayLike | None, monitor: ArrayLike | None
    ) -> tuple[Image, list[Step]]:
        views = len(counts)
        steps: list[Step] = []
        factors = np.ones(views)
        if self.settings.monitor:
            if monitor is None or self.fields.flat_monitor is None:
                raise ValueError("The beam monitor is asked for and the frames came without it.")
            factors = monitor_factors(monitor, self.fields.flat_monitor)
            low, high = float(factors.min()), float(factors.max())
            steps.append(Step("monitor", {"lowest": low, "highest": high}))
        at = None if places is None else np.asarray(places, np.float64)
        out = np.empty(counts.shape, np.float32)
        flat, bright = self._mean_flat, self._brightness
        for view in range(views):
            if self.eigen is not None:
                # The pattern from the frame itself, its brightness from the flats in time.
                shares = self.eigen.shares(counts[view], self.dark)
                place = float(self.flats.places.mean() if at is None else at[view])
                level = float(np.interp(place, self.flats.places, bright))
                flat = self.eigen.flat(shares, self.dark, level)
            elif at is not None:
                flat = self.flats.at(float(at[view]))
            transmission(counts[view], flat, self.dark, out[view])
        out *= factors.astype(np.float32)[:, None, None]
        facts: dict[str, Any] = {"flats": len(self.fields.flats), "groups": len(self.flats.places)}
        if self.eigen is not None:
            facts |= {"patterns": len(self.eigen.patterns)}
        steps.append(Step(f"flats, {self.settings.flats}", facts))
        return out, steps

    def sinograms(
        self,
        counts: NDArray[Any],
        angles_deg: ArrayLike,
        axis_column: float,
        places: ArrayLike | None = None,
        monitor: ArrayLike | None = None,
        keep_rows: slice = slice(None),
    ) -> Sinograms:
        """All corrections on all views of some rows.

        Parameters
        ----------
        counts : uint16 or float (views, rows, columns)
            The same rows of every projection, in any order of angles.
        angles_deg : array_like (views,)
            Angles at mid-exposure.
        axis_column : float
            Column of the rotation axis on the detector.
        places, monitor : array_like (views,), optional
            As `frames`.
        keep_rows : slice
            Of the rows that came, for the others were needed by the phase filter alone.

        Raises
        ------
        FramesUnusable
            Too many frames cannot be used.
        ValueError
            Shapes differ, or a correction cannot be done with these data.
        """
        angles = np.asarray(angles_deg, np.float64)
        if angles.shape != (len(counts),) or not np.isfinite(angles).all():
            raise ValueError(
                f"Each of {len(counts)} projections needs a finite angle; there are "
                f"{int(np.isfinite(angles).sum())}."
            )
        faults = frame_faults(counts)
        check_left_out(faults, len(counts))
        order = np.argsort(angles, kind="stable")
        good = order[~np.isin(order, list(faults))]
        # In the order of angles: a zinger differs from its neighbours, an edge does not.
        rows, steps = self.frames(counts[good], _some(places, good), _some(monitor, good))
        rows = np.ascontiguousarray(rows[:, keep_rows].transpose(1, 0, 2))
        steps += self._take_rings(rows)
        rows, axis, size, widened = self._widen(rows, angles[good], axis_column)
        steps += widened
        name, cutoff = self.settings.filter, self.settings.filter_cutoff
        if name != "ram-lak" or cutoff < 1:
            rows = WindowFilter(rows.shape[2], name, cutoff).apply(rows)
        steps.append(Step(f"filter, {name}", {"cutoff": cutoff}))
        return Sinograms(rows, angles[good], axis, size, tuple(steps), faults)

    def _take_rings(self, rows: Image) -> Iterable[Step]:
        kind, width = self.settings.rings, self.settings.ring_width_columns
        if kind == "none":
            return []
        for sinogram in rows:
            if kind == "consistent":
                sinogram[:] = remove_rings(sinogram, width)
            else:
                running = RunningRings(sinogram.shape[1], width, len(sinogram))
                for view in sinogram:
                    view[:] = running.apply(view)
        return [Step(f"rings, {kind}", {"width_columns": width})]

    def _widen(
        self, rows: Image, angles: NDArray[np.float64], axis: float
    ) -> tuple[Image, float, int, list[Step]]:
        columns = rows.shape[2]
        if self.settings.half_acquisition:
            check_full_turn(angles)
            half = HalfAcquisition(columns, axis)
            step = Step("half acquisition", {"overlap_columns": half.overlap_columns})
            return half.widen(rows), half.wide_axis_column, half.wide_columns, [step]
        if not self.settings.continue_truncated or not any(is_truncated(one) for one in rows):
            return rows, axis, columns, []
        ellipse = fit_ellipse(rows.mean(axis=0), angles, axis)
        # As far as the ellipse goes and the step to it fades; beyond there is air.
        beyond = math.ceil(ellipse.reach - min(axis, columns - 1 - axis))
        added = min(max(beyond, columns // 10) + 4, MOST_ADDED * columns)
        wide = np.stack([continue_rows(one, angles, axis, ellipse, added) for one in rows])
        step = Step("continued", {"added_columns": added, "ellipse": vars(ellipse)})
        return wide, axis + added, columns, [step]


def paganin_of(
    phase: PhaseSettings | None, energy_keV: float | None, pixel_um: float | None
) -> Paganin | None:
    """The phase filter of settings, completed by what the file says.

    Raises
    ------
    ValueError
        Neither the settings nor the file say energy and pixel size.
    """
    if phase is None:
        return None
    energy = phase.energy_keV or energy_keV
    pixel = phase.pixel_um or pixel_um
    if energy is None or pixel is None:
        missing = "the energy" if energy is None else "the pixel size"
        raise ValueError(f"The phase filter needs {missing}, which the file does not say: give it.")
    return Paganin(phase.delta_over_beta, 1e-3 * phase.distance_mm, energy, pixel)


def _some(values: ArrayLike | None, chosen: NDArray[Any]) -> NDArray[np.float64] | None:
    return None if values is None else np.asarray(values, np.float64)[chosen]
