"""The brightness of the beam from frame to frame: by a monitor, or by the air beside the sample."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def monitor_factors(frames: ArrayLike, flats: ArrayLike) -> NDArray[np.float64]:
    """What each frame's beam must be multiplied with to be as bright as that of the flats.

    Parameters
    ----------
    frames : array_like (views,)
        The monitor's reading at each projection, in any unit.
    flats : array_like (flats,)
        Its readings at the flats.

    Returns
    -------
    float64 (views,)

    Raises
    ------
    ValueError
        If a reading is not a positive number: a monitor that fails must not be believed.
    """
    seen, reference = np.asarray(frames, np.float64), np.asarray(flats, np.float64)
    for name, values in (("projections", seen), ("flats", reference)):
        bad = ~(np.isfinite(values) & (values > 0))
        if values.size == 0 or bad.any():
            raise ValueError(
                f"The beam monitor must read above zero; for {int(bad.sum())} of {values.size} "
                f"{name} it does not. Nothing was normalised: leave the monitor out."
            )
    return reference.mean() / seen


def level_air(transmission: NDArray[np.float32], air_columns: int) -> NDArray[np.float32]:
    """Transmission whose air on both sides is 1, by a straight line between the two.

    Parameters
    ----------
    transmission : float32 (..., rows, columns)
        Of frames that show air at both ends of every row.
    air_columns : int
        Columns of air at each end.

    Raises
    ------
    ValueError
        If that many columns do not fit, or the ends are so dark that there is a sample in them.
    """
    columns = transmission.shape[-1]
    if not 1 <= air_columns <= columns // 3:
        raise ValueError(
            f"Air at each end may have 1 to {columns // 3} columns of {columns}, not {air_columns}."
        )
    left = np.median(transmission[..., :air_columns], axis=(-2, -1))
    right = np.median(transmission[..., -air_columns:], axis=(-2, -1))
    darkest = float(min(left.min(), right.min()))
    if darkest < 0.5:
        raise ValueError(
            f"The {air_columns} columns at the ends should be air; in one view only "
            f"{darkest:.0%} of the beam passes them. Nothing was levelled: leave air_columns out."
        )
    part = np.linspace(0, 1, columns, dtype=np.float32)
    line = left[..., None] * (1 - part) + right[..., None] * part
    return (transmission / line[..., None, :]).astype(np.float32)
