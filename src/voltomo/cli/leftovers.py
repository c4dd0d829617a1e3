"""Services that outlived their supervisor."""

from __future__ import annotations

from voltomo.cli.processes import end, identity_in
from voltomo.cli.services import stop_order
from voltomo.runtime.run_folder import RunFolder

_SERVICE_S = 4.0


def end_leftovers(folder: RunFolder) -> list[str]:
    """End every service that a run folder's state files name and that still runs, the beam first.

    Returns
    -------
    list of str
        Names of those that were ended.
    """
    ended: list[str] = []
    for name in stop_order([path.stem for path in sorted(folder.services.glob("*.json"))]):
        process = identity_in(folder.services / f"{name}.json")
        if process is not None and process.alive:
            end(process, _SERVICE_S)
            ended.append(name)
    return ended
