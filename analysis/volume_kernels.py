"""Loops of the back-projector of volumes, at any tilt of the axis.

Along a column of voxels, which runs along the axis, a view is read at one detector column and at
a fixed step in rows, cos(tilt), that is the same for all views. So each filtered view is resampled
once onto that step and laid out with its rows contiguous (`lay_runs`). For one tile of columns of
voxels the few detector columns below it are spread to `PHASES` sub-column phases (`spread_phases`),
which stay in the cache next to the tile. A column of voxels is then, for every view, one contiguous
piece of one phase, linear between two neighbours of the same piece: no gather.
"""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

PHASES = 4
VIEWS_IN_A_PASS = 4
TILE = 32
# Samples from the beginning of one run to the next; known to the compiler, so that it sees that
# runs do not overlap.
RUN = 256
# Voxels along the axis in a pass: the sums of a tile stay in a cache of 1 MB beside what they read.
DEEPEST_PASS = 192
# Samples of a line of the cache.
ALIGNED = 16
# Detector columns beyond the disc on either side: interpolation and rounding.
MARGIN = 4
# Of a tile that is turned by 45 degrees.
_WIDEST = int(TILE * 1.4142135623730951)
RUNS_LENGTH = VIEWS_IN_A_PASS * (_WIDEST + 4) * PHASES * RUN


def pass_depth(depth: int, slope: float) -> int:
    """Voxels along the axis in a pass, of `depth` at a tilt of that tangent."""
    most = max(1, min(DEEPEST_PASS, RUN - int(_WIDEST * slope) - ALIGNED - 4))
    even = math.ceil(depth / math.ceil(depth / most))
    aligned = math.ceil(even / ALIGNED) * ALIGNED
    return min(aligned if aligned <= most else even, depth)


def aligned(length: int) -> NDArray[np.float32]:
    """Zeros that begin with a line of the cache, float32 (length,)."""
    whole = np.zeros(length + ALIGNED, np.float32)
    begin = -whole.ctypes.data // 4 % ALIGNED
    return whole[begin : begin + length]


@kernel
def lay_runs(
    filtered: NDArray[np.float32],
    weight: float,
    rows: NDArray[np.int32],
    taps: NDArray[np.float32],
    first_column: int,
    laid: NDArray[np.float32],
    work: NDArray[np.float32],
) -> None:
    """Resample a view along its rows and lay it out with the levels contiguous.

    Parameters
    ----------
    filtered : float32 (rows, columns)
        Filtered view.
    weight : float
        Its weight.
    rows : int32 (levels,)
        First of the four rows that make a level.
    taps : float32 (levels, 4)
        Their parts.
    first_column : int
        Detector column of ``laid[0]``; those that the detector lacks are not written.
    laid : float32 (columns, levels)
        Result.
    work : float32 (16, 256)
        Scratch.
    """
    levels = laid.shape[1]
    begin = max(0, first_column)
    end = min(filtered.shape[1], first_column + laid.shape[0])
    for j0 in range(0, levels, 16):
        high = min(16, levels - j0)
        for c0 in range(begin, end, 256):
            wide = min(256, end - c0)
            for j in range(high):
                row = rows[j0 + j]
                a = filtered[row, c0 : c0 + wide]
                b = filtered[row + 1, c0 : c0 + wide]
                c = filtered[row + 2, c0 : c0 + wide]
                d = filtered[row + 3, c0 : c0 + wide]
                ta = np.float32(weight * taps[j0 + j, 0])
                tb = np.float32(weight * taps[j0 + j, 1])
                tc = np.float32(weight * taps[j0 + j, 2])
                td = np.float32(weight * taps[j0 + j, 3])
                line = work[j, :wide]
                for i in range(wide):
                    line[i] = (ta * a[i] + tb * b[i]) + (tc * c[i] + td * d[i])
            for i in range(wide):
                out = laid[c0 + i - first_column, j0 : j0 + high]
                for j in range(high):
                    out[j] = work[j, i]


