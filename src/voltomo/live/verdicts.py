"""From the state of a live scan to verdicts."""

from __future__ import annotations

import math

from voltomo.analysis.quality import snr
from voltomo.live.live_slice import LiveSlice, SliceState
from voltomo.live.settings import LiveSettings
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

    def verdicts(
        self, live: LiveSlice, state: SliceState, lost: int, utc_s: float
    ) -> list[Verdict]:
        """One verdict for each metric: lost frames, mean transmission, signal to noise.

        Lost frames are counted: their interval is the number itself. That of the transmission is
        two standard uncertainties on either side (`LiveSlice.transmission`). Signal to noise has
        none: one slice does not tell how well its noise is estimated.

        Parameters
        ----------
        live, state : LiveSlice, SliceState
            The scan and its slice.
        lost : int
            Triggers whose frame has been overdue for longer than the path can take.
        utc_s : float
            Now.
        """
        return [
            self._make(live, state, utc_s, *self._lost(live, lost)),
            self._make(live, state, utc_s, *self._transmission(live)),
            self._make(live, state, utc_s, *self._snr(live, state)),
        ]

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
