"""Policies are kept below plan and queue: amber warns, red refuses or trips, overrides end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tests.dose.guard_rig import FLUX, GY_PER_PHOTON, RATE_GY_S, Rig
from voltomo.dose.absorption import Absorption
from voltomo.dose.guard_commands import obey
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import Cause
from voltomo.dose.ledger import Account, Ledger
from voltomo.dose.policies import ClassLimit, Policy
from voltomo.dose.policy_rules import class_doses_Gy
from voltomo.model.sample import Sample

HOUR_s = 3600.0


def policy(**of_electrolyte: Any) -> dict[str, Any]:
    """A rig's sample with electrolyte in it, and its policy: 40 s of beam, the last 4 kept."""
    more = {key: of_electrolyte.pop(key) for key in ("keep_for_scans",) if key in of_electrolyte}
    limit = ClassLimit(
        material_class="electrolyte",
        **({"dose_Gy": 40 * RATE_GY_S, "source": "a test"} | of_electrolyte),
    )
    made = Policy(name="strict", limits=(limit,), **more)
    return {"policies": (made,), "of_sample": {"policy": "strict", "also": ("EC",)}}


def ask(rig: Rig, op: str, **words: Any) -> dict[str, Any]:
    """A command as a client gives it."""
    identity = rig.new_id()
    obey(rig.core, {"id": identity, "op": op, **words}, rig.now_s)
    rig.act()
    return rig.answers[identity]


def override(rig: Rig, hours: float = 4.0, extra_s: float = 20.0, **more: Any) -> dict[str, Any]:
    given = {
        "by": "A. Person",
        "reason": "the last cell of this batch",
        "extra_Gy": {"electrolyte": extra_s * RATE_GY_S},
        "until_utc_s": rig.now_s + hours * HOUR_s,
    }
    return ask(rig, "override", sample="cell", override=given | more)


def lost(rig: Rig) -> list[str]:
    return [data["cause"] for kind, data in rig.disk.entries if kind == "lost"]


def beam(rig: Rig, seconds: float) -> None:
    """So much beam on the sample, as its last scan."""
    lease = rig.request(seconds + 0.5, last_scan=True)["lease_id"]
    rig.run(seconds, lease)
    rig.settle(lease)


def test_more_than_the_class_may_receive_is_refused_before_the_beam() -> None:
    rig = Rig(**policy())
    rig.run(0.2)
    error = rig.request(50.0)["error"]
    assert "electrolyte has received 0 Gy of 400 Gy (policy 'strict', a test)" in error
    assert "would fit" in error
    rig.run(0.3)
    assert rig.truth_Gy == 0


def test_what_is_kept_for_the_last_scan_only_the_last_may_take() -> None:
    rig = Rig(**policy())
    rig.run(0.2)
    asked = {"seconds": 15.0, "scan_seconds": 30.0, "purpose": "sweep_0"}
    error = rig.request(**asked)["error"]
    assert "sweep_0 would use what policy 'strict' keeps back for the last scan" in error
    assert "electrolyte 306 Gy" in error
    assert rig.request(**(asked | {"last_scan": True}))["ok"]
    generous = Rig(**policy(keep_for_scans=0))
    generous.run(0.2)
    assert generous.request(**asked)["ok"]


def test_the_limit_of_a_class_ends_a_lease_early() -> None:
    rig = Rig(**policy(dose_Gy=5 * RATE_GY_S, rate_Gy_s=None))
    rig.run(0.2)
    lease = rig.request(4.6, last_scan=True)["lease_id"]
    rig.run(8.0, lease)
    assert 4.5 * RATE_GY_S < rig.truth_Gy <= rig.dose_Gy() <= 5 * RATE_GY_S * 1.02
    assert lost(rig) == [Cause.LIMIT]
    assert "electrolyte of 'cell' (policy 'strict', a test)" in rig.renew(lease)["error"]


def test_a_rate_above_its_limit_is_refused_and_trips() -> None:
    rig = Rig(**policy(rate_Gy_s=1.5 * RATE_GY_S))
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    rig.run(0.5, lease)
    assert rig.core.enable
    rig.flux = 1.9 * FLUX
    rig.run(0.2, lease)
    assert lost(rig) == [Cause.RATE]
    rig.run(0.5)
    assert re.search(r"allows 15 Gy/s .*attenuate the beam to 7\d %", rig.request(5.0)["error"])
    # A monitor that cannot be believed counts at its upper bound, here too.
    rig.flux = FLUX
    rig.run(0.5)
    lease = rig.request(5.0)["lease_id"]
    rig.monitor_lives = False
    rig.run(1.0, lease)
    assert lost(rig)[-1] == Cause.RATE


def test_amber_warns_and_lets_the_beam_go_on() -> None:
    rig = Rig(**policy())
    rig.run(0.2)
    lease = rig.request(25.0, last_scan=True)["lease_id"]
    rig.run(18.0, lease)
    assert not rig.core.warned
    rig.run(4.0, lease)
    assert rig.core.warned
    assert not rig.core.alarmed
    assert rig.core.enable
    assert "'cell' is amber: electrolyte 2" in rig.core.reason
    warned = [data["cause"] for kind, data in rig.disk.entries if kind == "warn"]
    assert warned == [Cause.AMBER]
    assert ask(rig, "status", sample="cell")["colour"] == "amber"


