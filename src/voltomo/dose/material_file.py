"""A scientist's own materials, from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from voltomo.dose.formula import FormulaError, parse_formula
from voltomo.dose.materials import (
    Material,
    MaterialClass,
    MaterialError,
    MaterialList,
    UnknownMaterialError,
    mixture,
    shipped_materials,
)
from voltomo.runtime.yaml_file import load_yaml, mistake_at

__all__ = ["MaterialEntry", "MaterialFile", "load_materials", "materials_with"]


class MaterialEntry(BaseModel):
    """One material of one's own: a compound by its formula, or a mixture by mass.

    Parameters
    ----------
    name : str
        What it is called; no name or alias that is known already.
    formula : str or None
        Chemical formula of a compound; needs ``density_g_cm3``.
    parts : dict or None
        Of a mixture: names of materials, each with its mass in any unit. Materials that stand
        further up in the file may be named, too.
    density_g_cm3 : float or None
        Mass density without pores. Of a mixture, volumes are taken to add up if not given.
    heat_capacity_J_per_g_K : float or None
        For the rise of temperature; of a mixture, the mean by mass if not given.
    conductivity_W_per_m_K : float or None
        For the rise of temperature; of a mixture, that of its parts in series if not given.
    material_class : str
        Which limits hold for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    formula: str | None = None
    parts: dict[str, float] | None = Field(default=None, min_length=1)
    density_g_cm3: float | None = Field(default=None, gt=0, le=25)
    heat_capacity_J_per_g_K: float | None = Field(default=None, gt=0, le=20)
    conductivity_W_per_m_K: float | None = Field(default=None, gt=0, le=3000)
    material_class: MaterialClass = "other"

    @field_validator("formula")
    @classmethod
    def _formula_is_read(cls, formula: str | None) -> str | None:
        if formula is not None:
            try:
                parse_formula(formula)
            except FormulaError as error:
                raise ValueError(str(error)) from error
        return formula

    @field_validator("parts")
    @classmethod
    def _masses_are_positive(cls, parts: dict[str, float] | None) -> dict[str, float] | None:
        for name, mass in (parts or {}).items():
            if mass <= 0:
                raise mistake_at([name], f"the mass of a part must be above 0; it says {mass:g}")
        return parts

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.formula is None) == (self.parts is None):
            raise ValueError(
                "a material needs either 'formula' (a compound) or 'parts' (a mixture by mass)"
            )
        if self.formula is not None and self.density_g_cm3 is None:
            raise ValueError("a compound needs 'density_g_cm3'")
        return self

    def material(self, known: MaterialList) -> Material:
        """The material; parts of a mixture are looked up in what is known.

        Raises
        ------
        pydantic.ValidationError
            A part is not known; its place is that of the part.
        """
        if self.formula is not None and self.density_g_cm3 is not None:
            return Material.from_formula(
                self.name,
                self.formula,
                self.density_g_cm3,
                self.heat_capacity_J_per_g_K,
                self.conductivity_W_per_m_K,
                self.material_class,
            )
        parts: dict[Material, float] = {}
        for name, mass in (self.parts or {}).items():
            try:
                parts[known.find(name)] = mass
            except UnknownMaterialError as error:
                raise mistake_at(["parts", name], str(error.args[0])) from error
        mixed = mixture(self.name, parts, self.density_g_cm3, self.material_class)
        return Material(
            mixed.name,
            mixed.formula,
            mixed.density_g_cm3,
            mixed.mass_fractions,
            self.heat_capacity_J_per_g_K or mixed.heat_capacity_J_per_g_K,
            self.conductivity_W_per_m_K or mixed.conductivity_W_per_m_K,
            mixed.material_class,
        )


class MaterialFile(BaseModel):
    """A file of own materials.

    Parameters
    ----------
    materials : list of MaterialEntry
        The materials.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    materials: list[MaterialEntry] = Field(min_length=1)

    @field_validator("materials")
    @classmethod
    def _fit_together(cls, materials: list[MaterialEntry]) -> list[MaterialEntry]:
        materials_with(materials, shipped_materials())
        return materials


def materials_with(entries: list[MaterialEntry], known: MaterialList) -> MaterialList:
    """Known materials and these, which may name each other in their order.

    Raises
    ------
    pydantic.ValidationError
        A name is taken or a part unknown; the place counts from the list of entries.
    """
    for number, entry in enumerate(entries):
        try:
            known = known.with_own(entry.material(known))
        except MaterialError as error:
            raise mistake_at([number, "name"], str(error)) from error
        except ValueError as error:
            raise _deeper(number, error) from error
    return known


def _deeper(number: int, error: ValueError) -> ValueError:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return error
    (detail,) = error.errors()
    return mistake_at([number, *detail["loc"]], detail["msg"])


def load_materials(path: Path) -> MaterialList:
    """The shipped materials and those of a file.

    Raises
    ------
    FileRefused
        With file, line and caret for each mistake.
    """
    return materials_with(load_yaml(path, MaterialFile).materials, shipped_materials())
