"""Layers of a cell: of one material, or porous coatings of several with electrolyte in between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from voltomo.dose.materials import Material, MaterialError, mixture

__all__ = ["StackLayer", "plain", "porous"]

_NO_PORES = 1e-9


@dataclass(frozen=True)
class StackLayer:
    """One layer of a cell.

    Attributes
    ----------
    name : str
        What the person on shift calls it.
    thickness_um : float
        Across the layer, above 0.
    parts : tuple of (Material, float)
        What it is made of, with mass fractions that sum to one.
    material : Material
        All of it smeared out, pores included; what the beam sees.

    Raises
    ------
    MaterialError
        If the thickness is not a positive finite number.
    """

    name: str
    thickness_um: float
    parts: tuple[tuple[Material, float], ...]
    material: Material

    def __post_init__(self) -> None:
        if not (math.isfinite(self.thickness_um) and self.thickness_um > 0):
            raise MaterialError(
                f"layer '{self.name}': the thickness must be a number above 0 µm; got "
                f"{self.thickness_um!r}"
            )

    @property
    def thickness_cm(self) -> float:
        """The thickness as formulas of dose want it."""
        return self.thickness_um * 1e-4


def plain(material: Material, thickness_um: float, name: str = "") -> StackLayer:
    """A layer of one material.

    Raises
    ------
    MaterialError
        If the thickness is not a positive finite number.
    """
    return StackLayer(name or material.name, thickness_um, ((material, 1.0),), material)


def porous(
    name: str,
    thickness_um: float,
    solids: Mapping[Material, float],
    porosity: float,
    filling: Material | None = None,
) -> StackLayer:
    """A coating or a separator: solids by mass, and pores.

    Parameters
    ----------
    name : str
        What the person on shift calls it.
    thickness_um : float
        Across the layer, above 0.
    solids : mapping of Material to float
        Mass of each solid, in any unit.
    porosity : float
        Part of the volume that is pores, 0 to below 1.
    filling : Material or None
        What fills the pores; None leaves them empty.

    Raises
    ------
    MaterialError
        If a number is impossible.
    """
    if not (0 <= porosity < 1):
        raise MaterialError(
            f"layer '{name}': the porosity is a part of the volume, from 0 to below 1; got "
            f"{porosity!r}" + (" (per cent?)" if 1 <= porosity <= 100 else "")
        )
    solid = mixture(f"solids of {name}", solids)
    total = sum(solids.values())
    filled_g_cm3 = 0.0
    if filling is not None and porosity > _NO_PORES:
        filled_g_cm3 = porosity * filling.density_g_cm3
    density_g_cm3 = (1 - porosity) * solid.density_g_cm3 + filled_g_cm3
    solid_part = 1 - filled_g_cm3 / density_g_cm3
    parts = {each: mass / total * solid_part for each, mass in solids.items()}
    if filling is not None and filled_g_cm3 > 0:
        parts[filling] = parts.get(filling, 0.0) + filled_g_cm3 / density_g_cm3
    whole = mixture(name, parts, density_g_cm3)
    return StackLayer(name, thickness_um, tuple(parts.items()), whole)
