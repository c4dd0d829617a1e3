"""Make the table of X-ray cross-sections that the package ships.

Run it by hand when the list of elements or the formula changes::

    python -m venv /tmp/tables && /tmp/tables/bin/pip install numpy xraydb xraylib
    /tmp/tables/bin/python tools/make_cross_sections.py

It needs the dependency group ``tables`` (xraydb, xraylib); the package itself does not.

The mass energy-absorption coefficient is built from its parts, because neither library has one
that can be trusted: xraydb has none, and xraylib's ``CS_Energy`` is too low by up to 56 % for
light elements. For each element and photon energy E::

    mu_en/rho = tau * (1 - F) + sigma_inc * f_C

tau        photo-absorption (Elam), fluorescence fraction F of its energy (Kissel, full cascade)
sigma_inc  incoherent scattering (Elam)
f_C        mean part of the photon's energy that goes to the recoil electron, over the
           Klein-Nishina cross-section times the incoherent scattering function S(x, Z)

``local`` has F = 0: all that is photo-absorbed stays where it was absorbed. Bremsstrahlung of
the electrons is left out (below 0.1 % at these energies).
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import xraydb
import xraylib

# fmt: off
ELEMENTS = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S",
    "Cl", "Ar", "K", "Ca", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "Se",
    "Br", "Y", "Zr", "Nb", "Mo", "Ag", "In", "Sn", "Sb", "I", "La", "Ta", "W", "Pt", "Au", "Pb",
)
# fmt: on
LOWEST_KEV, HIGHEST_KEV, POINTS_PER_DECADE = 1.0, 100.0, 60
# The energy column has four decimals, so an edge is a step one last digit wide: 0.1 eV.
STEP_KEV = 1e-4
SEARCH_KEV = 6e-3
# f1 has a cusp at each edge; these distances from it (relative) keep its interpolation honest.
CUSP = (-0.03, -0.01, -0.003, -0.0006, 0.0006, 0.003, 0.01, 0.03)
# xraylib's edges and xraydb's differ by up to a few eV, and Kissel's curves wiggle for some more.
EDGE_MARGIN = 3e-3
ELECTRON_REST_KEV = 510.998950
KEV_ANGSTROM = 12.398419843320026
DEFAULT_TARGET = Path(__file__).parent.parent / "src" / "voltomo" / "dose" / "cross_sections.csv"

K_LINES = range(-29, 0)
L_LINES = range(-113, -29)
M_LINES = range(-219, -113)


def edges_keV(element: str) -> list[float]:
    """Energy of the last row below each absorption edge inside the table's range, ascending."""
    listed = sorted({edge.energy / 1000 for edge in xraydb.xray_edges(element).values()})
    inside = [e for e in listed if LOWEST_KEV + SEARCH_KEV < e < HIGHEST_KEV - SEARCH_KEV]
    return [step_of_absorption_keV(element, edge) for edge in inside]


def step_of_absorption_keV(element: str, listed_keV: float) -> float:
    """Where the photo-absorption really steps; the list of edges is off by up to some eV."""
    reach = round(SEARCH_KEV / STEP_KEV)
    energies = np.round(listed_keV + STEP_KEV * np.arange(-reach, reach + 1), 4)
    steps = np.diff(np.log(xraydb.mu_elam(element, energies * 1000, kind="photo")))
    return float(energies[np.argmax(steps)])


def energy_grid_keV(element: str) -> np.ndarray:
    """Log-spaced energies, with both sides of every edge and its neighbourhood."""
    decades = np.log10(HIGHEST_KEV / LOWEST_KEV)
    grid = set(np.geomspace(LOWEST_KEV, HIGHEST_KEV, round(decades * POINTS_PER_DECADE) + 1))
    for edge in edges_keV(element):
        grid |= {edge, edge + STEP_KEV} | {edge * (1 + near) for near in CUSP}
    energies = np.unique(np.round(sorted(grid), 4))
    return energies[(energies >= LOWEST_KEV) & (energies <= HIGHEST_KEV)]


def away_from_edges_keV(edges: list[float], energy_keV: float) -> float:
    """The nearest energy on the same side of every edge at which Kissel's data are smooth."""
    moved = energy_keV
    for edge in edges:
        if edge < energy_keV < edge * (1 + EDGE_MARGIN):
            moved = edge * (1 + EDGE_MARGIN)
        elif edge * (1 - EDGE_MARGIN) < energy_keV <= edge:
            moved = edge * (1 - EDGE_MARGIN)
    return moved


