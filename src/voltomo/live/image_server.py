"""The worker's images over PVA: the horizontal slice, two planes along the axis, an oblique one."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from voltomo.live.live_planes import PlaneState
from voltomo.live.slice_state import SliceState

CHANNELS = {"xy": "Slice", "xz": "SliceXZ", "yz": "SliceYZ", "oblique": "Oblique"}
"""Last part of the PV of each plane."""


class ImageServer:
    """Serves all planes as NTNDArray; ``uniqueId`` is the highest trigger index in an image.

    Parameters
    ----------
    prefix : str
        First part of the names, ``VT:Live:`` on the virtual beamline.
    others : dict, optional
        Further PVs by their names.
    """

    def __init__(self, prefix: str, others: dict[str, Any] | None = None) -> None:
        from p4p.nt import NTNDArray
        from p4p.server import Server
        from p4p.server.thread import SharedPV

        self._type = NTNDArray()
        self._pvs = {name: SharedPV() for name in CHANNELS}
        for pv in self._pvs.values():
            pv.open(self._type.wrap(np.zeros((2, 2), np.float32)))
        served = {prefix + CHANNELS[name]: pv for name, pv in self._pvs.items()}
        self._server = Server(providers=[served | (others or {})])

    def post_slice(self, uid: str, state: SliceState) -> None:
        """Publish the horizontal slice that one detector row makes."""
        position = json.dumps({"row": state.row})
        self._post("xy", uid, state, {"position": position})

    def post_plane(self, uid: str, state: PlaneState) -> None:
        """Publish a plane that whole frames make."""
        more = {"position": state.position, "redraw_ms": state.redraw_ms}
        self._post(state.name, uid, state, more)

    def _post(
        self, name: str, uid: str, state: SliceState | PlaneState, more: dict[str, Any]
    ) -> None:
        words = {
            "scan_uid": uid,
            "frames": state.frames,
            "row": state.row,
            "sweep": state.sweep,
            "complete": state.complete,
            "last_trigger": state.last_trigger,
            **more,
        }
        value = self._type.wrap(state.image, timestamp=time.time())
        value["uniqueId"] = state.last_trigger
        value["attribute"] = [{"name": key, "value": word} for key, word in words.items()]
        self._pvs[name].post(value)

    def stop(self) -> None:
        """End serving."""
        self._server.stop()
