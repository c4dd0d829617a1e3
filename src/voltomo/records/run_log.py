"""The run log: every document of the RunEngine, and every decision beside them, on disk first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voltomo.runtime.append_log import AppendLog


class RunLog:
    """Writes documents to the run log; give it to ``RE.subscribe``.

    It is the critical writer of a run: when it cannot write, the exception goes on to the
    RunEngine, which ends the plan and so closes the beam.

    Parameters
    ----------
    log : Path or AppendLog
        The log; made if it does not exist. `voltomo.records.closing.open_run_log` opens it as a
        session does.

    Raises
    ------
    LogInUse
        Another process writes this log.
    LogDamaged
        An entry of the log does not fit its checksum.
    """

    def __init__(self, log: Path | AppendLog) -> None:
        self._log = log if isinstance(log, AppendLog) else AppendLog(log)

    @property
    def path(self) -> Path:
        """Where the log lies."""
        return self._log.path

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Write one document and sync it to disk.

        Parameters
        ----------
        name : str
            "start", "descriptor", "event_page", "stream_resource", …
        doc : mapping
            The document; numpy scalars and arrays become JSON numbers and lists.
        """
        self._log.append("document", {"name": name, "doc": dict(doc)})

    def append_entry(self, kind: str, data: Any) -> int:
        """Write an entry that is no document: "settlement", "preflight", "note".

        Returns
        -------
        int
            The entry's number.
        """
        if kind == "document":
            raise ValueError(
                "documents come from the RunEngine alone; call the run log with the document's "
                "name, or choose another kind of entry"
            )
        return self._log.append(kind, data)

    def close(self) -> None:
        """Let another process write."""
        self._log.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
