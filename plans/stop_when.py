"""A scan that ends once its slice is good enough, and says how much dose that has saved."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.target import Metric, Target
from voltomo.model.verdict import Verdict
from voltomo.plans.verdicts import VerdictSource, wait_verdict
from voltomo.plans.words import ScanRefused

Plan = Generator[Msg, Any, Any]

DECISIONS = "decisions"
"""Stream with one event for every time that a verdict was asked whether the scan may end."""

_AGAIN_S = 1.0
"""A worker that did not answer in time once is given less time from then on."""


def stop_when(
    verdict: Metric,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    fewest_sweeps: int = 2,
    patience_s: float = 10.0,
) -> Target:
    """What an interlaced scan is to reach: ``ScanSpec(..., stop_when=stop_when("snr", ...))``.

    After each sweep, with the beam off, the live worker's verdict on the slice of all sweeps so
    far is looked at. The sweeps that are left, and flats between them, are not taken once the whole
    interval of the verdict keeps to the threshold. A verdict that is unknown, late, or of another
    scan ends nothing: then the scan goes on to its last sweep.

    Parameters
    ----------
    verdict : str
        Its metric: ``frc_resolution`` (um), ``snr``, ``sharpness`` (1/um), …
    at_most, at_least : float, optional
        The threshold: one of both.
    fewest_sweeps : int
        Sweeps that are taken at any rate.
    patience_s : float
        How long a verdict is waited for.

    Raises
    ------
    ValueError
        None or both of the thresholds are given.
    """
    return Target(
        metric=verdict,
        at_most=at_most,
        at_least=at_least,
        fewest_sweeps=fewest_sweeps,
        patience_s=patience_s,
    )


class Decisions:
    """Looks at the verdicts of one scan, and keeps what was decided; readable, one event a look.

    Parameters
    ----------
    spec : ScanSpec
        The scan; without ``stop_when`` nothing is ever decided.
    source : VerdictSource or None
        The live worker.

    Attributes
    ----------
    reason : str
        Why the scan has ended early; empty while it has not.

    Raises
    ------
    ScanRefused
        A target, and nobody who could tell whether it is reached.
    """

    name = DECISIONS
    parent = None

    def __init__(self, spec: ScanSpec, source: VerdictSource | None) -> None:
        if spec.stop_when is not None and source is None:
            raise ScanRefused(
                f"expected verdicts for stop_when ({spec.stop_when.words}), saw none; no beam was "
                "used; give the plan the live worker (verdicts=live), or leave stop_when out"
            )
        self.reason = ""
        self._spec, self._source = spec, source
        self._parts: dict[int | None, list[Block]] = {}
        for block in spec.blocks():
            if block.kind == "sweep":
                self._parts.setdefault(block.sweep, []).append(block)
        self._asked: set[str] = set()
        self._patience_s = 0.0 if spec.stop_when is None else spec.stop_when.patience_s
        self._latest: dict[str, Any] = {}

    @property
    def ended(self) -> bool:
        """Whether no further sweep is wanted."""
        return bool(self.reason)

    def wants(self, block: Block) -> bool:
        """Whether a block is still to be taken: what comes after the last sweep is, as asked."""
        return not self.ended or block.name == "flats_after"

    def after(self, block: Block, uid: str) -> Plan:
        """Look at the verdict on all sweeps up to this block, and record what it came to."""
        target, source = self._spec.stop_when, self._source
        if target is None or source is None or block.kind != "sweep":
            return
        # Behind a pause a plan asks again what it has recorded already.
        if self.ended or block.name in self._asked or block != self._parts[block.sweep][-1]:
            return
        done = list(self._parts).index(block.sweep) + 1
        if done < target.fewest_sweeps or done == len(self._parts):
            return

        def rests_on_it(verdict: Verdict) -> bool:
            return verdict.last_trigger >= block.first and verdict.low is not None

        verdict = yield from wait_verdict(
            source, uid, target.metric, self._patience_s, enough=rests_on_it
        )
        answered = rests_on_it(verdict)
        if not answered:
            self._patience_s = min(self._patience_s, _AGAIN_S)
        self._decide(target, verdict, answered and target.reached(verdict), done)
        yield from bps.create(name=DECISIONS)
        yield from bps.read(self)
        yield from bps.save()
        self._asked.add(block.name)

    def _decide(self, target: Target, verdict: Verdict, ends: bool, done: int) -> None:
        counts = [sum(block.count for block in parts) for parts in self._parts.values()]
        taken, asked = sum(counts[:done]), sum(counts)
        saved = 1 - taken / asked
        said = _said(verdict)
        if ends:
            self.reason = (
                f"the target was reached ({target.words}) after {done} of {len(self._parts)} "
                f"sweeps: {said}; {100 * saved:.0f} % of the dose of the sweeps was saved"
            )
        self._latest = {
            "decision_target": target.words,
            "decision_verdict": said,
            "decision_ends": int(ends),
            "decision_sweeps": done,
            "decision_sweeps_asked": len(self._parts),
            "decision_projections": taken,
            "decision_projections_asked": asked,
            "decision_saved_fraction": saved if ends else 0.0,
        }

    # what the engine calls

    def read(self) -> dict[str, Any]:
        """The latest decision."""
        now_s = time.time()
        return {key: {"value": value, "timestamp": now_s} for key, value in self._latest.items()}

    def describe(self) -> dict[str, Any]:
        """Target, verdict, whether it ends the scan, how far the scan is, and what is saved."""
        kinds = {int: "integer", str: "string", float: "number"}
        return {
            key: {"source": "plan", "dtype": kinds[type(value)], "shape": []}
            for key, value in self._latest.items()
        }


def _said(verdict: Verdict) -> str:
    if verdict.value is None or verdict.low is None or verdict.high is None:
        return f"{verdict.metric} unknown"
    return (
        f"{verdict.metric} {verdict.value:.4g} ({verdict.low:.4g} to {verdict.high:.4g}) "
        f"{verdict.unit}"
    ).rstrip()
