"""No verdict in time is unknown, and unknown is not good."""

from bluesky import RunEngine

from voltomo.devices.live_verdicts import parse_verdicts
from voltomo.model.verdict import Verdict
from voltomo.plans.verdicts import wait_verdict


class Says:
    def __init__(self, *verdicts: Verdict) -> None:
        self.made = list(verdicts)

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        verdict = self.made.pop(0) if len(self.made) > 1 else self.made[0]
        return {verdict.metric: verdict} if verdict.scan_uid == scan_uid else {}


def answer(source: Says) -> Verdict:
    found = []

    def plan():
        found.append((yield from wait_verdict(source, "mine", "snr", 0.4)))

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
    assert parse_verdicts(text, "mine") == {"snr": good}
    for nonsense in ("", "[]", "{", '{"scan_uid": "mine", "verdicts": [{"a": 1}]}', text):
        assert parse_verdicts(nonsense, "other") == {}
