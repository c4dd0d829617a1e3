"""What batteries, their housings and beam paths are made of.

Densities are those of the solid without pores at room temperature and heat capacities are
rounded handbook values: starting points for a plan. Dose in gray does not depend on the density;
attenuation does. A scientist's own material is a `Material.from_formula` or a `mixture`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from voltomo.dose.formula import ATOMIC_WEIGHT_g_mol, mass_fractions

__all__ = [
    "Material",
    "MaterialError",
    "UnknownMaterialError",
    "material",
    "material_names",
    "mixture",
]


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

    Raises
    ------
    MaterialError
        If density, heat capacity or fractions are not positive finite numbers, the fractions do
        not sum to one within 1e-6, or an element has no cross-sections.
    """

    name: str
    formula: str
    density_g_cm3: float
    mass_fractions: tuple[tuple[str, float], ...]
    heat_capacity_J_per_g_K: float | None = None

    def __post_init__(self) -> None:
        _require_positive(self.name, "density in g/cm3", self.density_g_cm3)
        if self.heat_capacity_J_per_g_K is not None:
            _require_positive(self.name, "heat capacity in J/(g K)", self.heat_capacity_J_per_g_K)
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
        return cls(name, formula, density_g_cm3, fractions, heat_capacity_J_per_g_K)


