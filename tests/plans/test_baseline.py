"""A further device that dies ends no scan: it is left out, and named."""

from __future__ import annotations

from typing import Any

from tests.plans.scripted import Driver, Named, beamline, spec
from voltomo.plans.scan import scan


class Dying(Named):
    """An oven that is gone once it has been read so often."""

    def __init__(self, readings: int) -> None:
        super().__init__("oven", 200.0)
        self.left = readings + 1

    @property
    def connected(self) -> bool:
        self.left -= 1
        return self.left > 0


def baselines(readings: int) -> list[tuple[str, list[str]]]:
    devices: Any = beamline()
    devices.further = {"oven": Dying(readings)}
    driver = Driver()
    driver.run(scan(devices, spec()))
    found: list[tuple[str, list[str]]] = []
    within = False
    for message in driver.messages:
        if message.command in ("create", "save"):
            within = message.command == "create"
        if message.command == "create":
            found.append((message.kwargs["name"], []))
        elif message.command == "read" and within:
            found[-1][1].append(message.obj.name)
    return [(name, read) for name, read in found if name.startswith("baseline")]


def test_what_is_there_is_read_before_and_behind() -> None:
    before, behind = baselines(2)
    assert before == behind
    assert before[1][-1] == "oven"


def test_what_died_meanwhile_is_left_out_and_named_in_a_stream_of_its_own() -> None:
    (name, read), (last, left) = baselines(1)
    assert (name, last) == ("baseline", "baseline_without")
    assert left == [*read[:-1], "baseline_absent"]


def test_what_was_away_from_the_start_is_named_both_times() -> None:
    before, behind = baselines(0)
    assert before == behind
    assert before[1][-1] == "baseline_absent"