@kernel
def spread_phases(
    laid: NDArray[np.float32],
    first: int,
    count: int,
    level: int,
    levels: int,
    runs: NDArray[np.float32],
    place: int,
) -> None:
    """Write four phases of `count` detector columns, a run of `levels` for each, into `runs`.

    Cubic (Catmull-Rom) between four columns; the parts are those of 1/4, 1/2 and 3/4.
    """
    p0, p1, p2, p3 = (
        np.float32(-9 / 128),
        np.float32(111 / 128),
        np.float32(29 / 128),
        np.float32(-3 / 128),
    )
    h0, h1 = np.float32(-1 / 16), np.float32(9 / 16)
    for column in range(count):
        a = laid[first + column - 1, level : level + levels]
        b = laid[first + column, level : level + levels]
        c = laid[first + column + 1, level : level + levels]
        d = laid[first + column + 2, level : level + levels]
        o = np.uint64((place + column * PHASES) * RUN)
        for k in range(levels):
            j = np.uint64(k)
            runs[o + j] = b[k]
            runs[o + np.uint64(RUN) + j] = (p0 * a[k] + p1 * b[k]) + (p2 * c[k] + p3 * d[k])
            runs[o + np.uint64(2 * RUN) + j] = h0 * (a[k] + d[k]) + h1 * (b[k] + c[k])
            runs[o + np.uint64(3 * RUN) + j] = (p3 * a[k] + p2 * b[k]) + (p1 * c[k] + p0 * d[k])


@kernel
def place_columns(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    cosine: float,
    sine: float,
    slope: float,
    column: float,
    level: float,
    place: int,
    starts: NDArray[np.int32],
    parts: NDArray[np.float32],
) -> None:
    """Find the run, and the place in it, of every column of voxels of a tile in one view.

    `x`, `y` are from the middle of the tile, which falls on `column` and `level` of its runs.
    """
    along_x, along_y = np.float32(PHASES * cosine), np.float32(PHASES * sine)
    rise_x, rise_y = np.float32(-slope * sine), np.float32(slope * cosine)
    middle, height = np.float32(PHASES * column + 0.5), np.float32(level)
    stride, begin = np.int32(RUN), np.int32(place * RUN)
    for n in range(x.shape[0]):
        run = np.int32(x[n] * along_x + y[n] * along_y + middle)
        where = x[n] * rise_x + y[n] * rise_y + height
        whole = np.int32(where)
        starts[n] = begin + run * stride + whole
        parts[n] = where - np.float32(whole)


@kernel
def read_view(
    laid: NDArray[np.float32],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    middle_x: float,
    middle_y: float,
    cosine: float,
    sine: float,
    slope: float,
    axis: float,
    level: float,
    high: int,
    run: int,
    runs: NDArray[np.float32],
    starts: NDArray[np.int32],
    parts: NDArray[np.float32],
) -> int:
    """Make the runs of one tile in one view from run `run` on; returns the next free run.

    The middle of the tile is at (`middle_x`, `middle_y`) from the axis, which falls on `axis` and
    `level` of the view; the rest is as in `place_columns`.
    """
    wide = (TILE - 1) * 0.5 * (abs(cosine) + abs(sine))
    column = axis + middle_x * cosine + middle_y * sine
    # Tiles reach beyond the disc, and so beyond what was laid out.
    first = max(1, int(np.floor(column - wide)))
    below = min(laid.shape[0] - 3, int(np.floor(column + wide)) + 1) - first + 1
    height = level + (middle_y * cosine - middle_x * sine) * slope
    begin = max(0, int(np.floor(height - wide * slope))) // ALIGNED * ALIGNED
    end = min(laid.shape[1], int(np.floor(height + wide * slope)) + high + 2)
    spread_phases(laid, first, below, begin, end - begin, runs, run)
    place_columns(x, y, cosine, sine, slope, column - first, height - begin, run, starts, parts)
    return run + below * PHASES


