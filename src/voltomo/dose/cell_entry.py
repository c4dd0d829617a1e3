"""The cell as a person writes it down: shape, layers, pores, how it is held."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from voltomo.dose.layers import StackLayer, plain, porous
from voltomo.dose.materials import Material, MaterialList, UnknownMaterialError
from voltomo.dose.shapes import Mounting, Shape, Sheets, Shells
from voltomo.runtime.yaml_file import mistake_at

__all__ = ["CellEntry", "LayerEntry", "RepeatEntry", "found"]

Round = ("cylinder", "capillary")


def found(known: MaterialList, name: str, *place: str | int) -> Material:
    """A material by its name.

    Raises
    ------
    pydantic.ValidationError
        It is not known; the mistake stands at the place.
    """
    try:
        return known.find(name)
    except UnknownMaterialError as error:
        raise mistake_at(place, str(error.args[0])) from error


class LayerEntry(BaseModel):
    """One layer: of one material, or of solids with pores.

    Parameters
    ----------
    name : str
        What it is called; the material's name if not given.
    thickness_um : float or None
        Across the layer. The last layer of a cylinder or capillary fills what is left without it.
    material : str or None
        The one material; with ``porosity``, of its solid.
    solids : dict or None
        Names of several solids, each with its mass in any unit; instead of ``material``.
    porosity : float
        Part of the volume that is pores.
    filled_with : str or None
        Material in the pores; empty if not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = ""
    thickness_um: float | None = None
    material: str | None = None
    solids: dict[str, float] | None = Field(default=None, min_length=1)
    porosity: float = 0.0
    filled_with: str | None = None

    @field_validator("thickness_um")
    @classmethod
    def _is_thick(cls, thickness_um: float | None) -> float | None:
        if thickness_um is not None and thickness_um <= 0:
            raise ValueError(f"a layer must be thicker than 0 µm; it says {thickness_um:g}")
        if thickness_um is not None and thickness_um > 1e5:
            raise ValueError(
                f"a layer of {thickness_um:g} µm is thicker than 10 cm; the unit is micrometres"
            )
        return thickness_um

    @field_validator("porosity")
    @classmethod
    def _is_a_part(cls, porosity: float) -> float:
        if not 0 <= porosity < 1:
            per_cent = f"; {porosity:g} % are {porosity / 100:g}" if 1 < porosity < 100 else ""
            raise ValueError(
                f"the porosity is a part of the volume, from 0 to below 1; it says {porosity:g}"
                f"{per_cent}"
            )
        return porosity

    @field_validator("solids")
    @classmethod
    def _masses(cls, solids: dict[str, float] | None) -> dict[str, float] | None:
        for name, mass in (solids or {}).items():
            if mass <= 0:
                raise mistake_at([name], f"the mass of a solid must be above 0; it says {mass:g}")
        return solids

    @model_validator(mode="after")
    def _is_made_of_something(self) -> Self:
        if (self.material is None) == (self.solids is None):
            raise ValueError("a layer needs either 'material' or 'solids' (by mass)")
        if self.filled_with is not None and self.porosity == 0:
            raise ValueError("'filled_with' needs 'porosity': how much of the layer is pores")
        return self

    def layer(self, known: MaterialList, thickness_um: float, *place: str | int) -> StackLayer:
        """The layer; mistakes stand below the place.

        Raises
        ------
        pydantic.ValidationError
            A material is not known.
        """
        filling = None
        if self.filled_with is not None:
            filling = found(known, self.filled_with, *place, "filled_with")
        if self.material is not None:
            only = found(known, self.material, *place, "material")
            if self.porosity == 0:
                return plain(only, thickness_um, self.name)
            return porous(self.name or only.name, thickness_um, {only: 1.0}, self.porosity, filling)
        solids = {
            found(known, name, *place, "solids", name): mass
            for name, mass in (self.solids or {}).items()
        }
        name = self.name or " + ".join(solid.name for solid in solids)
        return porous(name, thickness_um, solids, self.porosity, filling)


