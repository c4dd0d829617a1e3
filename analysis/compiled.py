"""The one way to compile a numerical kernel, so that all of them behave alike."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Reordering of sums is fine; "nnan" and "ninf" are left out so that bad pixels stay visible.
REORDERING = {"contract", "reassoc", "arcp", "nsz"}


def kernel(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile `function` for one thread, without the GIL, with a cache on disk.

    Parameters
    ----------
    function : callable
        Plain loops over arrays. Take slices before the inner loop and index them with a
        `range` variable: an index that may be negative keeps the compiler from vectorising.

    Returns
    -------
    callable
        The same function, compiled at its first call (see `voltomo.analysis.warmup`).
    """
    decorate = cast(
        Callable[..., Any],
        numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERING),
    )
    return cast(Callable[Parameters, Result], decorate(function))
