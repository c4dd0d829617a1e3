"""No verdict in time is unknown, and unknown is not good."""

import time

from bluesky import RunEngine

from voltomo.devices.live_verdicts import LiveVerdicts, parse_said, verdicts_in
from voltomo.model.verdict import Verdict
from voltomo.plans.verdicts import wait_verdict


class Says:
    def __init__(self, *verdicts: Verdict) -> None:
        self.made = list(verdicts)

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        verdict = self.made.pop(0) if len(self.made) > 1 else self.made[0]
        return {verdict.metric: verdict} if verdict.scan_uid == scan_uid else {}

    def no_slice(self, scan_uid: str) -> str:
        return ""


class Away(Says):
    """A worker whose PVs do not answer."""

    def __init__(self) -> None:
        super().__init__()

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        raise TimeoutError("Failed to read VT:Live:Verdicts within 3.00 sec")


class Hopeless(Says):
    """A worker that can make no slice of this scan."""

    def no_slice(self, scan_uid: str) -> str:
        return "the axis is tilted"


def answer(source: Says, deadline_s: float = 0.4) -> Verdict:
    found = []

    def plan():
        found.append((yield from wait_verdict(source, "mine", "snr", deadline_s)))

    RunEngine({})(plan())
    return found[0]


def verdict(judgement: str, uid: str = "mine") -> Verdict:
    return Verdict.model_validate(
        {"scan_uid": uid, "sequence": 1, "metric": "snr", "value": 3.0, "judgement": judgement}
    )


def test_the_first_judgement_ends_the_wait() -> None:
    assert answer(Says(verdict("unknown"), verdict("good"))).good


def test_a_deadline_gives_unknown_with_the_last_number() -> None:
    late = answer(Says(verdict("unknown")))
    assert not late.good
    assert late.value == 3.0


def test_another_scans_verdict_is_no_verdict() -> None:
    assert answer(Says(verdict("good", "other"))).judgement == "unknown"


def test_nonsense_from_the_worker_gives_no_verdicts() -> None:
    good = verdict("good")
    text = '{"scan_uid": "mine", "verdicts": [' + good.model_dump_json() + "]}"
    assert verdicts_in(parse_said(text, "mine"), "mine") == {"snr": good}
    assert parse_said(text, "other") == {}
    nonsense = ("", "[]", "{", '{"scan_uid": "mine", "verdicts": [{"a": 1}]}',
                '{"scan_uid": "mine", "verdicts": 3}')  # fmt: skip
    for said in nonsense:
        assert verdicts_in(parse_said(said, "mine"), "mine") == {}


def test_a_worker_that_does_not_answer_is_unknown_and_no_error() -> None:
    assert answer(Away()).judgement == "unknown"


def test_a_verdict_that_cannot_come_is_not_waited_for() -> None:
    begun_s = time.monotonic()
    assert answer(Hopeless(verdict("unknown")), 60.0).judgement == "unknown"
    assert time.monotonic() - begun_s < 30


def test_a_worker_that_was_never_there_keeps_nobody_waiting() -> None:
    live = LiveVerdicts("NOWHERE:Live:", name="live")
    begun_s = time.monotonic()
    live.tell("{}")
    assert live.verdicts("mine") == {}
    assert (live.state_of("mine"), live.no_slice("mine")) == ("", "")
    assert set(live.progress().values()) == {None}
    # One connection time-out would be 1 s or more.
    assert time.monotonic() - begun_s < 0.5
    live.destroy()
