"""What a protocol asks of a cell that the cell must not do; said before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from voltomo.experiment.cell import CyclingCell
from voltomo.experiment.protocol import Step


def beyond_limits(
    cell: CyclingCell, steps: Sequence[Step]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Places in the protocol whose own numbers lie beyond the cell's limits, and sentences."""
    for number, step in enumerate(steps):
        for name in ("voltage_V", "until_voltage_V"):
            value: float | None = getattr(step, name)
            if value is not None and not cell.min_V <= value <= cell.max_V:
                side = "above" if value > cell.max_V else "below"
                yield (
                    (number, name),
                    f"{value:g} V lies {side} the cell's limits, {cell.min_V:g} to "
                    f"{cell.max_V:g} V",
                )
        if step.step != "constant_current":
            continue
        current_mA = 1e3 * step.current_A(cell.capacity_Ah)
        if abs(current_mA) > cell.max_current_mA * (1 + 1e-9):
            name = "rate_C" if step.rate_C is not None else "current_mA"
            yield (
                (number, name),
                f"a current of {abs(current_mA):.4g} mA lies above the cell's limit of "
                f"{cell.max_current_mA:g} mA",
            )
