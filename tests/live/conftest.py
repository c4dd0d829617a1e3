"""The scan that the engine's tests share, and the way to the modules beside them."""

import sys
from pathlib import Path

import numpy as np
import pytest

# The synthetic scan is shared by the tests of this room.
sys.path.insert(0, str(Path(__file__).parent))

from engine_rig import watched
from synthetic_scan import SyntheticScan

from voltomo.runtime.append_log import AppendLog


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> SyntheticScan:
    return SyntheticScan(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def whole(scan: SyntheticScan, tmp_path_factory) -> np.ndarray:
    """The final slice of a scan of which nothing was lost."""
    log = tmp_path_factory.mktemp("whole") / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    with watched(log) as live:
        return live.done().image
