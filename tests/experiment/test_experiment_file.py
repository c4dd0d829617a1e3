"""Mistakes in an experiment file: all at once, each with line, caret and a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiment.experiments import SHIPPED, write
from voltomo.experiment.experiment_file import load_experiment
from voltomo.experiment.protocol import executed
from voltomo.runtime.yaml_file import FileRefused

CHARGE = "{step: constant_current, rate_C: 0.1, until_voltage_V: 4.15}"
BAD = [
    ((CHARGE, CHARGE.replace("rate_C", "rate")), "did you mean 'rate_C'?"),
    ((CHARGE, CHARGE.replace("0.1", "0.1C")), "must be a number, in C-rates"),
    ((CHARGE, CHARGE.replace("4.15", "4.15 V")), "must be a number, in V and without a unit"),
    ((CHARGE, CHARGE.replace("4.15", "4.3")), "4.3 V lies above the cell's limits, 2.8 to 4.2 V"),
    (("until_voltage_V: 3.0", "until_voltage_V: 2.5"), "2.5 V lies below the cell's limits"),
    (("voltage_V: 4.15,", "voltage_V: 4.25,"), "4.25 V lies above the cell's limits"),
    ((CHARGE, CHARGE.replace("0.1", "3")), "15 mA lies above the cell's limit of 10 mA"),
    ((CHARGE, "{step: constant_current, rate_C: 0.1}"), "until_time_s or until_voltage_V"),
    ((CHARGE, CHARGE.replace("0.1", "0.0")), "write open_circuit_voltage for a rest"),
    ((CHARGE, CHARGE.replace("{", "{voltage_V: 4, ")), "does not belong to constant_current"),
    ((CHARGE, CHARGE.replace("{", "{current_mA: 4, ")), "rate_C gives the current already"),
    ((CHARGE, CHARGE.replace("constant_current", "constant_curent")), "'constant_current'"),
    (("loop_to: again", "loop_to: agin"), "there is no tag 'agin'"),
    (("cycle_count: 2", "cycle_count: 9999"), "has more than 10000 steps"),
    (("tag: formation", "tag: again"), "'again' is set twice"),
    (("temperature_C: 40", "temperature_C: 80"), "80 °C lies outside the cell's limits, 0 to 60"),
    (("tag: end, temp", "tag: ent, temp"), "the protocol has no tag 'ent'; did you mean 'end'?"),
    (("marks: [tab]", "marks: [tap]"), "there is no mark 'tap'; did you mean 'tab'?"),
    (("name: cool", "name: laminography"), "'laminography' is given twice"),
    (("cause: gas_seen", "cause: beam_lost"), "'beam_lost' is given twice"),
    (("cause: gas_seen", "cause: gas_sen"), "'gas_seen'"),
    (("flow: {most_delta_soc: 0.005}", ""), "needs 'freeze' (the cell is held) or 'flow'"),
    (("flow: {", "freeze: {longest_s: 9}\n    flow: {"), "which one holds?"),
    (("hold: ocv", "hold: open"), "'ocv', 'cv' or 'zero'"),
    (("at: 0.1}", "at: 10}"), "write 0.5 for 50 %"),
    (("quantity: soc", "quantity: charge"), "'charge_Ah'"),
    (("ocv_V: [2.80, 3.10", "ocv_V: [3.10, 2.80"), "must rise from each value to the next"),
    (("ocv_V: [2.80, ", "ocv_V: ["), "13 voltages and 14 states"),
    (("max_V: 4.2", "max_V: 2.2"), "must lie above min_V (2.8 V)"),
    (("plan_file: experiment-plan.yml", ""), "plan_file: is missing"),
]


def refused(path: Path) -> str:
    with pytest.raises(FileRefused) as caught:
        load_experiment(path)
    return str(caught.value)


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said for _, said in BAD])
def test_a_mistake_is_named_with_its_line(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    text = refused(write(tmp_path, change))
    assert said in text
    assert "^" in text
    assert text.endswith("1 mistake(s); nothing was started")


def test_the_caret_stands_below_the_value(tmp_path: Path) -> None:
    path = write(tmp_path, (CHARGE, CHARGE.replace("4.15", "4.3")))
    first, line, caret, _ = refused(path).splitlines()
    number, column = map(int, first.removeprefix(f"{path}:").split(":")[:2])
    assert path.read_text().splitlines()[number - 1] == line.removeprefix("    ")
    assert line[4 + column - 1 :].startswith("4.3")
    assert caret.index("^") == 4 + column - 1


def test_mistakes_of_several_sections_are_said_at_once(tmp_path: Path) -> None:
    text = refused(
        write(
            tmp_path,
            (CHARGE, CHARGE.replace("4.15", "4.3")),
            ("marks: [tab]", "marks: [tap]"),
            ("time_h:", "time_hours:"),
        )
    )
    assert "4.3 V lies above" in text
    assert "no mark 'tap'" in text
    assert "did you mean 'time_h'?" in text
    assert text.endswith("3 mistake(s); nothing was started")


def test_loops_are_run_through() -> None:
    steps = load_experiment(SHIPPED / "experiment.yml").protocol
    order = [each.number for each in executed(steps)]
    assert order == [0, 2, 3, 6, 7, 8, 9, 6, 7, 8, 9, 12]
    assert list(executed(steps))[2].tags == {"formation"}
