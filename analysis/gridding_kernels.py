"""Loops of the reconstruction by gridding, for `LANES` slices at once.

Two real slices go as one complex one: real and imaginary part lie side by side, and with the
slices innermost, a point of Fourier space is `LANES` contiguous numbers. Spreading a sample is
then nothing but sums of such runs, which every compiler vectorises.
"""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel
from voltomo.analysis.sheared_kernels import span_of_row

LANES = 16
# Cells that a sample is spread over, along each direction.
WIDTH = 4
# Cells on a side of a tile; with its rim it stays in the first cache.
TILE = 16
SIDE = TILE + WIDTH - 1

_PIECE = 64
_LANE = np.uint64(LANES)
_LANE2 = np.uint64(2 * LANES)
_LANE3 = np.uint64(3 * LANES)
# Numbers in a row of a patch, and offsets of the cells of the other three rows.
_ROW = SIDE * LANES
_R1, _R1A, _R1B, _R1C = (np.uint64(_ROW + i * LANES) for i in range(4))
_R2, _R2A, _R2B, _R2C = (np.uint64(2 * _ROW + i * LANES) for i in range(4))
_R3, _R3A, _R3B, _R3C = (np.uint64(3 * _ROW + i * LANES) for i in range(4))


@kernel
def list_runs(
    step_x: NDArray[np.float64],
    step_y: NDArray[np.float64],
    length: int,
    grid: int,
    runs: NDArray[np.int32],
) -> int:
    """Cut the line of samples of each view where it passes from one tile to the next.

    Parameters
    ----------
    step_x, step_y : float64 (views,)
        Cells from one radial frequency to the next.
    length : int
        Radial frequencies of a view; the one at Nyquist is left out.
    grid : int
        Cells on a side of the grid.
    runs : int32 (room, 4)
        Result: tile, view, first frequency, number of frequencies.

    Returns
    -------
    int
        How many runs there are; more than the room says that nothing was written beyond it.
    """
    centre = grid // 2 + WIDTH // 2
    tiles = (grid + 2 * WIDTH) // TILE + 1
    last = (length - 1) // 2
    count = 0
    for view in range(step_x.shape[0]):
        previous = -1
        for k in range(-last, last + 1):
            row = int(k * step_y[view] + centre)
            column = int(k * step_x[view] + centre)
            tile = (row // TILE) * tiles + column // TILE
            # Negative frequencies lie at the end of a spectrum, so a run ends before 0.
            if tile != previous or k == 0:
                if count < runs.shape[0]:
                    runs[count, 0] = tile
                    runs[count, 1] = view
                    runs[count, 2] = k
                    runs[count, 3] = 0
                count += 1
                previous = tile
            if count <= runs.shape[0]:
                runs[count - 1, 3] += 1
    return count


@kernel
def pack(
    sinograms: NDArray[np.float32],
    first: int,
    lines: NDArray[np.float32],
    spoilt: NDArray[np.float32],
) -> None:
    """Bring the slices innermost, zeros behind the row and in lanes without a slice.

    Parameters
    ----------
    sinograms : float32 (slices, views, columns)
        At most `LANES` slices.
    first : int
        First view to take.
    lines : float32 (some views, length, LANES)
        Result.
    spoilt : float32 (LANES,)
        Becomes nan where a slice has values that are not finite.
    """
    slices, _, columns = sinograms.shape
    views, length, _ = lines.shape
    if slices < LANES:
        lines[:, :, :] = np.float32(0)
    for view in range(views):
        line = lines[view]
        for begin in range(0, columns, _PIECE):
            end = min(begin + _PIECE, columns)
            for lane in range(slices):
                row = sinograms[lane, first + view, begin:end]
                nothing = np.float32(0)
                for i in range(row.shape[0]):
                    nothing += row[i] * np.float32(0)
                spoilt[lane] += nothing
                piece = line[begin:end, lane]
                for i in range(row.shape[0]):
                    piece[i] = row[i]
        line[columns:length, :] = np.float32(0)


@kernel
def turn(
    lines: NDArray[np.float32],
    factors: NDArray[np.complex64],
) -> None:
    """Multiply all slices by one complex factor for each view and frequency.

    Parameters
    ----------
    lines : float32 (some views, length, LANES)
        Spectra, real and imaginary part alternating.
    factors : complex64 (some views, length)
        Ramp, weight, and the phases of axis and half pixel.
    """
    views, length, _ = lines.shape
    for view in range(views):
        for k in range(length):
            real = factors[view, k].real
            imaginary = factors[view, k].imag
            cell = lines[view, k]
            for pair in range(LANES // 2):
                a = cell[np.uint64(2 * pair)]
                b = cell[np.uint64(2 * pair + 1)]
                cell[np.uint64(2 * pair)] = a * real - b * imaginary
                cell[np.uint64(2 * pair + 1)] = a * imaginary + b * real


@kernel
def spread_run(
    spectra: NDArray[np.float32],
    begin: int,
    count: int,
    x: float,
    y: float,
    step_x: float,
    step_y: float,
    table: NDArray[np.float32],
    patch: NDArray[np.float32],
) -> None:
    """Spread samples on a line over the cells of one patch.

    Parameters
    ----------
    spectra : float32 (numbers,)
        All spectra, flat.
    begin, count : int
        Index of the first sample's first number; number of samples.
    x, y, step_x, step_y : float
        Place of the first sample within the patch, in cells, and step to the next.
    table : float32 (entries * WIDTH,)
        Weights of the cells at each fraction of a cell.
    patch : float32 (SIDE * SIDE * LANES,)
        Sum so far.
    """
    entries = table.shape[0] // WIDTH
    source = np.uint64(begin)
    for j in range(count):
        here_x = x + j * step_x
        here_y = y + j * step_y
        column = int(here_x)
        row = int(here_y)
        at = np.uint64(int((here_x - column) * entries) * WIDTH)
        x0 = table[at]
        x1 = table[at + np.uint64(1)]
        x2 = table[at + np.uint64(2)]
        x3 = table[at + np.uint64(3)]
        at = np.uint64(int((here_y - row) * entries) * WIDTH)
        y0 = table[at]
        y1 = table[at + np.uint64(1)]
        y2 = table[at + np.uint64(2)]
        y3 = table[at + np.uint64(3)]
        corner = np.uint64(row * _ROW + column * LANES)
        # One loop with constant offsets: the compiler sees that no two cells overlap.
        for lane in range(LANES):
            value = spectra[source + np.uint64(lane)]
            cell = corner + np.uint64(lane)
            a = x0 * value
            b = x1 * value
            c = x2 * value
            d = x3 * value
            patch[cell] += y0 * a
            patch[cell + _LANE] += y0 * b
            patch[cell + _LANE2] += y0 * c
            patch[cell + _LANE3] += y0 * d
            patch[cell + _R1] += y1 * a
            patch[cell + _R1A] += y1 * b
            patch[cell + _R1B] += y1 * c
            patch[cell + _R1C] += y1 * d
            patch[cell + _R2] += y2 * a
            patch[cell + _R2A] += y2 * b
            patch[cell + _R2B] += y2 * c
            patch[cell + _R2C] += y2 * d
            patch[cell + _R3] += y3 * a
            patch[cell + _R3A] += y3 * b
            patch[cell + _R3B] += y3 * c
            patch[cell + _R3C] += y3 * d
        source += _LANE


@kernel
def add_patch(patch: NDArray[np.float32], top: int, left: int, grid: NDArray[np.float32]) -> None:
    """Add a patch to the periodic grid and empty it.

    Parameters
    ----------
    patch : float32 (SIDE * SIDE * LANES,)
        Sums around one tile.
    top, left : int
        Row and column of its first cell; negative ones lie at the end of the grid.
    grid : float32 (G, pitch, LANES)
        Cells; columns from G on are never used.
    """
    size = grid.shape[0]
    for row in range(SIDE):
        line = grid[(top + row) % size].reshape(-1)
        # A row of the patch in two pieces, before and behind the end of the grid's row.
        begin = left % size
        before = min(SIDE, size - begin) * LANES
        sums = patch[row * _ROW : row * _ROW + _ROW]
        cells = line[begin * LANES : begin * LANES + before]
        for i in range(before):
            cells[i] += sums[i]
        for i in range(before, _ROW):
            line[i - before] += sums[i]
    patch[:] = np.float32(0)


@kernel
def spread(
    spectra: NDArray[np.float32],
    runs: NDArray[np.int32],
    step_x: NDArray[np.float64],
    step_y: NDArray[np.float64],
    length: int,
    table: NDArray[np.float32],
    patch: NDArray[np.float32],
    grid: NDArray[np.float32],
) -> None:
    """Spread all samples over the grid, tile by tile.

    Parameters
    ----------
    spectra : float32 (views * length * LANES,)
        From `turn`, flat.
    runs : int32 (runs, 4)
        From `list_runs`, sorted by tile.
    step_x, step_y : float64 (views,)
        Cells from one radial frequency to the next.
    length : int
        Radial frequencies of a view.
    table, patch, grid
        See `spread_run` and `add_patch`; the grid is set to zero first.
    """
    grid[:, :, :] = np.float32(0)
    patch[:] = np.float32(0)
    size = grid.shape[0]
    centre = size // 2 + WIDTH // 2
    tiles = (size + 2 * WIDTH) // TILE + 1
    before = WIDTH // 2 - 1
    for r in range(runs.shape[0]):
        tile = runs[r, 0]
        view = int(runs[r, 1])
        k = int(runs[r, 2])
        top = (tile // tiles) * TILE
        left = (tile % tiles) * TILE
        sample = view * length + (k if k >= 0 else k + length)
        spread_run(
            spectra,
            sample * LANES,
            int(runs[r, 3]),
            k * step_x[view] + centre - left,
            k * step_y[view] + centre - top,
            step_x[view],
            step_y[view],
            table,
            patch,
        )
        if r + 1 == runs.shape[0] or runs[r + 1, 0] != tile:
            add_patch(patch, top - centre - before, left - centre - before, grid)


@kernel
def unpack(
    grid: NDArray[np.float32], correction: NDArray[np.float32], slices: NDArray[np.float32]
) -> None:
    """Take the discs out of the transformed grid, divided by the kernel's transform.

    Parameters
    ----------
    grid : float32 (G, pitch, LANES)
        Pixels; those with negative coordinates lie at the end of each axis.
    correction : float32 (N,)
        Reciprocal of the kernel's transform along one axis.
    slices : float32 (at most LANES, N, N)
        Result, zero outside of the disc that fits.
    """
    size = slices.shape[1]
    around = grid.shape[0]
    for row in range(size):
        line = grid[(row - size // 2) % around]
        first, last = span_of_row(size, row)
        for lane in range(slices.shape[0]):
            slices[lane, row, :first] = np.float32(0)
            slices[lane, row, last:] = np.float32(0)
        begin = first
        while begin < last:
            # No piece crosses the middle, where the grid begins again.
            end = min(begin + _PIECE, last)
            if begin < size // 2 < end:
                end = size // 2
            start = (begin - size // 2) % around
            for lane in range(slices.shape[0]):
                out = slices[lane, row, begin:end]
                pixels = line[start : start + end - begin, lane]
                along = correction[begin:end]
                for i in range(out.shape[0]):
                    out[i] = pixels[i] * along[i] * correction[row]
            begin = end
