"""Chemical formulas: from ``Li(Ni0.8Mn0.1Co0.1)O2`` to mass fractions of the elements."""

from __future__ import annotations

import re

__all__ = ["ATOMIC_WEIGHT_g_mol", "FormulaError", "mass_fractions", "parse_formula"]

# Standard atomic weights (IUPAC, abridged) of the elements in the table of cross-sections.
ATOMIC_WEIGHT_g_mol: dict[str, float] = {
    "H": 1.008, "He": 4.0026, "Li": 6.94, "Be": 9.0122, "B": 10.81, "C": 12.011,
    "N": 14.007, "O": 15.999, "F": 18.998, "Ne": 20.180, "Na": 22.990, "Mg": 24.305,
    "Al": 26.982, "Si": 28.085, "P": 30.974, "S": 32.06, "Cl": 35.45, "Ar": 39.95,
    "K": 39.098, "Ca": 40.078, "Ti": 47.867, "V": 50.942, "Cr": 51.996, "Mn": 54.938,
    "Fe": 55.845, "Co": 58.933, "Ni": 58.693, "Cu": 63.546, "Zn": 65.38, "Ga": 69.723,
    "Ge": 72.630, "Se": 78.971, "Br": 79.904, "Y": 88.906, "Zr": 91.224, "Nb": 92.906,
    "Mo": 95.95, "Ag": 107.87, "In": 114.82, "Sn": 118.71, "Sb": 121.76, "I": 126.90,
    "La": 138.91, "Ta": 180.95, "W": 183.84, "Pt": 195.08, "Au": 196.97, "Pb": 207.2,
}  # fmt: skip

_TOKEN = re.compile(r"(?P<element>[A-Z][a-z]?)|(?P<open>[(\[{])|(?P<close>[)\]}])")
_COUNT = re.compile(r"\d+(?:\.\d*)?|\.\d+")
_CLOSES = {"(": ")", "[": "]", "{": "}"}


class FormulaError(ValueError):
    """A chemical formula cannot be read, or holds an element without cross-sections."""


def parse_formula(formula: str) -> dict[str, float]:
    """Count the atoms of each element in a formula.

    Parameters
    ----------
    formula : str
        Element symbols with optional counts, fractions allowed; round, square and curly brackets
        may be nested: ``"LiNi0.8Mn0.1Co0.1O2"``, ``"Al2(SO4)3"``.

    Returns
    -------
    dict of str to float
        Atoms per formula unit, in order of first appearance.

    Raises
    ------
    FormulaError
        If the formula is empty, malformed, counts zero atoms, or names an unknown element.
    """
    text = "".join(formula.split())
    if not text:
        raise FormulaError("An empty chemical formula was given; expected one such as 'LiCoO2'.")
    groups: list[dict[str, float]] = [{}]
    brackets: list[str] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise _error(formula, position, text, "expected an element symbol or a bracket")
        symbol = token.group()
        position = token.end()
        if token["open"]:
            brackets.append(symbol)
            groups.append({})
            continue
        if token["close"]:
            if not brackets or _CLOSES[brackets.pop()] != symbol:
                raise _error(
                    formula,
                    token.start(),
                    text,
                    "this bracket closes none that is open",
                )
            group = groups.pop()
        else:
            if symbol not in ATOMIC_WEIGHT_g_mol:
                raise _error(formula, token.start(), text, f"no cross-sections for {symbol!r}")
            group = {symbol: 1.0}
        number = _COUNT.match(text, position)
        count = float(number.group()) if number else 1.0
        if count == 0.0:
            raise _error(formula, position, text, "a count of zero atoms")
        position = number.end() if number else position
        for element, atoms in group.items():
            groups[-1][element] = groups[-1].get(element, 0.0) + atoms * count
    if brackets:
        raise _error(formula, len(text), text, f"the bracket {brackets[-1]!r} is never closed")
    if not groups[0]:
        raise FormulaError(f"The chemical formula {formula!r} holds no element.")
    return groups[0]


def mass_fractions(formula: str) -> dict[str, float]:
    """Mass fraction of each element of a formula; they sum to one.

    Raises
    ------
    FormulaError
        As `parse_formula`.
    """
    masses = {
        element: atoms * ATOMIC_WEIGHT_g_mol[element]
        for element, atoms in parse_formula(formula).items()
    }
    total = sum(masses.values())
    return {element: mass / total for element, mass in masses.items()}


def _error(formula: str, position: int, text: str, why: str) -> FormulaError:
    rest = text[position:]
    where = f"at {rest!r}" if rest else "at its end"
    return FormulaError(f"The chemical formula {formula!r} cannot be read {where}: {why}.")