def mixture(
    name: str, parts: Mapping[Material, float], density_g_cm3: float | None = None
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

    Returns
    -------
    Material
        Its heat capacity is the mean by mass, or None if that of one part is not known.

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
    return Material(name, recipe, density_g_cm3, tuple(elements.items()), _mean_heat(parts))


def material(name: str) -> Material:
    """Look up a material by name or usual alias; case, blanks, ``-`` and ``_`` do not matter.

    Raises
    ------
    UnknownMaterialError
        With the closest known names.
    """
    known = _registry()
    found = known.get(_key(name))
    if found is not None:
        return found
    close = difflib.get_close_matches(_key(name), known, n=3, cutoff=0.6)
    names = list(dict.fromkeys(known[key].name for key in close))
    hint = (
        f"did you mean {' or '.join(names)}?" if names else f"known: {', '.join(material_names())}."
    )
    raise UnknownMaterialError(f"There is no material named {name!r}; {hint}")


def material_names() -> tuple[str, ...]:
    """Names of all known materials, aliases left out, in order of kind."""
    return tuple(dict.fromkeys(each.name for each in _registry().values()))


# name, formula, density g/cm3, heat capacity J/(g K), aliases
_COMPOUNDS: tuple[tuple[str, str, float, float, tuple[str, ...]], ...] = (
    # active materials
    ("NMC811", "LiNi0.8Mn0.1Co0.1O2", 4.75, 0.90, ("NCM811",)),
    ("NMC622", "LiNi0.6Mn0.2Co0.2O2", 4.75, 0.90, ("NCM622",)),
    ("NMC532", "LiNi0.5Mn0.3Co0.2O2", 4.72, 0.90, ("NCM523", "NMC523")),
    ("NMC111", "LiNi0.333Mn0.333Co0.333O2", 4.70, 0.90, ("NCM111",)),
    ("NCA", "LiNi0.8Co0.15Al0.05O2", 4.75, 0.90, ()),
    ("LCO", "LiCoO2", 5.05, 0.73, ("lithium cobalt oxide",)),
    ("LFP", "LiFePO4", 3.60, 0.90, ("lithium iron phosphate",)),
    ("LMO", "LiMn2O4", 4.28, 0.83, ()),
    ("LTO", "Li4Ti5O12", 3.48, 0.80, ()),
    ("graphite", "C", 2.26, 0.71, ("carbon",)),
    ("silicon", "Si", 2.33, 0.71, ("Si",)),
    ("SiO", "SiO", 2.18, 0.75, ()),
    ("lithium", "Li", 0.534, 3.58, ("Li",)),
    ("sodium", "Na", 0.968, 1.23, ("Na",)),
    ("indium", "In", 7.31, 0.233, ("In",)),
    ("sulfur", "S", 2.07, 0.71, ("S", "sulphur")),
    ("Li2S", "Li2S", 1.66, 1.30, ("lithium sulfide",)),
    # solid electrolytes
    ("LLZO", "Li7La3Zr2O12", 5.10, 0.65, ()),
    ("LPS", "Li3PS4", 1.87, 0.90, ()),
    ("LPSCl", "Li6PS5Cl", 1.86, 0.85, ("argyrodite",)),
    ("LGPS", "Li10GeP2S12", 2.04, 0.85, ()),
    # liquid electrolytes
    ("EC", "C3H4O3", 1.32, 1.52, ("ethylene carbonate",)),
    ("PC", "C4H6O3", 1.20, 1.85, ("propylene carbonate",)),
    ("EMC", "C4H8O3", 1.01, 1.90, ("ethyl methyl carbonate",)),
    ("DMC", "C3H6O3", 1.07, 1.80, ("dimethyl carbonate",)),
    ("DEC", "C5H10O3", 0.975, 1.80, ("diethyl carbonate",)),
    ("LiPF6", "LiPF6", 2.84, 1.05, ()),
    ("water", "H2O", 1.00, 4.18, ("H2O",)),
    # polymers
    ("PVDF", "C2H2F2", 1.78, 1.20, ("binder",)),
    ("PTFE", "C2F4", 2.20, 1.00, ("Teflon",)),
    ("PE", "C2H4", 0.95, 1.90, ("polyethylene",)),
    ("PP", "C3H6", 0.905, 1.90, ("polypropylene",)),
    ("PET", "C10H8O4", 1.38, 1.17, ("Mylar",)),
    ("PA6", "C6H11NO", 1.14, 1.60, ("nylon", "polyamide")),
    ("PEEK", "C19H12O3", 1.30, 1.34, ()),
    ("PMMA", "C5H8O2", 1.18, 1.46, ("acrylic",)),
    ("polyimide", "C22H10N2O5", 1.42, 1.09, ("Kapton",)),
    # metals, windows, glass
    ("aluminium", "Al", 2.70, 0.897, ("Al", "aluminum")),
    ("copper", "Cu", 8.96, 0.385, ("Cu",)),
    ("nickel", "Ni", 8.91, 0.444, ("Ni",)),
    ("titanium", "Ti", 4.51, 0.523, ("Ti",)),
    ("iron", "Fe", 7.87, 0.449, ("Fe",)),
    ("tungsten", "W", 19.25, 0.132, ("W",)),
    ("gold", "Au", 19.30, 0.129, ("Au",)),
    ("lead", "Pb", 11.34, 0.129, ("Pb",)),
    ("beryllium", "Be", 1.848, 1.82, ("Be",)),
    ("diamond", "C", 3.51, 0.51, ()),
    ("quartz", "SiO2", 2.20, 0.74, ("fused silica", "SiO2")),
    ("alumina", "Al2O3", 3.95, 0.88, ("Al2O3",)),
    # gases at 20 degC and 1 atm
    ("helium", "He", 1.663e-4, 5.19, ("He",)),
    ("nitrogen", "N2", 1.165e-3, 1.04, ("N2",)),
    ("argon", "Ar", 1.661e-3, 0.520, ("Ar",)),
)


@cache
def _registry() -> dict[str, Material]:
    known: dict[str, Material] = {}
    for name, formula, density_g_cm3, heat_J_per_g_K, aliases in _COMPOUNDS:
        entry = Material.from_formula(name, formula, density_g_cm3, heat_J_per_g_K)
        known |= {_key(each): entry for each in (name, *aliases)}
    for entry, aliases in _mixtures(known):
        known |= {_key(each): entry for each in (entry.name, *aliases)}
    return known


def _mixtures(
    known: Mapping[str, Material],
) -> tuple[tuple[Material, tuple[str, ...]], ...]:
    # 1 mol/l LiPF6 (151.9 g) in a litre of solution that weighs 1.20 kg; EC:EMC 3:7 by mass.
    electrolyte = mixture(
        "electrolyte",
        {known["ec"]: 0.262, known["emc"]: 0.611, known["lipf6"]: 0.127},
        density_g_cm3=1.20,
    )
    steel = Material(
        "steel",
        "stainless steel 304, mass fractions",
        8.00,
        (("Fe", 0.705), ("Cr", 0.185), ("Ni", 0.090), ("Mn", 0.015), ("Si", 0.005)),
        0.50,
    )
    air = Material(
        "air",
        "dry air, mass fractions",
        1.205e-3,
        (("N", 0.7553), ("O", 0.2318), ("Ar", 0.0128), ("C", 0.0001)),
        1.005,
    )
    return (
        (electrolyte, ("LP57", "EC:EMC")),
        (steel, ("stainless steel", "SS304")),
        (air, ()),
    )


def _key(name: str) -> str:
    return name.casefold().replace(" ", "").replace("-", "").replace("_", "")


def _mean_heat(parts: Mapping[Material, float]) -> float | None:
    heat_J_per_K = 0.0
    for part, mass_g in parts.items():
        if part.heat_capacity_J_per_g_K is None:
            return None
        heat_J_per_K += mass_g * part.heat_capacity_J_per_g_K
    return heat_J_per_K / sum(parts.values())


def _require_positive(name: str, what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise MaterialError(f"Material {name!r}: {what} must be above 0, got {value!r}.")
