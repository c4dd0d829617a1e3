"""``voltomo reset``: let a latched guard give leases again, with a reason."""

from __future__ import annotations

import os
from pathlib import Path

from voltomo.cli.errors import Refused
from voltomo.cli.say import say
from voltomo.runtime.run_folder import RunFolder

_CONNECTION_S = 5.0


def run_reset(reason: str, run_folder: Path | None) -> None:
    """Reset the guard; it refuses while the shutter is not read closed."""
    if not reason.strip():
        raise Refused("a reset needs a reason: the cause, and what was done about it")
    folder = RunFolder.locate(run_folder)
    addresses = folder.addresses()
    os.environ.update(addresses.client_environment())

    from voltomo.devices.guard_channel import GuardChannel
    from voltomo.devices.quiet_libca import quiet_libca

    quiet_libca()
    guard = GuardChannel(f"{addresses.prefix}Guard:", name="guard")
    try:
        guard.wait_for_connection(timeout=_CONNECTION_S)
    except TimeoutError:
        raise Refused(
            f"guard: expected it to answer within {_CONNECTION_S:g} s, saw nothing; without a "
            "guard the shutter stays closed; see 'voltomo status'"
        ) from None
    if str(guard.state.get()) != "Latched":
        say("the guard is not latched; nothing was changed")
        return
    guard.reset(reason)
    say("the guard gives leases again; the reason is in the exposure log")