class RepeatEntry(BaseModel):
    """Layers that come several times: those of a unit cell.

    Parameters
    ----------
    first, last : int
        Of the layers that are repeated, counted from 1.
    times : int
        How often they come in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=1)
    last: int = Field(ge=1)
    times: int = Field(ge=1, le=500)


class CellEntry(BaseModel):
    """A cell: its shape, its layers, how heat leaves it.

    Parameters
    ----------
    shape : {"pouch", "coin", "cylinder", "capillary"}
        Flat layers, or round ones about the rotation axis.
    width_mm : float or None
        Of a pouch, across the rotation axis.
    diameter_mm : float or None
        Of all others.
    mounting : {"upright", "flat"}
        How the rotation axis lies to flat layers: in their plane (tomography), or normal to it
        (laminography).
    layers : list of LayerEntry
        As the beam meets them at an angle of 0; of round cells from outside inwards.
    repeat : RepeatEntry or None
        Which of them come several times.
    rim_mm : float or None
        Distance from the beam at which the cell's temperature is held: half the width if not
        given, and 20 mm along round cells.
    cooling_W_per_m2_K : float
        Heat that the surface of a round cell loses to the air; that of flat ones is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shape: Literal["pouch", "coin", "cylinder", "capillary"]
    width_mm: float | None = Field(default=None, gt=0)
    diameter_mm: float | None = Field(default=None, gt=0)
    mounting: Mounting = "upright"
    layers: tuple[LayerEntry, ...] = Field(min_length=1)
    repeat: RepeatEntry | None = None
    rim_mm: float | None = Field(default=None, gt=0)
    cooling_W_per_m2_K: float = Field(default=10.0, ge=0)

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        key, other = ("width_mm", "diameter_mm")
        if self.shape != "pouch":
            key, other = other, key
        if getattr(self, key) is None or getattr(self, other) is not None:
            raise ValueError(f"a {self.shape} needs '{key}', and no '{other}'")
        if self.shape in Round and self.mounting != "upright":
            raise ValueError(
                f"the rotation axis of a {self.shape} is its own: leave out 'mounting'"
            )
        return self

    @model_validator(mode="after")
    def _layers_are_thick(self) -> Self:
        for number, entry in enumerate(self.layers):
            last = number == len(self.layers) - 1
            if entry.thickness_um is None and not (last and self.shape in Round):
                raise mistake_at(["layers", number], "a layer needs 'thickness_um'")
        repeat = self.repeat
        if repeat is not None and not repeat.first <= repeat.last <= len(self.layers):
            raise mistake_at(
                ["repeat"],
                f"layers {repeat.first} to {repeat.last} cannot be repeated; there are "
                f"{len(self.layers)}",
            )
        return self

    @property
    def size_mm(self) -> float:
        """Width or diameter."""
        return self.width_mm or self.diameter_mm or 0.0

    def made_of(self, known: MaterialList) -> Shape:
        """The cell as the beam sees it.

        Raises
        ------
        pydantic.ValidationError
            A material is not known, or the layers do not fit into the diameter.
        """
        size_um = 1000 * self.size_mm
        used_um = sum(self.layers[number].thickness_um or 0.0 for number in self._order())
        if self.shape in Round and used_um > size_um / 2:
            raise mistake_at(
                ["layers"],
                f"the layers are {used_um:g} µm thick, and the radius is {size_um / 2:g} µm",
            )
        layers: list[StackLayer] = []
        for number in self._order():
            entry = self.layers[number]
            thickness_um = entry.thickness_um or size_um / 2 - used_um
            if thickness_um <= 0:
                raise mistake_at(["layers", number], "nothing is left for the layer in the middle")
            layers.append(entry.layer(known, thickness_um, "layers", number))
        if self.shape in Round:
            if used_um == sum(layer.thickness_um for layer in layers) < size_um / 2 * (1 - 1e-9):
                raise mistake_at(
                    ["layers"],
                    f"the layers are {used_um:g} µm thick, and the radius is {size_um / 2:g} µm: "
                    "leave out 'thickness_um' of the one in the middle",
                )
            return Shells(tuple(layers))
        return Sheets(tuple(layers), self.size_mm / 10, self.mounting, self.shape == "coin")

    def _order(self) -> list[int]:
        numbers = list(range(len(self.layers)))
        if self.repeat is None:
            return numbers
        first, last = self.repeat.first - 1, self.repeat.last
        return numbers[:first] + numbers[first:last] * self.repeat.times + numbers[last:]
