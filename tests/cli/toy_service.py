"""A service that listens, writes down when it starts and ends, and can be told to misbehave."""

import argparse
import os
import signal
import socket
import sys
import time
from pathlib import Path

from voltomo.runtime.heartbeat import Heartbeat
from voltomo.runtime.service import die_with_parent, stop_on_signals


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--manner", default="good")
    given = parser.parse_args()
    die_with_parent()

    def note(what: str) -> None:
        with (given.run_folder / "events.txt").open("a") as file:
            file.write(f"{what} {given.name} {os.getpid()}\n")

    if given.manner == "broken":
        sys.stderr.write("the toy cannot find its batteries\n")
        raise SystemExit(3)
    stopping = stop_on_signals(lambda: None)
    if given.manner == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("start")
    if given.manner == "deaf":
        stopping.wait()
        return
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", given.port))
        server.listen()
        if given.manner == "stubborn":
            while True:
                time.sleep(1)
        heartbeat, end_s = Heartbeat.of_process(), time.monotonic() + 1.5
        while given.manner != "mute" and not stopping.wait(0.1):
            if given.manner != "hanging" or time.monotonic() < end_s:
                heartbeat.beat()
        stopping.wait()
    note("end")


if __name__ == "__main__":
    main()
