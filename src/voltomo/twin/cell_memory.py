"""The virtual cell outlives the process that serves it: what it was, kept in a file of the run."""

from __future__ import annotations

import json
from pathlib import Path

from voltomo.runtime.run_folder import RunFolder, write_json
from voltomo.twin.cell_model import CellModel
from voltomo.twin.world import World

_KEPT = ("soc", "temperature_C", "polarisation_V", "charge_Ah")
_REST_PIECE_S = 30.0
_LONGEST_REST_S = 1e6


class CellMemory:
    """What a cell was when it was last looked at.

    Parameters
    ----------
    folder : RunFolder
        Where the file lies.
    world : World
        Cells of an earlier world are forgotten.
    """

    def __init__(self, folder: RunFolder, world: World) -> None:
        self._path: Path = folder.root / "virtual-cell.json"
        self._world = world

    def keep(self, cell: CellModel) -> None:
        """Write the cell down."""
        kept = {name: getattr(cell, name) for name in _KEPT}
        world = self._world
        write_json(self._path, {"world": world.utc_s(0.0), "at_s": world.now_s(), **kept})

    def recall(self, cell: CellModel, acceleration: float) -> bool:
        """Bring a cell to what it was, and let it rest since; whether there was one."""
        if not self._path.exists():
            return False
        kept = json.loads(self._path.read_text())
        if kept["world"] != self._world.utc_s(0.0):
            return False
        for name in _KEPT:
            setattr(cell, name, float(kept[name]))
        left_s = min((self._world.now_s() - kept["at_s"]) * acceleration, _LONGEST_REST_S)
        while left_s > 0:
            cell.advance(0.0, min(left_s, _REST_PIECE_S))
            left_s -= _REST_PIECE_S
        return True
