"""Where the sample stage stands in a scan, beside where it stood before."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Place(BaseModel):
    """A shift of the sample stage, which carries the rotation axis with it.

    Parameters
    ----------
    x_mm : float
        Across the beam: the axis moves by as much towards higher columns.
    z_mm : float
        Up: the sample moves by as much towards higher rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    x_mm: float = 0.0
    z_mm: float = 0.0


HOME = Place()
"""Where the stage stood when the scan began."""


def grid(tiles_x: int, tiles_z: int, step_x_mm: float, step_z_mm: float) -> tuple[Place, ...]:
    """Places of a mosaic, row by row and there and back, so that every move is a short one.

    Parameters
    ----------
    tiles_x, tiles_z : int
        Tiles beside and above each other.
    step_x_mm, step_z_mm : float
        From the middle of one to the middle of the next; the mosaic is centred on home.

    Returns
    -------
    tuple of Place
        One for each tile.
    """
    places: list[Place] = []
    for row in range(tiles_z):
        columns = range(tiles_x) if row % 2 == 0 else reversed(range(tiles_x))
        places += [
            Place(
                x_mm=(column - (tiles_x - 1) / 2) * step_x_mm,
                z_mm=(row - (tiles_z - 1) / 2) * step_z_mm,
            )
            for column in columns
        ]
    return tuple(places)
