"""The sample of the virtual beamline: shapes, their projections at any pose, and their slices."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.cell_shapes import make_cell
from voltomo.twin.electrode_shapes import make_electrode
from voltomo.twin.gas_bubbles import bubbles
from voltomo.twin.pouch_shapes import make_pouch
from voltomo.twin.projector import (
    add_cylinders,
    add_discs,
    add_spheres,
    centres,
    draw_cylinders,
    draw_spheres,
    spread_profile,
)
from voltomo.twin.shapes import Shapes, more_than_around

Floats = NDArray[np.float32]
SampleKind = Literal["cell", "pouch", "electrode"]

_LARGEST_LINE_INTEGRAL = 2.3
"""A transmission of 10 %: a thicker or heavier cell is thinned to it, as if it were porous."""
_POUCH_TILT_DEG = 30.0
_FINE = 0.25
"""Pitch of the profile across a rolled axis, in pixels."""


@dataclass(frozen=True)
class Phantom:
    """A sample on a detector.

    Attributes
    ----------
    rows, columns : int
        Of the detector.
    pixel_um : float
        Pixel size at the sample.
    energy_keV : float
    axis_column : float
        Where the rotation axis passes the middle row.
    shapes : Shapes
    seed : int
        That it was made from.
    part : float
        By which it was thinned.
    """

    rows: int
    columns: int
    pixel_um: float
    energy_keV: float
    axis_column: float
    shapes: Shapes
    seed: int = 0
    part: float = 1.0

    @classmethod
    def make(
        cls,
        seed: int,
        columns: int,
        rows: int,
        pixel_um: float,
        energy_keV: float,
        axis_column: float | None = None,
        sample: SampleKind = "cell",
    ) -> Phantom:
        """A sample made to the size of the field; the same seed gives the same one.

        Parameters
        ----------
        seed : int
        columns, rows : int
            Of the detector.
        pixel_um : float
            Pixel size at the sample.
        energy_keV : float
            Photon energy.
        axis_column : float, optional
            Column of the rotation axis; the middle if not given.
        sample : "cell", "pouch" or "electrode"
            A cylindrical cell that fits into the field at every angle; a piece of a pouch cell
            that lies across the axis and is wider than the field; or a plug of an electrode in a
            tube, with binder, cracks, hollows, metal and bubbles, whose truth `labels` tells.
        """
        axis = (columns - 1) / 2 if axis_column is None else axis_column
        half = min(axis + 0.5, columns - 0.5 - axis)
        makers = {"cell": make_cell, "pouch": make_pouch, "electrode": make_electrode}
        make = makers[sample]
        shapes = make(seed, half, rows, energy_keV, pixel_um)
        made = cls(rows, columns, pixel_um, energy_keV, axis, shapes)
        tilt_deg = _POUCH_TILT_DEG if sample == "pouch" else 0.0
        views = (made.projection(angle, tilt_deg=tilt_deg)[0] for angle in (0.0, 45.0, 90.0, 135.0))
        part = min(1.0, _LARGEST_LINE_INTEGRAL / max(float(view.max()) for view in views))
        return replace(made, shapes=shapes.thinned(part), seed=seed, part=part)

    def with_gas(self, gas_mm3: float) -> Phantom:
        """The same sample with free gas in its electrolyte, as much at every height."""
        area = gas_mm3 / (self.rows * (self.pixel_um * 1e-3) ** 3)
        half = min(self.axis_column + 0.5, self.columns - 0.5 - self.axis_column)
        made = bubbles(area, half, self.seed)
        if not made.size:
            return self
        of_electrolyte = more_than_around("electrolyte", "", self.energy_keV, self.pixel_um)
        values = np.tile(-self.part * np.array(of_electrolyte), (len(made), 1))
        shapes = replace(
            self.shapes,
            cylinders=np.vstack([self.shapes.cylinders, made]),
            cylinder_values=np.vstack([self.shapes.cylinder_values, values]),
        )
        return replace(self, shapes=shapes)

    def seen_with(self, pixel_um: float) -> Phantom:
        """The same sample on the same detector behind optics with another pixel size."""
        factor, middle = self.pixel_um / pixel_um, (self.rows - 1) / 2
        across = (self.columns - 1) / 2
        return replace(
            self,
            pixel_um=pixel_um,
            axis_column=across + (self.axis_column - across) * factor,
            shapes=self.shapes.scaled(factor, middle, middle),
        )

    def projection(
        self,
        angle_deg: float,
        shift_columns: float = 0.0,
        shift_rows: float = 0.0,
        *,
        tilt_deg: float = 0.0,
        roll_deg: float = 0.0,
    ) -> tuple[Floats, Floats]:
        """Line integrals at a pose of the stage; conventions are those of `voltomo.model.geometry`.

        Parameters
        ----------
        angle_deg : float
            Of the rotation.
        shift_columns, shift_rows : float
            How far the sample, axis included, is moved across the beam and up.
        tilt_deg : float
            Lean of the axis towards the source, below 90.
        roll_deg : float
            Lean of the axis in the detector's plane.

        Returns
        -------
        attenuation, path : arrays, shape (rows, columns), float32
            ∫µ dl, and ∫δ dl in metres.
        """
        shapes = self.shapes
        angle, tilt, roll = (math.radians(value) for value in (angle_deg, tilt_deg, roll_deg))
        middle = (self.rows - 1) / 2
        place = (self.axis_column, middle, shift_columns, shift_rows)
        lengths = np.zeros((self.rows, self.columns), np.float32)
        falls = centres(shapes.spheres, angle, tilt, roll, place)
        add_spheres(lengths, falls, shapes.spheres[:, 3].copy(), shapes.signs)
        images = lengths[None] * np.array(shapes.sphere_values, np.float32)[:, None, None]
        self._add_cylinders(images, angle, tilt, roll, shift_columns)
        if shapes.discs.size:
            view = (math.cos(roll), math.sin(roll), self.axis_column, middle)
            moved = (shift_columns, shift_rows)
            add_discs(images, shapes.discs, shapes.disc_values, angle, tilt, view, moved)
        pose, moved = (angle, tilt, roll), (shift_columns, shift_rows)
        shapes.grains.add_to(images, pose, self.axis_column, moved)
        attenuation, path = images
        path *= np.float32(self.pixel_um * 1e-6)
        return attenuation, path

    def _add_cylinders(
        self, images: Floats, angle: float, tilt: float, roll: float, shift: float
    ) -> None:
        """Endless along the axis, they look the same at every height: one profile each kind."""
        shapes = self.shapes
        if not shapes.cylinders.size:
            return
        # The rays cross a leaning cylinder on a way that is longer by this.
        longer = 1 / math.cos(tilt)
        if roll == 0:
            profiles = np.zeros((2, self.columns))
            axis = self.axis_column + shift
            add_cylinders(profiles, shapes.cylinders, shapes.cylinder_values, angle, axis, 1.0)
            images += (profiles * longer).astype(np.float32)[:, None, :]
            return
        middle = (self.rows - 1) / 2
        reach = math.hypot(self.columns, self.rows)
        profiles = np.zeros((2, math.ceil(2 * reach / _FINE)))
        add_cylinders(
            profiles, shapes.cylinders, shapes.cylinder_values, angle, reach + shift, _FINE
        )
        view = (math.cos(roll), math.sin(roll), self.axis_column, middle)
        for image, profile in zip(images, profiles * longer, strict=True):
            spread_profile(image, profile, _FINE, -reach, view)

    def slice_attenuation(self, row: float) -> Floats:
        """Truth of a slice: attenuation per pixel, shape (columns, columns), ``image[y, x]``.

        The slice lies across the axis, at the height at which it falls on ``row`` without tilt.
        The axis is at the middle, ``(columns - 1) / 2``, wherever it falls on the detector.
        """
        shapes = self.shapes
        image = np.zeros((self.columns, self.columns))
        centre = (self.columns - 1) / 2
        draw_cylinders(image, shapes.cylinders, shapes.cylinder_values[:, 0].copy(), centre, 8)
        height = row - (self.rows - 1) / 2
        away = np.abs(shapes.discs[:, 2] - height)
        inside = np.clip(
            shapes.discs[:, 4] + 0.5 - away, 0.0, np.minimum(1, 2 * shapes.discs[:, 4])
        )
        round_ = shapes.discs[:, [0, 1, 3, 3, 4]].copy()
        round_[:, 4] = 0.0
        draw_cylinders(image, round_, shapes.disc_values[:, 0] * inside, centre, 8)
        values = shapes.signs * shapes.sphere_values[0]
        draw_spheres(image, shapes.spheres, values, centre, float(row), 4)
        shapes.grains.draw(image, height)
        return image.astype(np.float32)

    def labels(self, row: float) -> NDArray[np.uint8]:
        """Truth of a slice of an electrode: `Kind` at the middle of each pixel.

        Of the shape and place of `slice_attenuation`; 0 where nobody asks: the tube, beyond it,
        and everywhere in samples without grains.
        """
        return self.shapes.grains.labels(self.columns, row - (self.rows - 1) / 2)
