"""A client of the guard in a process of its own: orders by line on stdin, answers on stdout.

Between orders it renews the lease that it was told to hold, as a plan does.
"""

from __future__ import annotations

import json
import select
import sys
import uuid
from collections.abc import Callable
from typing import Any

from epics import PV

_RENEW_EVERY_S = 0.1
_PATIENCE_S = 3.0


class Client:
    """PVs by name, and the lease that is held."""

    def __init__(self) -> None:
        self._pvs: dict[str, PV] = {}
        self._held: str | None = None
        self._lost = ""

    def pv(self, name: str) -> PV:
        """A PV that is connected."""
        if name not in self._pvs:
            self._pvs[name] = PV(f"VT:{name}", auto_monitor=False)
        if not self._pvs[name].wait_for_connection(timeout=10):
            raise ConnectionError(f"{name} is not connected")
        return self._pvs[name]

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        """A command and the guard's reply to it."""
        identity = uuid.uuid4().hex
        text = json.dumps({"id": identity, "op": op, **words})
        self.pv("Guard:Command").put(text, wait=True, timeout=_PATIENCE_S)
        for reply in reversed(json.loads(self.get("Guard:Reply"))["replies"]):
            if reply["id"] == identity:
                return reply
        return {"ok": False, "error": "no reply"}

    def hold(self, lease_id: str) -> None:
        """Renew a lease from here on, lost or not."""
        self._held, self._lost = lease_id, ""

    def let_go(self) -> str:
        """Renew no more; the first error of a renewal, or an empty string."""
        self._held = None
        return self._lost

    def get(self, name: str) -> Any:
        """Value of a PV, fetched; a long string as text."""
        pv = self.pv(name)
        text = bool(pv.count and pv.count > 1)
        return pv.get(use_monitor=False, timeout=_PATIENCE_S, as_string=text)

    def severity(self, name: str) -> int:
        """Alarm severity of a PV."""
        return int(self.pv(name).get_with_metadata(use_monitor=False, form="time")["severity"])

    def put(self, name: str, value: Any, wait: bool = False) -> None:
        """Put a value."""
        self.pv(name).put(value, wait=wait, timeout=_PATIENCE_S)

    def renew(self) -> None:
        """The heartbeat."""
        if self._held is None:
            return
        try:
            answer = self.ask("renew", lease_id=self._held)
        except (ConnectionError, TypeError) as error:
            answer = {"ok": False, "error": f"no answer: {error}"}
        if not answer["ok"]:
            self._lost = self._lost or answer["error"]


def main() -> None:
    """Obey until stdin ends."""
    client = Client()
    orders: dict[str, Callable[..., Any]] = {
        name: getattr(client, name) for name in ("ask", "hold", "let_go", "get", "severity", "put")
    }
    while True:
        ready, _, _ = select.select([sys.stdin.buffer], [], [], _RENEW_EVERY_S)
        if not ready:
            client.renew()
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            return
        order, arguments, words = json.loads(line)
        answer = orders[order](*arguments, **words)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
