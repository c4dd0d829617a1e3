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

    def no_slice(self, scan_uid: str) -> str:
        """Why there will be no verdicts on this scan; empty while they may come."""
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

    A source that is away or does not answer gives no verdict; neither keeps the plan beyond its
    deadline. Where the source says that there will be none, nothing is waited for.

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
        The verdict; with judgement "unknown" if none was enough.
    """
    end = time.monotonic() + deadline_s
    latest: Verdict | None = None
    while time.monotonic() < end:
        try:
            latest = source.verdicts(scan_uid).get(metric, latest)
            hopeless = bool(source.no_slice(scan_uid))
        except (TimeoutError, ConnectionError):
            # The live worker is away: that is an answer, too, and no error of the scan.
            hopeless = False
        if latest is not None and enough(latest):
            return latest
        if hopeless:
            break
        yield from bps.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))
    unknown = Verdict(scan_uid=scan_uid, sequence=0, metric=metric)
    return unknown if latest is None else latest.model_copy(update={"judgement": "unknown"})
