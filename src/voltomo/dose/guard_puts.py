"""What the guard puts beside its counter: the gate mode, and the second way out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from voltomo.dose.guard_settings import GuardSettings
from voltomo.model.pv_names import PvNames

__all__ = ["put_all", "put_through", "take_way_out"]

_PUT_s = 1.0


async def put_through(name: str, value: str | float) -> bool:
    """Put and wait until it is done; whether it was."""
    import aioca

    result = await aioca.caput(
        name,
        value,
        datatype=aioca.DBR_STRING if isinstance(value, str) else aioca.DBR_DOUBLE,
        wait=True,
        timeout=_PUT_s,
        throw=False,
    )
    return bool(result.ok)


async def take_way_out(settings: GuardSettings, pvs: PvNames) -> dict[str, bool]:
    """Put attenuators in and close the photon shutter, both at once.

    Returns
    -------
    dict
        Each PV that is known, and whether it took its order within a second.
    """
    orders: dict[str, float] = {}
    if pvs.attenuator is not None and settings.way_out_transmission is not None:
        orders[pvs.attenuator] = settings.way_out_transmission
    if settings.photon_shutter_pv is not None:
        orders[settings.photon_shutter_pv] = settings.photon_shutter_closed
    return await put_all(orders)


async def put_all(orders: Mapping[str, float]) -> dict[str, bool]:
    """Put several at once; each PV, and whether it took its order within a second."""
    done = await asyncio.gather(*(put_through(name, value) for name, value in orders.items()))
    return dict(zip(orders, done, strict=True))