def line_energy_per_photon(number: int, line: int, energy_keV: float) -> float:
    """Cross-section (cm2/g) of one line with the full cascade, times the line's energy (keV).

    xraylib refuses lines that do not exist and the softest ones that it has no energy for; both
    carry nothing that matters here.
    """
    try:
        production = xraylib.CS_FluorLine_Kissel_Cascade(number, line, energy_keV)
        return production * xraylib.LineEnergy(number, line)
    except ValueError:
        return 0.0


def fluorescence_fraction(number: int, edges: list[float], energy_keV: float) -> float:
    """Part of the photo-absorbed energy that leaves as fluorescence of the K, L and M shells."""
    energy = away_from_edges_keV(edges, energy_keV)
    lines = (*K_LINES, *L_LINES, *M_LINES)
    escaped = sum(line_energy_per_photon(number, line, energy) for line in lines)
    if escaped == 0.0:  # the lightest have no lines, and Kissel's data for them end below 100 keV
        return 0.0
    return escaped / (xraylib.CS_Photo_Total(number, energy) * energy)


def scattering_function(number: int, x_per_angstrom: float) -> float:
    """Incoherent scattering function S(x, Z); 0 below the first tabulated x."""
    try:
        return xraylib.SF_Compt(number, x_per_angstrom)
    except ValueError:
        return 0.0


def compton_fraction(number: int, energy_keV: float) -> float:
    """Mean part of the photon's energy that an incoherent scattering hands to the electron."""
    angle_rad, weight = np.polynomial.legendre.leggauss(160)
    angle_rad = (angle_rad + 1) * np.pi / 2
    ratio = 1 / (1 + energy_keV / ELECTRON_REST_KEV * (1 - np.cos(angle_rad)))
    klein_nishina = ratio**2 * (ratio + 1 / ratio - np.sin(angle_rad) ** 2)
    x = np.sin(angle_rad / 2) * energy_keV / KEV_ANGSTROM
    bound = np.array([scattering_function(number, float(value)) for value in x])
    density = weight * klein_nishina * bound * np.sin(angle_rad)
    return float(np.sum(density * (1 - ratio)) / np.sum(density))


def rows_of(element: str) -> list[str]:
    """All lines of the table for one element."""
    number = xraydb.atomic_number(element)
    edges = edges_keV(element)
    energies = energy_grid_keV(element)
    photo = xraydb.mu_elam(element, energies * 1000, kind="photo")
    total = xraydb.mu_elam(element, energies * 1000, kind="total")
    incoherent = xraydb.incoherent_cross_section_elam(element, energies * 1000)
    f1 = number + xraydb.f1_chantler(element, energies * 1000)
    rows: list[str] = []
    for i, energy in enumerate(energies):
        recoil = incoherent[i] * compton_fraction(number, float(energy))
        escape = photo[i] * (1 - fluorescence_fraction(number, edges, float(energy))) + recoil
        numbers = (total[i], escape, photo[i] + recoil, f1[i])
        rows.append(f"{element},{energy:.4f}," + ",".join(f"{value:.5g}" for value in numbers))
    return rows


def header() -> list[str]:
    """Say where the numbers come from, and under which licences."""
    text = f"""\
# X-ray cross-sections of the elements, 1-100 keV, made by tools/make_cross_sections.py; not to be
# edited by hand. Sources:
#   xraydb {version("xraydb")} (code MIT, data public domain): absorption and scattering after Elam,
#   f1 after Chantler;
#   xraylib {version("xraylib")} (BSD): fluorescence with its full cascade after Kissel, incoherent
#   scattering functions.
# Distributed under the licence of the package.
# mu_en = tau*(1 - fluorescence) + sigma_inc*f_C; 'local' keeps the fluorescence.
# f1 in electrons (Z + f'): real part of the forward scattering factor.
# At an absorption edge two rows lie 0.1 eV apart, below and above the step.
element,energy_keV,mu_total_cm2_per_g,mu_en_escape_cm2_per_g,mu_en_local_cm2_per_g,f1"""
    return text.splitlines()


def main() -> None:
    """Write the table to the package, or to the path given."""
    parser = argparse.ArgumentParser(description="Make the shipped table of cross-sections.")
    parser.add_argument("target", nargs="?", type=Path, default=DEFAULT_TARGET)
    target: Path = parser.parse_args().target
    lines = header()
    for element in ELEMENTS:
        lines += rows_of(element)
    target.write_text("\n".join(lines) + "\n", encoding="ascii")
    sys.stdout.write(f"{target}: {len(lines)} lines, {target.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