@kernel
def add_leaning(
    sums: NDArray[np.float32],
    runs: NDArray[np.float32],
    starts: NDArray[np.int32],
    parts: NDArray[np.float32],
    count: int,
    depth: int,
) -> None:
    """Add four views to `count` columns of voxels, linear between two levels."""
    one = np.uint64(1)
    for n in range(count):
        o = np.uint64(n * depth)
        s0, f0 = np.uint64(starts[0, n]), parts[0, n]
        s1, f1 = np.uint64(starts[1, n]), parts[1, n]
        s2, f2 = np.uint64(starts[2, n]), parts[2, n]
        s3, f3 = np.uint64(starts[3, n]), parts[3, n]
        t0, t1 = np.uint64(s0 + one), np.uint64(s1 + one)
        t2, t3 = np.uint64(s2 + one), np.uint64(s3 + one)
        g0, g1 = np.float32(1) - f0, np.float32(1) - f1
        g2, g3 = np.float32(1) - f2, np.float32(1) - f3
        for k in range(depth):
            z = np.uint64(k)
            sums[o + z] += (
                (g0 * runs[s0 + z] + f0 * runs[t0 + z]) + (g1 * runs[s1 + z] + f1 * runs[t1 + z])
            ) + ((g2 * runs[s2 + z] + f2 * runs[t2 + z]) + (g3 * runs[s3 + z] + f3 * runs[t3 + z]))


@kernel
def add_upright(
    sums: NDArray[np.float32],
    runs: NDArray[np.float32],
    starts: NDArray[np.int32],
    count: int,
    depth: int,
) -> None:
    """Add four views to `count` columns of voxels whose levels are those of the runs."""
    for n in range(count):
        o = np.uint64(n * depth)
        s0, s1 = np.uint64(starts[0, n]), np.uint64(starts[1, n])
        s2, s3 = np.uint64(starts[2, n]), np.uint64(starts[3, n])
        for k in range(depth):
            z = np.uint64(k)
            sums[o + z] += (runs[s0 + z] + runs[s1 + z]) + (runs[s2 + z] + runs[s3 + z])


