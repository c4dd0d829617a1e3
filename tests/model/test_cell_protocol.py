"""Protocols of a cell: what they refuse, how long they last, the sign of their currents."""

import json

import pytest
from pydantic import ValidationError

from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import (
    CellProtocol,
    ConstantCurrent,
    ConstantVoltage,
    Loop,
    OpenCircuit,
)
from voltomo.model.cell_reading import CellReading
from voltomo.model.protocol_check import ProtocolRefused, demand_possible, problems
from voltomo.model.unicycler import read_unicycler

LIMITS = CellLimits(
    min_voltage_V=2.8,
    max_voltage_V=4.2,
    max_charge_current_A=0.010,
    max_discharge_current_A=0.005,
    max_charge_Ah=0.0075,
)


def a_protocol(*steps) -> CellProtocol:
    return CellProtocol(capacity_Ah=0.005, steps=steps)


CYCLE = (
    OpenCircuit(until_time_s=60),
    ConstantCurrent(rate_C=1, until_voltage_V=4.2),
    ConstantVoltage(voltage_V=4.2, until_rate_C=0.1, until_time_s=1800),
    ConstantCurrent(rate_C=-1, until_voltage_V=3.0),
)


def test_a_rate_counts_by_the_capacity_and_a_positive_current_charges() -> None:
    protocol = a_protocol(*CYCLE)
    assert [protocol.current_A(s) for s in CYCLE if isinstance(s, ConstantCurrent)] == [
        0.005,
        -0.005,
    ]
    assert protocol.until_current_A(CYCLE[2]) == pytest.approx(0.0005)
    assert problems(protocol, LIMITS) == []


def test_it_lasts_at_most_as_long_as_times_and_charge_allow_loops_unrolled() -> None:
    once = a_protocol(*CYCLE)
    assert once.duration_s == pytest.approx(60 + 4320 + 1800 + 4320)
    thrice = a_protocol(*CYCLE, Loop(to=1, cycles=3))
    assert thrice.duration_s == pytest.approx(60 + 3 * (4320 + 1800 + 4320))


def test_its_digest_is_that_of_what_it_says() -> None:
    protocol = a_protocol(*CYCLE)
    again = CellProtocol.model_validate_json(protocol.model_dump_json())
    assert again.digest == protocol.digest
    assert a_protocol(*CYCLE[:3]).digest != protocol.digest


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (ConstantCurrent(rate_C=3, until_time_s=60), ("charging current", "0.015 A")),
        (ConstantCurrent(current_A=-0.006, until_time_s=60), ("discharging", "0.006 A")),
        (ConstantCurrent(rate_C=1, until_voltage_V=4.3), ("end voltage", "4.3 V")),
        (ConstantCurrent(rate_C=1, until_time_s=7200), ("without an end voltage", "0.01 Ah")),
        (ConstantVoltage(voltage_V=4.25, until_time_s=60), ("2.8 to 4.2 V", "4.25 V")),
        (ConstantVoltage(voltage_V=4.0, until_current_A=0.02), ("end current", "0.02 A")),
    ],
)
def test_what_leaves_the_limits_is_refused_by_step_expected_and_seen(step, words) -> None:
    protocol = a_protocol(CYCLE[0], step)
    with pytest.raises(ProtocolRefused, match="step 1: expected") as refused:
        demand_possible(protocol, LIMITS)
    assert all(word in str(refused.value) for word in (*words, "was not loaded"))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ConstantCurrent, {"rate_C": 1}),
        (ConstantCurrent, {"until_time_s": 1}),
        (ConstantCurrent, {"rate_C": 1, "current_A": 1, "until_time_s": 1}),
        (ConstantCurrent, {"rate_C": 0, "until_time_s": 1}),
        (ConstantCurrent, {"rate_C": float("nan"), "until_time_s": 1}),
        (ConstantVoltage, {"voltage_V": 4}),
        (OpenCircuit, {"until_time_s": 0}),
        (Loop, {"to": 0, "cycles": 0}),
    ],
)
def test_a_step_that_cannot_be_meant_is_refused(kind, values) -> None:
    with pytest.raises(ValidationError):
        kind(**values)


