"""The engine finds a way back behind a clean-up, and a suspension that a pause has ended."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import Msg
from bluesky import plan_stubs as bps

from tests.plans.scripted import Driver
from voltomo.plans.beam_there import demand_beam
from voltomo.profiles.beam_loss import BeamLossSuspender
from voltomo.profiles.engine import SessionEngine
from voltomo.profiles.interrupts import Interrupts


def test_behind_a_clean_up_the_next_checkpoint_is_a_way_back() -> None:
    engine = SessionEngine(Interrupts())
    resumable: list[bool] = []

    def plan() -> Iterator[Msg]:
        for step in (bps.checkpoint, bps.clear_checkpoint, bps.checkpoint):
            yield from step()
            resumable.append(engine.resumable)

    engine(plan())
    assert resumable == [True, False, True]


class _Presence:
    """Beam that is back when it was asked for a third time."""

    settle_s = 1.0

    def __init__(self, asked: int = 2) -> None:
        self.left = asked
        self.on_tick: Any = None

    @property
    def gone(self) -> str:
        self.left -= 1
        return "ring current" if self.left >= 0 else ""


def test_beam_is_waited_for_also_where_nothing_suspends_the_engine() -> None:
    lost: Any = SimpleNamespace(presence=_Presence())
    driver = Driver()
    assert driver.run(demand_beam(lost))
    assert [message.command for message in driver.messages] == ["sleep", "sleep"]
    there: Any = SimpleNamespace(presence=_Presence(0))
    assert not Driver().run(demand_beam(there))


@pytest.mark.parametrize("paused", [True, False])
def test_a_suspension_is_asked_for_anew_behind_a_pause(*, paused: bool) -> None:
    presence, asked = _Presence(), []
    suspender = BeamLossSuspender(presence, lambda *_: None)  # type: ignore[arg-type]
    state = SimpleNamespace(is_running=True, is_paused=False)
    engine = SimpleNamespace(
        state=state, resumable=True, request_suspend=lambda *_, **__: asked.append(1)
    )
    suspender.install(engine)
    presence.on_tick("ring current")
    state.is_running, state.is_paused = not paused, paused
    presence.on_tick("ring current")
    state.is_running, state.is_paused = True, False
    presence.on_tick("ring current")
    assert len(asked) == (2 if paused else 1)
