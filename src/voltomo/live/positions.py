"""Where the planes of the live view lie, as a person says it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voltomo.analysis.plane import Plane, Vector
from voltomo.model.geometry import Geometry

PLANES: tuple[str, ...] = ("xy", "xz", "yz", "oblique")
"""Names of the planes: across the axis, two along it, and one in any direction."""


class Oblique(BaseModel):
    """A plane in any direction.

    Parameters
    ----------
    centre : (float, float, float)
        Middle of the image: x, y, z in detector pixels from the point of the axis that falls on
        the middle row, as in `voltomo.model.geometry`.
    normal : (float, float, float)
        Direction at right angles to it; its length does not matter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    centre: Vector = (0.0, 0.0, 0.0)
    normal: Vector = Field(default=(1.0, 1.0, 1.0))

    @field_validator("centre", "normal")
    @classmethod
    def _finite(cls, value: Vector) -> Vector:
        if not all(math.isfinite(number) for number in value):
            raise ValueError("must be three finite numbers")
        return value

    @field_validator("normal")
    @classmethod
    def _points_somewhere(cls, value: Vector) -> Vector:
        if math.hypot(*value) < 1e-6:
            raise ValueError("must not be zero: it says which way the plane faces")
        return value

    def plane(self, size: int) -> Plane:
        """Its rectangle: rows of the image run level, along (−y, x, 0) of the normal."""
        normal = np.array(self.normal) / math.hypot(*self.normal)
        level = np.cross([0.0, 0.0, 1.0], normal)
        # Across the axis every direction is level.
        along = level if np.linalg.norm(level) > 1e-6 else np.array([1.0, 0.0, 0.0])
        across = np.cross(normal, along)
        return Plane(size, size, self.centre, _vector(along), _vector(across))


class ObliqueRefused(ValueError):
    """A text that says of no plane where it lies; the message says what was expected."""


def parse_oblique(text: str) -> Oblique:
    """An oblique plane from JSON such as ``{"centre": [0, 0, 5], "normal": [1, 0, 1]}``.

    Raises
    ------
    ObliqueRefused
        It cannot be understood.
    """
    try:
        return Oblique.model_validate_json(text)
    except ValidationError as error:
        why = "; ".join(
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}".removeprefix(": ")
            for detail in error.errors(include_url=False)
        )
        raise ObliqueRefused(
            f'expected the oblique plane as {{"centre": [x, y, z], "normal": [x, y, z]}} in '
            f"pixels; got {text[:120]!r} ({why}). The plane stays where it is"
        ) from error


@dataclass(frozen=True)
class Positions:
    """Where all planes lie.

    Attributes
    ----------
    row : int or None
        Of the plane across the axis: the detector row on which it falls without tilt; the middle
        if not given.
    y, x : float
        Distances of the planes of x and z, and of y and z, from the axis, in detector pixels.
    oblique : Oblique
        The other one.
    """

    row: int | None = None
    y: float = 0.0
    x: float = 0.0
    oblique: Oblique = field(default_factory=Oblique)

    def moved(self, name: str, to: int | float | Oblique) -> Positions:
        """With one plane elsewhere."""
        word = {"xy": "row", "xz": "y", "yz": "x", "oblique": "oblique"}[name]
        return replace(self, **{word: to})

    def row_of(self, geometry: Geometry) -> int:
        """The detector row of the plane across the axis, on the detector."""
        row = geometry.rows // 2 if self.row is None else self.row
        return min(max(row, 0), geometry.rows - 1)

    def plane(self, name: str, geometry: Geometry) -> Plane:
        """Where a plane lies in a scan; beyond the field it stays at its edge."""
        columns, rows = geometry.columns, geometry.rows
        if name == "xy":
            z = self.row_of(geometry) - (rows - 1) / 2
            return Plane.horizontal(columns, columns, z)
        if name == "oblique":
            return self.oblique.plane(columns)
        half = (columns - 1) / 2
        make, place = (Plane.upright_x, self.y) if name == "xz" else (Plane.upright_y, self.x)
        return make(columns, rows, min(max(place, -half), half))

    def words(self, name: str, geometry: Geometry) -> str:
        """Where a plane lies, as JSON for clients; lengths in detector pixels from the axis."""
        if name == "oblique":
            return self.oblique.model_dump_json()
        plane = self.plane(name, geometry)
        place = {"xy": ("z", 2), "xz": ("y", 1), "yz": ("x", 0)}[name]
        return json.dumps({place[0]: plane.centre[place[1]]})


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
