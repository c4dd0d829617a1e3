"""Formulas that battery people write, and those that cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.dose.formula import ATOMIC_WEIGHT_g_mol, FormulaError, mass_fractions, parse_formula


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [
        ("H2O", {"H": 2, "O": 1}),
        ("Co", {"Co": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("LiNi0.8Mn0.1Co0.1O2", {"Li": 1, "Ni": 0.8, "Mn": 0.1, "Co": 0.1, "O": 2}),
        ("Li(Ni.8Mn.1Co.1)O2", {"Li": 1, "Ni": 0.8, "Mn": 0.1, "Co": 0.1, "O": 2}),
        ("Al2(SO4)3", {"Al": 2, "S": 3, "O": 12}),
        ("Li6.4[Al0.2{La(ZrO2)2}3]", {"Li": 6.4, "Al": 0.2, "La": 3, "Zr": 6, "O": 12}),
        ("CH3 CH2 OH", {"C": 2, "H": 6, "O": 1}),
    ],
)
def test_atoms_are_counted(formula: str, atoms: dict[str, float]) -> None:
    assert parse_formula(formula) == pytest.approx(atoms)


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("()", "no element"),
        ("licoo2", "expected an element"),
        ("LiXx2", "no cross-sections for 'Xx'"),
        ("Li(CoO2", "never closed"),
        ("LiCoO2)", "closes none"),
        ("Li(CoO2]", "closes none"),
        ("Li-6", "at '-6'"),
        ("2LiCoO2", "at '2LiCoO2'"),
        ("LiCo0O2", "zero atoms"),
    ],
)
def test_unreadable_formulas_say_why(formula: str, why: str) -> None:
    with pytest.raises(FormulaError, match=why.replace("(", r"\(")):
        parse_formula(formula)


def test_water_is_one_ninth_hydrogen() -> None:
    assert mass_fractions("H2O") == pytest.approx({"H": 0.1119, "O": 0.8881}, abs=1e-4)


@given(
    st.dictionaries(
        st.sampled_from(sorted(ATOMIC_WEIGHT_g_mol)), st.integers(1, 99), min_size=1, max_size=6
    )
)
def test_written_formulas_read_back_and_fractions_sum_to_one(atoms: dict[str, int]) -> None:
    formula = "".join(f"{element}{count}" for element, count in atoms.items())
    assert parse_formula(formula) == pytest.approx(atoms)
    assert sum(mass_fractions(f"({formula})2").values()) == pytest.approx(1.0)
