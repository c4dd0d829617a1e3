"""Frames that must not be reconstructed, and fields that cannot normalise, said in sentences."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.flats import brighter_than_flats, flats_that_differ
from voltomo.analysis.normalise import dead_pixels, transmission

# Beyond this the scan is broken and leaving views out does not mend it.
MOST_FRAMES_LEFT_OUT = 0.25


class FramesUnusable(ValueError):
    """Frames, flats or darks with which nothing can be corrected; the message says why."""


def frame_faults(frames: NDArray[Any]) -> dict[int, str]:
    """Why frames cannot be used, by their number in the stack.

    Parameters
    ----------
    frames : uint16 or float (views, rows, columns)
        Counts, of whole frames or of the same rows of each.
    """
    faults: dict[int, str] = {}
    for number, frame in enumerate(frames):
        if frame.dtype.kind == "f":
            bad = int(frame.size - np.count_nonzero(np.isfinite(frame)))
            if bad:
                faults[number] = f"{bad} of {frame.size} values are not finite"
                continue
        if frame.size > 1 and frame.min() == frame.max():
            faults[number] = f"all values are {frame.flat[0]:g}: a blocked beam or a frozen camera"
    return faults


def field_notes(
    views: NDArray[Any], flats: NDArray[Any], darks: NDArray[Any], mean_flat: NDArray[Any]
) -> list[str]:
    """What a person should know of flats and darks before the slices are believed.

    Parameters
    ----------
    views : (n, rows, columns)
        Some good projections, spread over the turn.
    flats, darks : (n, rows, columns)
        All of them.
    mean_flat : (rows, columns)
        The flat that normalises.

    Returns
    -------
    list of str
        Sentences; empty if all is well.
    """
    dark = darks.mean(axis=0, dtype=np.float64).astype(np.float32)
    notes: list[str] = []
    odd = flats_that_differ(flats, dark)
    if odd:
        notes.append(
            f"{len(odd)} of {len(flats)} flats (numbers {_listed(odd)}) are darker in a part of "
            "the field than the others: something stood in the beam, perhaps the sample. Leave "
            "them out, or take flats again."
        )
    passed = np.stack([transmission(view, mean_flat, dark) for view in views])
    brighter = brighter_than_flats(passed)
    if brighter > 0.01:
        notes.append(
            f"Projections are brighter than the flats in {brighter:.0%} of their area: the sample "
            "stood in the flats, or the beam has changed. What is reconstructed is relative to "
            "that; take flats again with the sample out of the beam."
        )
    dead = float(dead_pixels(mean_flat, dark).mean())
    if dead > 0.001:
        notes.append(
            f"{dead:.1%} of the pixels see no beam in the flats; they are taken for air. Mask "
            "them at the detector, or read a smaller region."
        )
    return notes


def check_fields(
    shape: tuple[int, ...], flats: NDArray[Any], darks: NDArray[Any], names: str = "rows × columns"
) -> None:
    """Refuse flats and darks that cannot normalise frames of a shape.

    Raises
    ------
    FramesUnusable
        They have another shape, values that are not finite, or no beam.
    """
    for name, fields in (("flats", flats), ("darks", darks)):
        if fields.ndim != 3 or len(fields) == 0 or fields.shape[1:] != tuple(shape):
            raise FramesUnusable(
                f"expected {name} of {shape[0]} × {shape[1]} ({names}), as the projections; saw "
                f"{fields.shape}. Nothing was normalised: check the region that was read"
            )
        if fields.dtype.kind == "f" and not np.isfinite(fields).all():
            raise FramesUnusable(
                f"expected finite counts in the {name}; some are not. Leave those {name} out"
            )
    if not flats.mean(dtype=np.float64) > darks.mean(dtype=np.float64):
        raise FramesUnusable(
            f"expected flats brighter than darks; their means are {flats.mean():.4g} and "
            f"{darks.mean():.4g} counts. Was the shutter closed, or are the two exchanged?"
        )


def check_left_out(faults: dict[int, str], views: int) -> None:
    """Refuse a scan of which too many frames are bad.

    Raises
    ------
    FramesUnusable
        More than `MOST_FRAMES_LEFT_OUT` of them.
    """
    if len(faults) > MOST_FRAMES_LEFT_OUT * views:
        number, why = next(iter(faults.items()))
        raise FramesUnusable(
            f"expected most projections to be usable; {len(faults)} of {views} are not, the first "
            f"being number {number} ({why}). Nothing was reconstructed: look at the camera"
        )


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown + (", …" if len(numbers) > 8 else "")
