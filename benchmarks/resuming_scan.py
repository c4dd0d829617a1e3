"""A session that scans ``scan.yml`` of a run folder, and goes on by itself after every pause."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bluesky.utils import RunEngineInterrupted

from voltomo.profiles.beamline_file import running_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.session import open_session
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.yaml_file import load_yaml

_PAUSED_S = 0.5


def main() -> None:
    """Scan; print uid, exit status and the number of pauses as JSON last."""
    folder = RunFolder(Path(sys.argv[1]))
    beamline = running_beamline(folder)
    spec = load_yaml(folder.root / "scan.yml", ScanFile).spec(beamline)
    stopped: list[dict[str, str]] = []
    pauses = 0
    with open_session(folder, beamline) as session:
        # Not before the session, which says where EPICS is.
        from voltomo.plans.scan import scan

        session.RE.subscribe(lambda _name, doc: stopped.append(doc), "stop")
        try:
            session.RE(scan(session.beamline, spec))
        except RunEngineInterrupted:
            pauses += 1
        while str(session.RE.state) == "paused":
            time.sleep(_PAUSED_S)
            try:
                session.RE.resume()
            except RunEngineInterrupted:
                pauses += 1
    made = {
        "uid": stopped[-1]["run_start"], "exit": stopped[-1]["exit_status"], "pauses": pauses,
    }  # fmt: skip
    sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
