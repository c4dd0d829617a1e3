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
_OWN: tuple[tuple[str, str, Domain], ...] = (
    ("guard", "voltomo.dose.guard_ioc", "guard"),
    ("worker", "voltomo.live.worker", "analysis"),
    ("page", "voltomo.live.page", "page"),
)


def served(*, virtual: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which services serve over Channel Access, and which over PV Access."""
    return (CHANNEL_ACCESS, PV_ACCESS) if virtual else (_OWN_CHANNEL_ACCESS, _OWN_PV_ACCESS)


def services(addresses: Addresses, *, virtual: bool) -> tuple[ServiceSpec, ...]:
    """Services of a run: the twin's where the beamline is virtual, and voltomo's own."""
    table = (*_TWIN, *_OWN) if virtual else _OWN
    return tuple(
        ServiceSpec(
            name=name,
            module=module,
            domain=domain,
            ready_port=addresses.channel_access.get(name, addresses.page),
        )
        for name, module, domain in table
    )


def stop_order(names: list[str]) -> list[str]:
    """Beam off first: the guard closes, then the shutter's controller ends, then the rest."""
    first = [name for name in ("guard", "shutter") if name in names]
    return first + [name for name in reversed(names) if name not in first]
