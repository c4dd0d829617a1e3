"""Rules of the beamline file, checked by every axis before it moves, whoever asks for the move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from voltomo.devices.checked_motor import CheckedMotor
from voltomo.devices.faults import DeviceFault
from voltomo.model.keep_out import KeepOut, Span, rule_against

_ANYWHERE: Span = (-math.inf, math.inf)


class KeptOut(DeviceFault):
    """A rule of the beamline forbids a move; nothing was moved."""


def keep_out(rules: Sequence[KeepOut], axes: Mapping[str, CheckedMotor]) -> None:
    """Let axes refuse moves that a rule forbids.

    Parameters
    ----------
    rules : sequence of KeepOut
        In the words of the beamline file.
    axes : mapping
        All axes by the names that rules use. One that is not here, or does not answer, may stand
        anywhere.
    """
    for name, axis in axes.items():
        touching = [rule for rule in rules if name in rule.where]
        if touching:
            axis.keep_out = _check(name, axis, touching, axes)


def _check(
    name: str, axis: CheckedMotor, rules: Sequence[KeepOut], axes: Mapping[str, CheckedMotor]
) -> Callable[[float], None]:
    others = {other for rule in rules for other in rule.where} - {name}

    def check(target: float) -> None:
        spans = {other: axes[other].span() if other in axes else _ANYWHERE for other in others}
        rule = rule_against(rules, name, axis.span()[0], target, spans)
        if rule is not None:
            raise KeptOut(rule.sentence(name, target, spans))

    return check
