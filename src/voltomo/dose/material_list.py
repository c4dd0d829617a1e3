"""The materials that ship: what batteries, their housings and beam paths are made of.

Densities are those of the solid without pores at room temperature; heat capacities and thermal
conductivities are rounded handbook values, conductivities of layered crystals those of a pressed
coating: starting points for a plan.
"""

from __future__ import annotations

from collections.abc import Iterator

from voltomo.dose.materials import Material, MaterialClass, MaterialList, mixture

__all__ = ["shipped"]

_Row = tuple[str, str, float, float, float, tuple[str, ...]]
"""Name, formula, density g/cm3, heat capacity J/(g K), conductivity W/(m K), aliases."""

_COMPOUNDS: dict[MaterialClass, tuple[_Row, ...]] = {
    "active material": (
        ("NMC811", "LiNi0.8Mn0.1Co0.1O2", 4.75, 0.90, 3.0, ("NCM811",)),
        ("NMC622", "LiNi0.6Mn0.2Co0.2O2", 4.75, 0.90, 3.0, ("NCM622",)),
        ("NMC532", "LiNi0.5Mn0.3Co0.2O2", 4.72, 0.90, 3.0, ("NCM523", "NMC523")),
        ("NMC111", "LiNi0.333Mn0.333Co0.333O2", 4.70, 0.90, 3.0, ("NCM111",)),
        ("NCA", "LiNi0.8Co0.15Al0.05O2", 4.75, 0.90, 3.0, ()),
        ("LCO", "LiCoO2", 5.05, 0.73, 4.0, ("lithium cobalt oxide",)),
        ("LFP", "LiFePO4", 3.60, 0.90, 1.5, ("lithium iron phosphate",)),
        ("LMO", "LiMn2O4", 4.28, 0.83, 2.0, ()),
        ("LTO", "Li4Ti5O12", 3.48, 0.80, 1.5, ()),
        ("graphite", "C", 2.26, 0.71, 10.0, ("carbon",)),
        ("silicon", "Si", 2.33, 0.71, 149.0, ("Si",)),
        ("SiO", "SiO", 2.18, 0.75, 1.2, ()),
        ("lithium", "Li", 0.534, 3.58, 85.0, ("Li",)),
        ("sodium", "Na", 0.968, 1.23, 142.0, ("Na",)),
        ("indium", "In", 7.31, 0.233, 82.0, ("In",)),
        ("sulfur", "S", 2.07, 0.71, 0.27, ("S", "sulphur")),
        ("Li2S", "Li2S", 1.66, 1.30, 1.0, ("lithium sulfide",)),
    ),
    "solid electrolyte": (
        ("LLZO", "Li7La3Zr2O12", 5.10, 0.65, 1.5, ()),
        ("LPS", "Li3PS4", 1.87, 0.90, 0.5, ()),
        ("LPSCl", "Li6PS5Cl", 1.86, 0.85, 0.7, ("argyrodite",)),
        ("LGPS", "Li10GeP2S12", 2.04, 0.85, 0.6, ()),
    ),
    "electrolyte": (
        ("EC", "C3H4O3", 1.32, 1.52, 0.20, ("ethylene carbonate",)),
        ("PC", "C4H6O3", 1.20, 1.85, 0.16, ("propylene carbonate",)),
        ("EMC", "C4H8O3", 1.01, 1.90, 0.16, ("ethyl methyl carbonate",)),
        ("DMC", "C3H6O3", 1.07, 1.80, 0.16, ("dimethyl carbonate",)),
        ("DEC", "C5H10O3", 0.975, 1.80, 0.16, ("diethyl carbonate",)),
        ("LiPF6", "LiPF6", 2.84, 1.05, 0.3, ()),
        ("water", "H2O", 1.00, 4.18, 0.60, ("H2O",)),
    ),
    "polymer": (
        ("PVDF", "C2H2F2", 1.78, 1.20, 0.18, ("binder",)),
        ("PTFE", "C2F4", 2.20, 1.00, 0.25, ("Teflon",)),
        ("PE", "C2H4", 0.95, 1.90, 0.40, ("polyethylene",)),
        ("PP", "C3H6", 0.905, 1.90, 0.20, ("polypropylene",)),
        ("PET", "C10H8O4", 1.38, 1.17, 0.20, ("Mylar",)),
        ("PA6", "C6H11NO", 1.14, 1.60, 0.25, ("nylon", "polyamide")),
        ("PEEK", "C19H12O3", 1.30, 1.34, 0.25, ()),
        ("PMMA", "C5H8O2", 1.18, 1.46, 0.19, ("acrylic",)),
        ("polyimide", "C22H10N2O5", 1.42, 1.09, 0.12, ("Kapton",)),
    ),
    "metal": (
        ("aluminium", "Al", 2.70, 0.897, 237.0, ("Al", "aluminum")),
        ("copper", "Cu", 8.96, 0.385, 401.0, ("Cu",)),
        ("nickel", "Ni", 8.91, 0.444, 90.0, ("Ni",)),
        ("titanium", "Ti", 4.51, 0.523, 22.0, ("Ti",)),
        ("iron", "Fe", 7.87, 0.449, 80.0, ("Fe",)),
        ("tungsten", "W", 19.25, 0.132, 173.0, ("W",)),
        ("gold", "Au", 19.30, 0.129, 318.0, ("Au",)),
        ("lead", "Pb", 11.34, 0.129, 35.0, ("Pb",)),
        ("beryllium", "Be", 1.848, 1.82, 200.0, ("Be",)),
    ),
    "other": (
        ("diamond", "C", 3.51, 0.51, 1000.0, ()),
        ("quartz", "SiO2", 2.20, 0.74, 1.4, ("fused silica", "SiO2", "glass")),
        ("alumina", "Al2O3", 3.95, 0.88, 25.0, ("Al2O3",)),
        # gases at 20 degC and 1 atm
        ("helium", "He", 1.663e-4, 5.19, 0.15, ("He",)),
        ("nitrogen", "N2", 1.165e-3, 1.04, 0.026, ("N2",)),
        ("argon", "Ar", 1.661e-3, 0.520, 0.018, ("Ar",)),
    ),
}