def test_loops_go_back_and_do_not_cross() -> None:
    rest = OpenCircuit(until_time_s=1)
    a_protocol(rest, rest, Loop(to=1, cycles=2), Loop(to=0, cycles=2))
    for crossing in ((Loop(to=0, cycles=2),), (rest, rest, Loop(to=0, cycles=2), rest,
                                               Loop(to=1, cycles=2))):  # fmt: skip
        with pytest.raises(ValidationError, match="step"):
            a_protocol(*crossing)


def test_limits_are_tightened_and_a_reading_that_breaks_them_is_named() -> None:
    tight = LIMITS.tightened(LIMITS.model_copy(update={"max_voltage_V": 4.1, "min_voltage_V": 2}))
    assert (tight.min_voltage_V, tight.max_voltage_V) == (2.8, 4.1)
    assert tight.breach(CellReading(0, 4.1, 0.01)) is None
    for reading, word in (
        (CellReading(0, 4.11, 0), "voltage"),
        (CellReading(0, 3, -0.006), "current"),
        (CellReading(0, 3, 0, charge_Ah=-0.008), "net charge"),
        (CellReading(0, 3, 0, temperature_C=61), "temperature"),
        (CellReading(0, float("nan"), 0), "voltage"),
    ):
        assert word in str(tight.breach(reading))


def unicycler(*method, **changes) -> str:
    return json.dumps(
        {
            "unicycler": {"version": "0.4.6"},
            "sample": {"name": "pouch", "capacity_mAh": 5},
            "record": {"time_s": 1},
            "safety": {"max_voltage_V": 4.15, "max_current_mA": 6, "min_current_mA": -4},
            "method": list(method),
            **changes,
        }
    )


def test_a_unicycler_file_is_read_with_its_signs_units_tags_and_safety() -> None:
    text = unicycler(
        {"step": "open_circuit_voltage", "until_time_s": 60},
        {"step": "tag", "tag": "cycling"},
        {"step": "constant_current", "rate_C": "C/2", "until_voltage_V": 4.1},
        {"step": "constant_voltage", "voltage_V": 4.1, "until_rate_C": 0.05},
        {"step": "constant_current", "current_mA": -2.5, "until_voltage_V": 3, "rate_C": None},
        {"step": "loop", "loop_to": "cycling", "cycle_count": 3},
    )
    protocol, limits = read_unicycler(text, LIMITS)
    assert protocol == CellProtocol(
        name="pouch",
        capacity_Ah=0.005,
        steps=(
            OpenCircuit(until_time_s=60),
            ConstantCurrent(rate_C=0.5, until_voltage_V=4.1),
            ConstantVoltage(voltage_V=4.1, until_rate_C=0.05),
            ConstantCurrent(current_A=-0.0025, until_voltage_V=3),
            Loop(to=1, cycles=3),
        ),
    )
    assert limits.max_voltage_V == 4.15
    assert (limits.max_charge_current_A, limits.max_discharge_current_A) == (0.006, 0.004)
    by_number = text.replace('"loop_to": "cycling"', '"loop_to": 3')
    assert read_unicycler(by_number, LIMITS)[0] == protocol


REST = {"step": "open_circuit_voltage", "until_time_s": 60}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1"),
        (unicycler({"step": "impedance_spectroscopy", "amplitude_V": 0.01}), "impedance"),
        (unicycler({"step": "voltage_scan"}), "step 1: expected one of open_circuit_voltage"),
        (unicycler(REST | {"until": 3}), "saw until"),
        (unicycler(REST, {"step": "loop", "loop_to": "a", "cycle_count": 2}), "saw 'a'"),
        (unicycler({"step": "constant_current", "rate_C": "fast"}), "saw 'fast'"),
        (unicycler({"step": "constant_current", "rate_C": 1}), "never end"),
        (unicycler(REST, sample={"name": "x"}), "capacity"),
        (unicycler(REST, safety={"min_voltage_V": 4.3}), "nothing lies"),
    ],
)
def test_what_a_file_says_wrongly_or_cannot_be_done_is_refused_with_its_place(text, words) -> None:
    with pytest.raises(ProtocolRefused, match=r"expected .* saw") as refused:
        read_unicycler(text, LIMITS)
    assert words in str(refused.value)
