"""The guard's PVs, on records of a real EPICS base in a process of their own."""

import json
import os
import subprocess
import sys

import pytest

from voltomo.dose.guard_records import clipped
from voltomo.model.names import safe_name
from voltomo.runtime.ports import lock_ports

SHOW = """
import json, os, sys
from softioc import asyncio_dispatcher, builder, softioc
from voltomo.dose.guard_records import GuardRecords
records = GuardRecords("VT:", print, print, print)
builder.LoadDatabase()
softioc.iocInit(asyncio_dispatcher.AsyncioDispatcher(), enable_pva=False)
for words in json.load(sys.stdin):
    records.show({"State": "Idle", "LeaseId": "", **words}, {"Dose": 1.0}, alarm=0)
    print(json.dumps([records._sample.get(), records._reason.get()]), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cell", "cell"),
        ("a" * 64, "a" * 36 + "…"),
        ("ü" * 30, "ü" * 18 + "…"),
        ("電" * 13, "電" * 13),
        ("電" * 14, "電" * 12 + "…"),
        ("", ""),
    ],
)
def test_a_text_that_is_too_long_is_cut_between_letters(text, shown):
    assert clipped(text, 40) == shown
    assert len(shown.encode()) < 40


def test_every_name_that_a_sample_may_have_can_be_shown():
    names = [safe_name("a" * 64), safe_name("電" * 64), safe_name("Prüfling " * 7 + "ä")]
    words = [{"Sample": name, "Reason": name * 40} for name in names]
    ports = lock_ports("test of the guard's records")
    port = str(ports.port(0))
    environment = os.environ | {
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_SERVER_PORT": port,
        "EPICS_CAS_SERVER_PORT": port,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", SHOW],
            input=json.dumps(words),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        ports.release()
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(names), done.stderr
    for name, (sample, reason) in zip(names, lines, strict=True):
        assert name.startswith(sample.removesuffix("…"))
        assert (name * 40).startswith(reason.removesuffix("…"))
        assert len(sample) >= 13
