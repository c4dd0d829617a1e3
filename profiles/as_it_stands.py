"""The beamline as its optics stand now: the pixel size follows the lens that is in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voltomo.profiles.beamline_file import BeamlineFile

if TYPE_CHECKING:
    from voltomo.devices.beamline import Beamline


def as_it_stands(file: BeamlineFile, beamline: Beamline) -> BeamlineFile:
    """The file with the pixel size of the lens that is in.

    The axis stays where it is in millimetres, from the middle of the field: exact where lenses are
    on one optical axis, and worth an alignment where they are not. Without a lens, or while it
    turns, the file stays as it is; a scan is then refused by its preflight.
    """
    lens = beamline.further.get("lens")
    pixel_um = math.nan if lens is None else float(lens.pixel_um.get())
    if not pixel_um > 0 or pixel_um == file.pixel_um:
        return file
    axis = file.axis_column
    if axis is not None:
        middle = (file.columns - 1) / 2
        axis = middle + (axis - middle) * file.pixel_um / pixel_um
        axis = min(max(axis, 0.0), file.columns - 1.0)
    return file.model_copy(update={"pixel_um": pixel_um, "axis_column": axis})