def test_status_says_whether_a_whole_scan_would_fit() -> None:
    rig = Rig(**policy())
    rig.run(0.2)
    answer = ask(rig, "status", sample="cell", seconds=19.0)
    assert answer["refusal"] == ""
    assert (answer["policy"], answer["colour"]) == ("strict", "green")
    assert "keeps back" in ask(rig, "status", sample="cell", seconds=21.0)["refusal"]
    last = ask(rig, "status", sample="cell", seconds=21.0, last_scan=True)
    assert last["refusal"] == ""
    assert "would fit" in ask(rig, "status", sample="cell", seconds=50, last_scan=True)["refusal"]


def test_an_override_is_recorded_bounded_and_ends_by_itself() -> None:
    rig = Rig(**policy())
    rig.run(0.2)
    beam(rig, 38.0)
    assert not rig.request(10.0, last_scan=True)["ok"]
    answer = override(rig)
    assert answer["class_limit_Gy"] == {"electrolyte": pytest.approx(60 * RATE_GY_S)}
    recorded = [data for kind, data in rig.disk.entries if kind == "override"]
    assert recorded[0]["override"]["by"] == "A. Person"
    assert "A. Person has set limits of 'cell' aside for 4.0 h" in rig.core.reason
    beam(rig, 10.0)
    assert rig.truth_Gy > 47 * RATE_GY_S
    # A guard that is started again knows it, and its end.
    rig.kill_guard()
    rig.run(1.0)
    rig.start_guard()
    rig.run(0.2)
    assert rig.request(5.0, last_scan=True)["ok"]
    rig.core.stop_beam(rig.now_s)
    rig.run(1.0)
    rig.now_s += 4 * HOUR_s
    rig.core.tick(rig.now_s)
    rig.run(0.2)
    assert "of 400 Gy" in rig.request(5.0, last_scan=True)["error"]


def test_overrides_do_not_add_up_and_at_most_double_the_limit() -> None:
    rig = Rig(**policy())
    override(rig, extra_s=1000.0)
    answer = override(rig, extra_s=1000.0)
    assert answer["class_limit_Gy"] == {"electrolyte": pytest.approx(80 * RATE_GY_S)}


def test_a_sample_without_policy_has_its_own_limit_set_aside() -> None:
    rig = Rig(limit_Gy=10 * RATE_GY_S)
    rig.run(0.2)
    assert not rig.request(15.0)["ok"]
    assert override(rig, extra_Gy={"active material": 1e9})["ok"]
    assert rig.request(15.0)["ok"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"reason": "because"}, "reason"),
        ({"by": ""}, "by"),
        ({"extra_Gy": {}}, "extra_Gy"),
        ({"extra_Gy": {"electrolyte": -1.0}}, "extra_Gy"),
        ({"extra_Gy": {"metal": 1.0}}, "'cell' has no limit for metal"),
        ({"until_utc_s": 0.0}, "ended already"),
        ({"until_utc_s": 1e9 + 100 * HOUR_s}, "within 72 h"),
    ],
)
def test_an_override_without_reason_or_bounds_is_refused(
    more: dict[str, Any], sentence: str
) -> None:
    rig = Rig(**policy())
    answer = override(rig, **more)
    assert not answer["ok"]
    assert sentence in answer["error"]
    assert "override" not in rig.kinds()


def test_class_doses_are_those_of_the_photons_whatever_the_sample_was_said_to_be() -> None:
    cell = Sample(name="cell", material="NMC811", dose_limit_Gy=1.0, beam_limit_s=1.0, also=("EC",))
    settings = GuardSettings(samples=(cell,), beam_peak_over_mean=1.5)
    per_fluence = {("NMC811", 20.0): 8e-10, ("EC", 20.0): 2e-10, ("EC", 40.0): 1e-10}
    absorption = Absorption(settings, lambda name, e: per_fluence.get((name, e), 4e-10))
    account = Account()
    account.light(8.0, 8e-10, 20.0)
    account.light(4.0, 4e-10, 40.0)
    account.light(8.0, 8e-10, 0.0)
    account.dose_alone_Gy = 16.0
    found = class_doses_Gy(account, "cell", absorption)
    # Declared energy where none was said, the sample's own material where no fluence was.
    assert found["electrolyte"] == pytest.approx(1.5 * (2.0 + 1.0 + 2.0 + 4.0))
    assert found["active material"] == pytest.approx(1.5 * (8.0 + 4.0 + 8.0 + 16.0))


def test_old_entries_without_energy_are_counted_by_class_too() -> None:
    ledger = Ledger()
    stretch = {
        "lease_id": "a", "sample": "cell", "purpose": "", "dose_Gy": 5.0, "dose_central_Gy": 5.0,
        "open_s": 1.0, "charged_s": 1.0, "dose_per_fluence_Gy_cm2": GY_PER_PHOTON,
    }  # fmt: skip
    ledger.add("exposure", stretch)
    assert ledger.settled("cell").fluence_per_cm2 == {0.0: pytest.approx(5.0 / GY_PER_PHOTON)}


@pytest.mark.parametrize(
    ("of_sample", "sentence"),
    [
        ({"policy": "operando_defualt"}, "did you mean 'operando_default'"),
        ({"policy": "operando_default", "also": ("unobtainium",)}, "unobtainium"),
        ({"policy": "post_mortem", "material": "copper"}, "limits nothing that is in it"),
    ],
)
def test_impossible_policies_are_refused(of_sample: dict[str, Any], sentence: str) -> None:
    cell = {"name": "cell", "material": "NMC811", "dose_limit_Gy": 1.0, "beam_limit_s": 1.0}
    with pytest.raises(ValidationError, match=sentence):
        GuardSettings.model_validate({"samples": [cell | of_sample]})
