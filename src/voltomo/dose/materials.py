"""What batteries, their housings and beam paths are made of.

Dose in gray does not depend on the density; attenuation does. What ships is in
`voltomo.dose.material_list`; a scientist's own materials come from a file
(`voltomo.dose.material_file`), or are a `Material.from_formula` or a `mixture`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from voltomo.dose.formula import ATOMIC_WEIGHT_g_mol, mass_fractions

__all__ = [
    "Material",
    "MaterialClass",
    "MaterialError",
    "MaterialList",
    "UnknownMaterialError",
    "material",
    "material_names",
    "mixture",
    "shipped_materials",
]


MaterialClass = Literal[
    "active material", "electrolyte", "solid electrolyte", "polymer", "metal", "other"
]
"""What limits of dose are given for: materials that the beam harms in the same way."""


class MaterialError(ValueError):
    """A material was described by impossible numbers."""


class UnknownMaterialError(LookupError):
    """No material of this name is known."""


@dataclass(frozen=True)
class Material:
    """A homogeneous material as X-rays and heat see it.

    Attributes
    ----------
    name : str
        What the person on shift calls it.
    formula : str
        Chemical formula, or the recipe of a mixture in words.
    density_g_cm3 : float
        Mass density.
    mass_fractions : tuple of (str, float)
        Element symbol and mass fraction; the fractions sum to one.
    heat_capacity_J_per_g_K : float or None
        Specific heat capacity; None if not known.
    conductivity_W_per_m_K : float or None
        Thermal conductivity; None if not known.
    material_class : str
        Which limits hold for it.

    Raises
    ------
    MaterialError
        If density, heat capacity, conductivity or fractions are not positive finite numbers, the
        fractions do not sum to one within 1e-6, or an element has no cross-sections.
    """

    name: str
    formula: str
    density_g_cm3: float
    mass_fractions: tuple[tuple[str, float], ...]
    heat_capacity_J_per_g_K: float | None = None
    conductivity_W_per_m_K: float | None = None
    material_class: MaterialClass = "other"

    def __post_init__(self) -> None:
        _require_positive(self.name, "density in g/cm3", self.density_g_cm3)
        if self.heat_capacity_J_per_g_K is not None:
            _require_positive(self.name, "heat capacity in J/(g K)", self.heat_capacity_J_per_g_K)
        if self.conductivity_W_per_m_K is not None:
            _require_positive(self.name, "conductivity in W/(m K)", self.conductivity_W_per_m_K)
        for element, fraction in self.mass_fractions:
            if element not in ATOMIC_WEIGHT_g_mol:
                raise MaterialError(f"Material {self.name!r}: no cross-sections for {element!r}.")
            _require_positive(self.name, f"mass fraction of {element}", fraction)
        total = sum(fraction for _, fraction in self.mass_fractions)
        if abs(total - 1.0) > 1e-6:
            raise MaterialError(
                f"Material {self.name!r}: the mass fractions sum to {total:.6g}, expected 1."
            )

    @classmethod
    def from_formula(
        cls,
        name: str,
        formula: str,
        density_g_cm3: float,
        heat_capacity_J_per_g_K: float | None = None,
        conductivity_W_per_m_K: float | None = None,
        material_class: MaterialClass = "other",
    ) -> Material:
        """Describe a compound by its chemical formula.

        Raises
        ------
        FormulaError
            If the formula cannot be read.
        MaterialError
            If a number is not positive.
        """
        fractions = tuple(mass_fractions(formula).items())
        return cls(
            name,
            formula,
            density_g_cm3,
            fractions,
            heat_capacity_J_per_g_K,
            conductivity_W_per_m_K,
            material_class,
        )


def mixture(
    name: str,
    parts: Mapping[Material, float],
    density_g_cm3: float | None = None,
    material_class: MaterialClass = "other",
) -> Material:
    """Mix materials by mass.

    Parameters
    ----------
    name : str
        Name of the mixture.
    parts : mapping of Material to float
        Mass of each part, in any unit; only the ratios count.
    density_g_cm3 : float or None
        Measured density. Without it volumes are taken to add up, with neither pores nor shrinkage.
    material_class : str
        Which limits hold for the mixture.

    Returns
    -------
    Material
        Its heat capacity is the mean by mass, its conductivity that of parts one behind the other
        (the lowest that a mixture can have, so that a temperature comes out no lower than it is);
        None if that of one part is not known.

    Raises
    ------
    MaterialError
        If there are no parts or a mass is not positive.
    """
    if not parts:
        raise MaterialError(f"Mixture {name!r} has no parts; expected at least one material.")
    for part, mass in parts.items():
        _require_positive(name, f"mass of {part.name}", mass)
    total = sum(parts.values())
    elements: dict[str, float] = {}
    for part, mass in parts.items():
        for element, fraction in part.mass_fractions:
            elements[element] = elements.get(element, 0.0) + fraction * mass / total
    if density_g_cm3 is None:
        density_g_cm3 = total / sum(mass / part.density_g_cm3 for part, mass in parts.items())
    recipe = " + ".join(f"{100 * mass / total:.4g} % {part.name}" for part, mass in parts.items())
    return Material(
        name,
        recipe,
        density_g_cm3,
        tuple(elements.items()),
        _mean_heat(parts),
        _series_conductivity(parts),
        material_class,
    )


class MaterialList:
    """Materials by name; case, blanks, ``-`` and ``_`` do not matter.

    Parameters
    ----------
    shipped : iterable of (Material, names)
        Each with its further names.
    """

    def __init__(self, shipped: Iterable[tuple[Material, tuple[str, ...]]]) -> None:
        self._known: dict[str, Material] = {}
        for entry, aliases in shipped:
            self._known |= {_key(each): entry for each in (entry.name, *aliases)}

    def with_own(self, own: Material, aliases: tuple[str, ...] = ()) -> MaterialList:
        """The list with one more material.

        Raises
        ------
        MaterialError
            A material of this name is known already; what it means must not change unseen.
        """
        for name in (own.name, *aliases):
            taken = self._known.get(_key(name))
            if taken is not None:
                raise MaterialError(
                    f"{name!r} is known already ({taken.name}: {taken.formula}, "
                    f"{taken.density_g_cm3:g} g/cm3); give yours a name of its own"
                )
        longer = MaterialList(())
        longer._known = self._known | {_key(each): own for each in (own.name, *aliases)}
        return longer

    def find(self, name: str) -> Material:
        """The material of this name or usual alias.

        Raises
        ------
        UnknownMaterialError
            With the closest known names.
        """
        found = self._known.get(_key(name))
        if found is not None:
            return found
        close = difflib.get_close_matches(_key(name), self._known, n=3, cutoff=0.6)
        names = list(dict.fromkeys(self._known[key].name for key in close))
        hint = (
            f"did you mean {' or '.join(names)}?" if names else f"known: {', '.join(self.names)}."
        )
        raise UnknownMaterialError(f"There is no material named {name!r}; {hint}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all, aliases left out, in order of kind."""
        return tuple(dict.fromkeys(each.name for each in self._known.values()))


