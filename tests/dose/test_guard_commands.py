"""Commands from anyone: what is no command is passed over, what is wrong is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dose.guard_rig import Rig
from voltomo.dose.guard_commands import obey, parse
from voltomo.dose.guard_records import clipped


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open the shutter",
        "[]",
        "null",
        "NaN",
        '{"op": "status"}',
        '{"id": 7, "op": "status"}',
        '{"id": "", "op": "status"}',
        json.dumps({"id": "x" * 65, "op": "status"}),
        "[" * 10_000,
        '{"id": "a", "op": "status"',
        "\ud800",
        "9" * 10_000,
    ],
)
def test_what_is_no_command_is_passed_over(text: str) -> None:
    assert parse(text) is None


def order(rig: Rig, **words: Any) -> dict[str, Any]:
    parsed = parse(json.dumps({"id": "a", **words}))
    assert parsed is not None
    obey(rig.core, parsed, rig.now_s)
    rig.act()
    return rig.answers["a"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({}, "'that was sent' is not known; known: request, renew, settle, status"),
        ({"op": "open"}, "the command 'open' is not known"),
        ({"op": [[[]]]}, "'that was sent' is not known"),
        ({"op": "x" * 5000}, "x… "),
        ({"op": "request"}, "the request is not understood"),
        ({"op": "request", "request": {"sample": "cell", "seconds": -1}}, "greater than 0"),
        ({"op": "request", "request": {"sample": "../x", "seconds": 1}}, "cannot be a name"),
        ({"op": "request", "request": {"sample": "cell", "seconds": 1, "open": 1}}, "open: Extra"),
        ({"op": "renew"}, "the lease is lost"),
        ({"op": "renew", "lease_id": ["a"]}, "the lease is lost"),
        ({"op": "settle", "lease_id": "b" * 5000}, "b… is known; nothing was settled"),
        ({"op": "status", "sample": "nobody"}, "no sample 'nobody'"),
        ({"op": "status", "sample": {"a": 1}}, "no sample ''"),
    ],
)
def test_what_is_wrong_is_answered_with_a_short_sentence(
    words: dict[str, Any], sentence: str
) -> None:
    rig = Rig()
    answer = order(rig, **words)
    assert not answer["ok"]
    assert sentence.strip() in answer["error"]
    assert len(answer["error"]) < 500
    assert "reserve" not in rig.kinds()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", ["seconds", "dose_Gy", "trigger_deadline_s"])
def test_no_request_passes_with_a_number_that_is_none(name: str, number: str) -> None:
    rig = Rig()
    rig.run(0.2)
    wanted = {"sample": "cell", "seconds": 1.0, name: "NUMBER"}
    text = json.dumps({"id": "a", "op": "request", "request": wanted})
    parsed = parse(text.replace('"NUMBER"', number))
    assert parsed is not None
    obey(rig.core, parsed, rig.now_s)
    rig.act()
    assert "not understood" in rig.answers["a"]["error"]
    assert rig.core.lease is None


@pytest.mark.parametrize("text", ["x" * 5000, "ü" * 5000, "\ud800" * 50, "short"])
def test_texts_fit_into_their_records(text: str) -> None:
    made = clipped(text, 40)
    assert len(made.encode()) < 40
    assert text.startswith(made.rstrip("…").rstrip("?"))
