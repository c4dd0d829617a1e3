"""From the state of a live scan to verdicts."""

from __future__ import annotations

import math

from voltomo.live.live_slice import LiveSlice, SliceState
from voltomo.live.settings import LiveSettings
from voltomo.model.verdict import Judgement, Verdict

_VIEWS_FOR_SNR = 0.5
"""Part of a sweep below which a slice is too streaky for its noise to mean anything."""


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
        spread: float,
        judgement: Judgement,
    ) -> Verdict:
        verdict = Verdict(
            scan_uid=live.scan_uid,
            sequence=self._sequence,
            metric=metric,
            value=value,
            low=None if value is None else value - spread,
            high=None if value is None else value + spread,
            judgement=judgement,
            frames=state.frames,
            last_trigger=state.last_trigger,
            utc_s=utc_s,
        )
        self._sequence += 1
        return verdict

    def _lost(self, live: LiveSlice, lost: int) -> tuple[str, float | None, float, Judgement]:
        latched = live.matcher.latched
        if latched == 0:
            return "lost_frames", None, 0.0, "unknown"
        good = lost <= self._settings.lost_fraction_max * latched
        return "lost_frames", float(lost), 0.0, "good" if good else "bad"

    def _transmission(self, live: LiveSlice) -> tuple[str, float | None, float, Judgement]:
        found = live.transmission()
        if found is None:
            return "mean_transmission", None, 0.0, "unknown"
        low, high = self._settings.transmission_min, self._settings.transmission_max
        return "mean_transmission", *found, "good" if low <= found[0] <= high else "bad"

    def _snr(
        self, live: LiveSlice, state: SliceState
    ) -> tuple[str, float | None, float, Judgement]:
        sweep = live.sweep
        if sweep is None or state.frames < _VIEWS_FOR_SNR * sweep.count:
            return "snr", None, 0.0, "unknown"
        value = live.signal_to_noise(state.image)
        if not math.isfinite(value):
            return "snr", None, 0.0, "unknown"
        spread = value / max(state.frames, 1) ** 0.5
        return (
            "snr",
            value,
            spread,
            "good" if value >= self._settings.snr_min else "bad",
        )
