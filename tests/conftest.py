"""What holds for every test: no beamline of the caller's, no screen, no luck, no clock."""

import os

from hypothesis import settings

# libca reads its environment once a process: nothing of the caller's may be left by then,
# or a test would find, and move, something real.
for name in [name for name in os.environ if name.startswith(("EPICS_", "VOLTOMO_RUN_"))]:
    del os.environ[name]
os.environ["EPICS_CA_AUTO_ADDR_LIST"] = "NO"
os.environ["EPICS_CA_ADDR_LIST"] = "127.0.0.1"
os.environ["EPICS_PVA_AUTO_ADDR_LIST"] = "NO"
os.environ["EPICS_PVA_ADDR_LIST"] = "127.0.0.1"
os.environ["MPLBACKEND"] = "Agg"

# Behaviour is asserted, never speed; a run that decides about a merge draws the same examples.
settings.register_profile("voltomo", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "voltomo")
