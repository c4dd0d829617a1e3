"""From the state of a live scan to verdicts."""

from __future__ import annotations

import math

from voltomo.analysis.measure import Measure
from voltomo.analysis.quality import snr
from voltomo.live.live_slice import LiveSlice
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_state import SliceState
from voltomo.live.slice_watch import Measured, SliceWatch
from voltomo.model.target import SIGNED, judge
from voltomo.model.verdict import Judgement, Verdict

_VIEWS_FOR_SNR = 0.5
"""Part of a sweep below which a slice is too streaky for its noise to mean anything."""


_COVERAGE = 2.0
"""An interval reaches so many standard uncertainties to either side: 95 % where it is normal."""

_Found = tuple[str, float | None, float | None, Judgement]
"""Metric, value, half of its interval, judgement."""


class Judge:
    """Makes numbered verdicts on one scan.

    Parameters
    ----------
    settings : LiveSettings
        Thresholds.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._sequence = 0
        self._watch = SliceWatch()

    @property
    def busy(self) -> bool:
        """Whether measures of the slice are still to come."""
        return self._watch.busy

    def verdicts(
        self, live: LiveSlice, state: SliceState, lost: int, utc_s: float
    ) -> list[Verdict]:
        """One verdict for each metric: lost frames, mean transmission, signal to noise, and more.

        Lost frames are counted: their interval is the number itself. That of the transmission is
        two standard uncertainties on either side (`LiveSlice.transmission`). Signal to noise has
        none until a sweep is whole: then all that `voltomo.live.slice_measures` can tell of the
        slice comes, each with its interval, threshold and latency, in place of it.

        Parameters
        ----------
        live, state : LiveSlice, SliceState
            The scan and its slice.
        lost : int
            Triggers whose frame has been overdue for longer than the path can take.
        utc_s : float
            Now.
        """
        measured = self._watch.look(live)
        settings = self._settings
        made = [
            self._make(live, state, utc_s, *self._lost(live, lost)),
            self._make(live, state, utc_s, *self._transmission(live)),
        ]
        if measured is None or not any(m.metric == "snr" for m in measured.measures):
            verdict = self._make(live, state, utc_s, *self._snr(live, state))
            made.append(verdict.model_copy(update={"threshold": settings.snr_min}))
        if measured is not None:
            made += [self._of_measure(live, measured, one, utc_s) for one in measured.measures]
        return made

    def _of_measure(
        self, live: LiveSlice, measured: Measured, measure: Measure, utc_s: float
    ) -> Verdict:
        """A measure, judged by the scan's own target, or by the settings."""
        at_most, at_least = self._thresholds(live, measure.metric)
        value, low, high = measure.value, measure.low, measure.high
        verdict = Verdict(
            scan_uid=live.scan_uid,
            sequence=self._sequence,
            metric=measure.metric,
            value=value,
            low=low,
            high=high,
            judgement=judge(value, low, high, at_most, at_least, signed=measure.metric in SIGNED),
            frames=measured.frames,
            last_trigger=measured.last_trigger,
            utc_s=utc_s,
            unit=measure.unit,
            threshold=at_least if at_most is None else at_most,
            latency_s=measured.latency_s,
        )
        self._sequence += 1
        return verdict

    def _thresholds(self, live: LiveSlice, metric: str) -> tuple[float | None, float | None]:
        target, settings = live.spec.stop_when, self._settings
        if target is not None and target.metric == metric:
            return target.at_most, target.at_least
        if metric == "snr":
            return None, settings.snr_min
        pixel_um = live.spec.geometry.pixel_um
        greatest = {
            "motion": settings.motion_max_pixels * pixel_um,
            "axis_error": settings.axis_error_max_columns,
        }
        return greatest.get(metric), None

    def _make(
        self,
        live: LiveSlice,
        state: SliceState,
        utc_s: float,
        metric: str,
        value: float | None,
        spread: float | None,
        judgement: Judgement,
    ) -> Verdict:
        verdict = Verdict(
            scan_uid=live.scan_uid,
            sequence=self._sequence,
            metric=metric,
            value=value,
            low=None if value is None or spread is None else value - spread,
            high=None if value is None or spread is None else value + spread,
            judgement=judgement,
            frames=state.frames,
            last_trigger=state.last_trigger,
            utc_s=utc_s,
        )
        self._sequence += 1
        return verdict

    def _lost(self, live: LiveSlice, lost: int) -> _Found:
        latched = live.matcher.latched
        if latched == 0:
            return "lost_frames", None, None, "unknown"
        good = lost <= self._settings.lost_fraction_max * latched
        return "lost_frames", float(lost), 0.0, "good" if good else "bad"

    def _transmission(self, live: LiveSlice) -> _Found:
        found = live.transmission()
        if found is None:
            return "mean_transmission", None, None, "unknown"
        mean, uncertainty = found
        spread = None if uncertainty is None else _COVERAGE * uncertainty
        low, high = self._settings.transmission_min, self._settings.transmission_max
        return "mean_transmission", mean, spread, "good" if low <= mean <= high else "bad"

    def _snr(self, live: LiveSlice, state: SliceState) -> _Found:
        sweep = live.sweep
        if sweep is None or state.frames < _VIEWS_FOR_SNR * sweep.count:
            return "snr", None, None, "unknown"
        value = snr(state.image)
        if not math.isfinite(value):
            return "snr", None, None, "unknown"
        return "snr", value, None, "good" if value >= self._settings.snr_min else "bad"
