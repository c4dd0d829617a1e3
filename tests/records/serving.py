"""A catalogue served by the command, and a client that a test can close."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voltomo.records.catalogue_settings import read_key
from voltomo.runtime.run_folder import RunFolder


@contextmanager
def served_catalogue(folder: RunFolder) -> Iterator[tuple[str, str]]:
    """Address and key of a catalogue, served by ``voltomo catalogue serve``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["catalogue", "serve", "--run-folder", str(folder.root), "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, "-m", "voltomo.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said = ""
            while "Ctrl-C" not in said:
                line = process.stdout.readline() if process.stdout else ""
                assert line, said
                said += line
            (address,) = re.findall(r"http://\S+", said)
            key_file = folder.catalogue / "api-key"
            assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
            key = read_key(key_file)
            assert key not in said
            while not _listens(port):
                assert process.poll() is None
                time.sleep(0.05)
            yield address, key
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def client_of(address: str, key: str, kinds: Any = "numpy") -> Any:
    """What ``tiled.client.from_uri`` gives; a test closes its ``context``."""
    from tiled.client import Context, from_context

    context, path = Context.from_any_uri(address, api_key=key)
    return from_context(context, kinds, path)