def shipped() -> Iterator[tuple[Material, tuple[str, ...]]]:
    """All materials that ship, each with its aliases, in order of kind."""
    known = MaterialList(())
    for material_class, rows in _COMPOUNDS.items():
        for name, formula, density_g_cm3, heat, conductivity, aliases in rows:
            entry = Material.from_formula(
                name, formula, density_g_cm3, heat, conductivity, material_class
            )
            known = known.with_own(entry, aliases)
            yield entry, aliases
    yield from _solutions(known)
    yield from _housings(known)


def _solutions(known: MaterialList) -> Iterator[tuple[Material, tuple[str, ...]]]:
    """1 mol/l LiPF6 (151.9 g) in a litre of solution; solvents by mass."""
    salt = known.find("LiPF6")
    for name, aliases, solvents, density_g_cm3 in (
        ("electrolyte", ("LP57", "EC:EMC"), {"EC": 0.3, "EMC": 0.7}, 1.20),
        ("LP30", ("EC:DMC",), {"EC": 0.5, "DMC": 0.5}, 1.29),
        ("LP40", ("EC:DEC",), {"EC": 0.5, "DEC": 0.5}, 1.26),
    ):
        salt_part = 0.1519 / density_g_cm3
        parts = {known.find(each): share * (1 - salt_part) for each, share in solvents.items()}
        mixed = mixture(name, {**parts, salt: salt_part}, density_g_cm3, "electrolyte")
        yield mixed, aliases


def _housings(known: MaterialList) -> Iterator[tuple[Material, tuple[str, ...]]]:
    # A pouch's foil, smeared out: 25 µm polyamide, 40 µm aluminium, 45 µm polypropylene.
    foils_um = {"PA6": 25.0, "aluminium": 40.0, "PP": 45.0}
    masses = {known.find(n): known.find(n).density_g_cm3 * um for n, um in foils_um.items()}
    yield mixture("laminate", masses, material_class="other"), ("pouch foil",)
    steel = Material(
        "steel",
        "stainless steel 304, mass fractions",
        8.00,
        (("Fe", 0.705), ("Cr", 0.185), ("Ni", 0.090), ("Mn", 0.015), ("Si", 0.005)),
        0.50,
        16.0,
        "metal",
    )
    yield steel, ("stainless steel", "SS304")
    air = Material(
        "air",
        "dry air, mass fractions",
        1.205e-3,
        (("N", 0.7553), ("O", 0.2318), ("Ar", 0.0128), ("C", 0.0001)),
        1.005,
        0.026,
    )
    yield air, ()
