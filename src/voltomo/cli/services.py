"""Which processes a run has, in the order in which they start."""

from __future__ import annotations

from voltomo.runtime.run_folder import Addresses
from voltomo.runtime.service import Domain, ServiceSpec

CHANNEL_ACCESS = ("motion", "beam", "shutter", "camera", "writer", "guard", "worker")
PV_ACCESS = ("camera", "worker")
_OWN_CHANNEL_ACCESS = ("guard", "worker")
_OWN_PV_ACCESS = ("worker",)

_TWIN: tuple[tuple[str, str, Domain], ...] = (
    ("motion", "voltomo.twin.motion_ioc", "hardware"),
    ("beam", "voltomo.twin.beam_ioc", "hardware"),
    ("shutter", "voltomo.twin.shutter_ioc", "hardware"),
    ("camera", "voltomo.twin.camera_ioc", "hardware"),
    ("writer", "voltomo.twin.writer_ioc", "hardware"),
)
_CELL: tuple[tuple[str, str, Domain], ...] = (("cell", "voltomo.twin.cell_ioc", "cell"),)
_FILLER: tuple[tuple[str, str, Domain], ...] = (("catalogue", "voltomo.records.filler", "records"),)
_OWN: tuple[tuple[str, str, Domain], ...] = (
    ("guard", "voltomo.dose.guard_ioc", "guard"),
    ("worker", "voltomo.live.worker", "analysis"),
    ("page", "voltomo.live.page", "page"),
)


def served(*, virtual: bool, cell: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which services serve over Channel Access, and which over PV Access."""
    if not virtual:
        return _OWN_CHANNEL_ACCESS, _OWN_PV_ACCESS
    return (*CHANNEL_ACCESS, *(("cell",) if cell else ())), PV_ACCESS


_SILENCE_S = {"guard": 10.0, "catalogue": 900.0}
"""A hung guard has let the shutter close long before; the others may be busy for a while,
the catalogue for long: it takes only what time is left over."""


def services(
    addresses: Addresses, *, virtual: bool, catalogue: bool = False, cell: bool = False
) -> tuple[ServiceSpec, ...]:
    """Services of a run: the twin's where it is virtual, voltomo's own, the catalogue's.

    The twin's cycler is one of them where ``cell`` asks for it.
    """
    twin = (*_TWIN, *(_CELL if cell else ())) if virtual else ()
    table = (*twin, *_OWN, *(_FILLER if catalogue else ()))
    return tuple(
        ServiceSpec(
            name=name,
            module=module,
            domain=domain,
            ready_port=_ready_port(addresses, name),
            silence_s=_SILENCE_S.get(name, ServiceSpec.silence_s),
        )
        for name, module, domain in table
    )


def _ready_port(addresses: Addresses, name: str) -> int | None:
    """Where a service accepts once it serves; nobody waits for the catalogue."""
    if name == "catalogue":
        return None
    return addresses.channel_access.get(name, addresses.page)


def stop_order(names: list[str]) -> list[str]:
    """Beam off first: the guard closes, then the shutter's controller ends, then the rest."""
    first = [name for name in ("guard", "shutter") if name in names]
    return first + [name for name in reversed(names) if name not in first]
