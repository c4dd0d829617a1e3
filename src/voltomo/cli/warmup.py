"""``voltomo warmup``: compile what is compiled, once."""

from __future__ import annotations

import typer


def run_warmup() -> None:
    """Compile the kernels of reconstruction and twin into their caches."""
    from voltomo.analysis.warmup import warm_up
    from voltomo.twin.warmup import warm_up as warm_up_twin

    warm_up()
    warm_up_twin()
    typer.echo("kernels are compiled")
