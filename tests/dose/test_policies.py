"""Limits by class: what fits, what is refused and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.dose.policies import (
    Asked,
    ClassLimit,
    Override,
    Policy,
    colour,
    refusal,
    scans_that_fit,
)
from voltomo.dose.policy_file import find_policy, load_policies, shipped_policies
from voltomo.runtime.yaml_file import FileRefused

POLICY = Policy(
    name="ours",
    limits=(
        ClassLimit(
            material_class="electrolyte", dose_Gy=1e5, rate_Gy_s=1000.0, source="ladder of 2025"
        ),
        ClassLimit(material_class="polymer", dose_Gy=1e6),
    ),
)


def asked(dose_Gy: float, rate_Gy_s: float = 100.0, **more: object) -> Asked:
    return Asked(
        {"electrolyte": dose_Gy, "metal": 1e9}, {"electrolyte": rate_Gy_s, "metal": 1e9}, **more  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def test_what_fits_is_not_refused() -> None:
    assert refusal(POLICY, {}, asked(4e4)) == ""
    assert refusal(POLICY, {"electrolyte": 2e4}, asked(4e4)) == ""
    assert refusal(POLICY, {"electrolyte": 6e4}, asked(4e4, last=True)) == ""


def test_the_last_scan_is_kept_back() -> None:
    said = refusal(POLICY, {"electrolyte": 3e4}, asked(4e4))
    assert "electrolyte has received 3e+04 Gy of 1e+05 Gy (policy 'ours', ladder of 2025)" in said
    assert "1 of 4e+04 Gy stays for the end" in said
    assert "88 % of one would fit: expose shorter, take fewer projections, or attenuate" in said


def test_what_would_fit_does_fit() -> None:
    assert refusal(POLICY, {"electrolyte": 3e4}, asked(0.87 * 4e4)) == ""
    said = refusal(POLICY, {}, asked(1e4, scans=12))
    assert "9 of 12 would fit" in said
    assert refusal(POLICY, {}, asked(1e4, scans=9)) == ""


def test_rates_are_limited_with_what_to_do() -> None:
    said = refusal(POLICY, {}, asked(10.0, 4000.0))
    assert "gives electrolyte 4e+03 Gy/s, and policy 'ours' allows 1e+03 Gy/s" in said
    assert "attenuate the beam to 25 % and lengthen the exposure" in said


def test_a_sample_that_is_used_up() -> None:
    said = refusal(POLICY, {"electrolyte": 1e5}, asked(1e4))
    assert "no scan fits: mount another sample" in said


def test_a_policy_that_limits_nothing_in_the_cell_is_no_policy() -> None:
    said = refusal(POLICY, {}, Asked({"metal": 1.0}, {"metal": 1.0}))
    assert "has limits for electrolyte, polymer, and this scan gives dose to metal" in said


@given(st.floats(0, 2e5), st.floats(1, 2e5), st.integers(1, 50), st.booleans())
def test_refusal_and_number_of_scans_agree(
    taken_Gy: float, one_Gy: float, scans: int, last: bool
) -> None:
    wish = asked(one_Gy, scans=scans, last=last)
    fits, by = scans_that_fit(POLICY, {"electrolyte": taken_Gy}, wish)
    assert fits is not None
    assert by == "electrolyte"
    assert (refusal(POLICY, {"electrolyte": taken_Gy}, wish) == "") == (scans <= fits)
    if fits:
        kept = 0 if last else 1
        assert taken_Gy + (fits + kept) * one_Gy <= 1e5 * (1 + 1e-9)


def test_colours() -> None:
    one = {"electrolyte": 2e4}
    assert colour(POLICY, {}, one) == "green"
    assert colour(POLICY, {"electrolyte": 5e4}, one) == "amber"
    assert colour(POLICY, {"electrolyte": 8e4}, one) == "red"
    assert colour(POLICY, {"electrolyte": 8e4}) == "amber"
    assert colour(POLICY, {"electrolyte": 1e5}) == "red"
    assert colour(POLICY, {"metal": 1e12}) == "green"


def test_defaults_are_stamped() -> None:
    assert POLICY.unverified == ("polymer",)
    for policy in shipped_policies():
        assert policy.unverified == tuple(each.material_class for each in policy.limits)
    assert "unverified default" in refusal(POLICY, {}, Asked({"polymer": 1e7}, {}))
    default = find_policy("operando_default")
    limit = next(each for each in default.limits if each.material_class == "electrolyte")
    assert (limit.dose_Gy, limit.rate_Gy_s, default.amber_part) == (1e5, 1000.0, 0.5)


def test_an_override_is_named_bounded_and_ends() -> None:
    more = Override(
        by="A. Person", reason="last scan of the series", extra_Gy={"electrolyte": 5e5},
        until_utc_s=100.0,
    )  # fmt: skip
    wider = POLICY.widened(more, 50.0)
    limit = wider.limits[0]
    assert limit.dose_Gy == 2e5
    assert "set aside by A. Person: last scan of the series" in limit.source
    assert wider.limits[1] == POLICY.limits[1]
    assert POLICY.widened(more, 100.0) is POLICY


@pytest.mark.parametrize(
    "given",
    [
        {"by": "", "reason": "long enough a reason"},
        {"by": "A", "reason": "short"},
        {"by": "A", "reason": "long enough a reason", "extra_Gy": {"electrolyte": -1.0}},
        {"by": "A", "reason": "long enough a reason", "extra_Gy": {}},
    ],
)
def test_overrides_need_a_person_a_reason_and_a_bound(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Override.model_validate({"extra_Gy": {"electrolyte": 1.0}, "until_utc_s": 1.0} | given)


def test_a_facilitys_own_file(tmp_path: Path) -> None:
    path = tmp_path / "policies.yml"
    path.write_text(
        "policies:\n"
        "  - name: gentle\n"
        "    limits:\n"
        "      - {material_class: electrolyte, dose_Gy: 5e3, source: our ladder}\n"
    )
    own = load_policies(path)
    assert find_policy("gentle", own).unverified == ()
    with pytest.raises(FileRefused, match="no policy 'gentel'; did you mean 'gentle'"):
        find_policy("gentel", own)


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),
    [
        ("electrolyte", "elektrolyte", 4, "must be 'active material', 'electrolyte'"),
        ("5e3", "-5e3", 4, "must be greater than 0"),
        (", dose_Gy: 5e3", "", 4, "a limit needs 'dose_Gy', 'rate_Gy_s', or both"),
        ("source", "sorce", 4, "did you mean 'source'"),
        ("name: gentle", "name: ../gentle", 2, "cannot be a name"),
    ],
)
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, was: str, becomes: str, line: int, says: str
) -> None:
    text = (
        "policies:\n  - name: gentle\n    limits:\n"
        "      - {material_class: electrolyte, dose_Gy: 5e3, source: our ladder}\n"
    )
    path = tmp_path / "policies.yml"
    path.write_text(text.replace(was, becomes))
    with pytest.raises(FileRefused) as refused:
        load_policies(path)
    assert f"policies.yml:{line}:" in str(refused.value)
    assert says in str(refused.value)


def test_two_limits_for_one_class_are_refused() -> None:
    twice = [{"material_class": "polymer", "dose_Gy": 1.0}] * 2
    with pytest.raises(ValidationError, match="'polymer' has two limits"):
        Policy.model_validate({"name": "x", "limits": twice})
