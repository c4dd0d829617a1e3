"""Waiting for what the live analysis says, with a deadline: no answer is an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Protocol

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.verdict import Verdict

_POLL_S = 0.05


class VerdictSource(Protocol):
    """Where verdicts come from; `voltomo.devices.live_verdicts.LiveVerdicts` is one."""

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        """Latest verdict of each metric on this scan."""
        ...


def wait_verdict(
    source: VerdictSource,
    scan_uid: str,
    metric: str,
    deadline_s: float,
    *,
    enough: Callable[[Verdict], bool] = lambda verdict: verdict.judgement != "unknown",
) -> Generator[Msg, Any, Verdict]:
    """Wait until a verdict on this scan is enough, or the deadline is over.

    Parameters
    ----------
    source : VerdictSource
        The live worker.
    scan_uid : str
        Verdicts on other scans are ignored.
    metric : str
        Which verdict.
    deadline_s : float
        How long to wait.
    enough : callable
        Whether to stop waiting; any judgement but "unknown" if not given.

    Returns
    -------
    Verdict
        The verdict; with judgement "unknown" if the deadline passed first.
    """
    end = time.monotonic() + deadline_s
    latest: Verdict | None = None
    while time.monotonic() < end:
        latest = source.verdicts(scan_uid).get(metric, latest)
        if latest is not None and enough(latest):
            return latest
        yield from bps.sleep(_POLL_S)
    unknown = Verdict(scan_uid=scan_uid, sequence=0, metric=metric)
    return unknown if latest is None else latest.model_copy(update={"judgement": "unknown"})