@cache
def shipped_materials() -> MaterialList:
    """What voltomo knows by itself."""
    from voltomo.dose.material_list import shipped

    return MaterialList(shipped())


def material(name: str) -> Material:
    """A shipped material; see `MaterialList.find`.

    Raises
    ------
    UnknownMaterialError
        With the closest known names.
    """
    return shipped_materials().find(name)


def material_names() -> tuple[str, ...]:
    """Names of all shipped materials, aliases left out, in order of kind."""
    return shipped_materials().names


def _key(name: str) -> str:
    return name.casefold().replace(" ", "").replace("-", "").replace("_", "")


def _mean_heat(parts: Mapping[Material, float]) -> float | None:
    heat_J_per_K = 0.0
    for part, mass_g in parts.items():
        if part.heat_capacity_J_per_g_K is None:
            return None
        heat_J_per_K += mass_g * part.heat_capacity_J_per_g_K
    return heat_J_per_K / sum(parts.values())


def _series_conductivity(parts: Mapping[Material, float]) -> float | None:
    volume_cm3 = resistance = 0.0
    for part, mass_g in parts.items():
        if part.conductivity_W_per_m_K is None:
            return None
        volume_cm3 += mass_g / part.density_g_cm3
        resistance += mass_g / part.density_g_cm3 / part.conductivity_W_per_m_K
    return volume_cm3 / resistance


def _require_positive(name: str, what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise MaterialError(f"Material {name!r}: {what} must be above 0, got {value!r}.")