@kernel
def list_columns(
    size: int,
    tile_x: int,
    tile_y: int,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> int:
    """List the columns of voxels of a tile that lie in the disc; returns how many.

    `x`, `y` are from the middle of the whole tile.
    """
    centre, square = (size - 1) * 0.5, size * size * 0.25
    count = 0
    for row in range(tile_y, min(tile_y + TILE, size)):
        for column in range(tile_x, min(tile_x + TILE, size)):
            if (column - centre) ** 2 + (row - centre) ** 2 <= square:
                x[count] = np.float32(column - tile_x - (TILE - 1) * 0.5)
                y[count] = np.float32(row - tile_y - (TILE - 1) * 0.5)
                count += 1
    return count


@kernel
def columns_before(size: int, before: NDArray[np.int64]) -> None:
    """Count the columns of voxels in the tiles before each tile; the last count is of all."""
    x, y = np.empty(TILE * TILE, np.float32), np.empty(TILE * TILE, np.float32)
    in_a_row = (size + TILE - 1) // TILE
    before[0] = 0
    for tile in range(in_a_row * in_a_row):
        found = list_columns(size, tile % in_a_row * TILE, tile // in_a_row * TILE, x, y)
        before[tile + 1] = before[tile] + found


@kernel
def back_project_tiles(
    volume: NDArray[np.float32],
    before: NDArray[np.int64],
    size: int,
    laid: NDArray[np.float32],
    cosines: NDArray[np.float64],
    sines: NDArray[np.float64],
    slope: float,
    axis: float,
    reach: float,
    top: int,
    high: int,
    first_tile: int,
    last_tile: int,
    runs: NDArray[np.float32],
) -> int:
    """Add views to some tiles of one pass; returns the number of updates, voxels times views.

    Parameters
    ----------
    volume : float32
        Sum so far: pass by pass, in it tile by tile, in it the columns of voxels of the disc.
    before : int64 (tiles + 1,)
        From `columns_before`.
    size : int
        Voxels across the axis.
    laid : float32 (views, columns, levels)
        From `lay_runs`; the number of views is a multiple of `VIEWS_IN_A_PASS`, that of levels
        one of `ALIGNED`.
    cosines, sines : float64 (views,)
        Of their angles.
    slope : float
        tan(tilt).
    axis, reach : float
        Column and level of `laid` on which the axis' first voxel falls.
    top, high : int
        First voxel along the axis of this pass, and their number.
    first_tile, last_tile : int
        Tiles by row, last exclusive.
    runs : float32
        Scratch of `RUNS_LENGTH`, this thread's own.
    """
    x, y = np.empty(TILE * TILE, np.float32), np.empty(TILE * TILE, np.float32)
    starts = np.empty((VIEWS_IN_A_PASS, TILE * TILE), np.int32)
    parts = np.empty((VIEWS_IN_A_PASS, TILE * TILE), np.float32)
    in_a_row = (size + TILE - 1) // TILE
    from_centre = (TILE - size) * 0.5
    updates = 0
    for tile in range(first_tile, last_tile):
        tile_y, tile_x = tile // in_a_row * TILE, tile % in_a_row * TILE
        count = list_columns(size, tile_x, tile_y, x, y)
        if count == 0:
            continue
        middle_x, middle_y = tile_x + from_centre, tile_y + from_centre
        place = before[before.shape[0] - 1] * top + before[tile] * high
        sums = volume[place : place + count * high]
        for view in range(0, laid.shape[0], VIEWS_IN_A_PASS):
            run = 0
            for i in range(VIEWS_IN_A_PASS):
                run = read_view(
                    laid[view + i], x[:count], y[:count], middle_x, middle_y, cosines[view + i],
                    sines[view + i], slope, axis, reach + top, high, run, runs, starts[i], parts[i],
                )  # fmt: skip
            if slope == 0.0:
                add_upright(sums, runs, starts, count, high)
            else:
                add_leaning(sums, runs, starts, parts, count, high)
        updates += laid.shape[0] * count * high
    return updates


@kernel
def copy_planes(
    volume: NDArray[np.float32],
    before: NDArray[np.int64],
    size: int,
    top: int,
    high: int,
    first: int,
    scale: float,
    out: NDArray[np.float32],
) -> None:
    """Write planes across the axis, times `scale`, from voxels as `back_project_tiles` has them.

    Parameters
    ----------
    volume, before, size, top, high
        As there; the planes lie in this pass.
    first : int
        First plane, counted like `top`.
    out : float32 (planes, size, size)
        Result; voxels outside the disc are not written.
    """
    x, y = np.empty(TILE * TILE, np.float32), np.empty(TILE * TILE, np.float32)
    in_a_row = (size + TILE - 1) // TILE
    factor = np.float32(scale)
    half = (TILE - 1) * 0.5
    for tile in range(before.shape[0] - 1):
        tile_y, tile_x = tile // in_a_row * TILE, tile % in_a_row * TILE
        count = list_columns(size, tile_x, tile_y, x, y)
        place = before[before.shape[0] - 1] * top + before[tile] * high + first - top
        begin = 0
        while begin < count:
            end = begin + 1
            while end < count and y[end] == y[begin]:
                end += 1
            row, column = tile_y + int(y[begin] + half), tile_x + int(x[begin] + half)
            for plane in range(out.shape[0]):
                line = out[plane, row, column : column + end - begin]
                source = place + begin * high + plane
                for i in range(line.shape[0]):
                    line[i] = factor * volume[source + i * high]
            begin = end
