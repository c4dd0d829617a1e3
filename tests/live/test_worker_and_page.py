"""Worker and page as processes, between a camera and trigger of the test's own and clients."""

import asyncio
import http.client
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import websockets
from PIL import Image
from synthetic_scan import SyntheticScan

from tools.browser import Browser
from voltomo.live.observer import SliceObserver, latencies_s
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.launch import end_of_log, give_addresses, launch
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import Addresses, RunFolder, write_json
from voltomo.runtime.service import ServiceSpec

HERE = str(Path(__file__).parent)
PATIENCE_S = 30.0

pytestmark = pytest.mark.slow

JUDGED = {
    "lost_frames": "good",
    "mean_transmission": "good",
    "snr": "good",
    "axis_error": "good",
    "frc_resolution": "unknown",
    "sharpness": "unknown",
    "ring_strength": "unknown",
    "missing_cone": "unknown",
}
"""Verdicts of a whole scan; nobody gave thresholds for the last four."""

CLIENT = """
import asyncio, json, sys
import aioca
async def main():
    for line in sys.stdin:
        name, *words = line.rstrip("\\n").split(" ", 1)
        try:
            if words:
                kind = aioca.DBR_CHAR_STR if name.endswith("Command") else None
                await aioca.caput(name, words[0] if kind else int(words[0]), datatype=kind)
                print("null", flush=True)
                continue
            text = name.endswith(("Verdicts", "ScanUid", "Segments"))
            value = await aioca.caget(
                name, datatype=aioca.DBR_CHAR_STR if text else None, timeout=2
            )
            print(json.dumps(str(value) if text else float(value)), flush=True)
        except aioca.CANothing:
            print("null", flush=True)
asyncio.run(main())
"""


@dataclass
class Station:
    folder: RunFolder
    addresses: Addresses
    scan: SyntheticScan
    camera: subprocess.Popen[str]
    client: subprocess.Popen[str]
    services: dict[str, subprocess.Popen[bytes]]

    def ask(self, line: str) -> Any:
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        self.client.stdin.write(line + "\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())

    def stream(self, first: int, last: int, *lost: int) -> None:
        assert self.camera.stdin is not None
        assert self.camera.stdout is not None
        self.camera.stdin.write(" ".join(map(str, ("stream", first, last, *lost))) + "\n")
        self.camera.stdin.flush()
        assert self.camera.stdout.readline() == "streamed\n"

    def start(self, name: str) -> None:
        spec = ServiceSpec(name=name, module=f"voltomo.live.{name}", domain="analysis")
        self.services[name] = launch(spec, self.folder, self.addresses)

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.addresses.page, timeout=5)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        answer.read = lambda *_: body  # type: ignore[method-assign]
        return answer

    def serves(self) -> bool:
        try:
            return self.get("/state").status == 200
        except OSError:
            return False

    def until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            logs = "\n".join(end_of_log(self.folder, name) for name in self.services)
            assert time.monotonic() < deadline, logs
            time.sleep(0.05)


@pytest.fixture(scope="module")
def station(tmp_path_factory) -> Iterator[Station]:
    folder = RunFolder(tmp_path_factory.mktemp("run")).create()
    ports = lock_ports("test of the worker")
    addresses = give_addresses(ports, ("camera", "worker"), ("camera", "worker"))
    folder.write_addresses(addresses)
    write_json(folder.settings, {"live": {"publish_s": 0.05}})
    clean = {name: text for name, text in os.environ.items() if not name.startswith("EPICS_")}
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "text": True,
    }
    camera = subprocess.Popen(
        [sys.executable, "-m", "fake_beamline", str(folder.frames)],
        env=clean | addresses.server_environment("camera") | {"PYTHONPATH": HERE},
        **pipes,
    )
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT], env=clean | addresses.client_environment(), **pipes
    )
    station = Station(folder, addresses, SyntheticScan(folder.frames), camera, client, {})
    assert camera.stdout is not None
    station.start("worker")
    station.start("page")
    try:
        # EPICS base prints its greeting first.
        assert "up\n" in iter(camera.stdout.readline, "")
        station.until(lambda: station.ask("VT:Live:State") is not None and station.serves())
        yield station
    finally:
        for process in (*station.services.values(), camera, client):
            process.terminate()
        for process in (*station.services.values(), camera, client):
            process.wait(10)
        for pipe in (camera.stdin, camera.stdout, client.stdin, client.stdout):
            assert pipe is not None
            pipe.close()
        ports.release()


def test_a_scan_goes_through_and_a_restart_completes_it(station: Station) -> None:
    scan, ask = station.scan, station.ask
    sweep = scan.block("sweep_0")
    order = {"op": "start", "uid": scan.uid, "scan_spec": scan.spec.model_dump(mode="json")}
    ask("VT:Live:Command {nonsense")
    with AppendLog(station.folder.run_log) as log, SliceObserver(station.addresses) as observer:
        ask(f"VT:Live:Command {json.dumps(order)}")
        scan.log_start(log)
        station.until(lambda: ask("VT:Live:ScanUid") == scan.uid)
        for block in scan.spec.blocks()[:3]:
            scan.log_file(log, block, scan.write_file(block))
            station.stream(block.first, block.last)
            scan.log_latches(log, block.first, block.last)
        scan.log_file(log, sweep, scan.write_file(sweep))
        station.stream(sweep.first, sweep.first + 40, sweep.first + 5)
        half = observer.wait_for(scan.uid, 39, PATIENCE_S)
        assert half is not None, end_of_log(station.folder, "worker")
        assert half.last_trigger == sweep.first + 39
        assert half.row == 2
        assert half.image.shape == (64, 64)

        worker = station.services["worker"]
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        station.start("worker")
        station.until(lambda: ask("VT:Live:ScanUid") == scan.uid)
        station.stream(sweep.first + 40, sweep.last)
        scan.log_latches(log, sweep.first, sweep.last)
        scan.log_stop(log)
        whole = observer.wait_for(scan.uid, 90, PATIENCE_S, complete=True)
        assert whole is not None, end_of_log(station.folder, "worker")
        station.until(lambda: ask("VT:Live:State") == 3)
        receipts = observer.receipts(scan.uid)
        assert latencies_s(receipts, np.array([106]), np.array([0.0])).size == 1
    found = json.loads(ask("VT:Live:Verdicts"))
    assert found["scan_uid"] == scan.uid
    assert {v["metric"]: v["judgement"] for v in found["verdicts"]} == JUDGED
    assert found["state"] == "Done"
    assert ask("VT:Live:Height") == 2
    assert ask("VT:Live:LostFrames") == 0
    # What was labelled last is the whole slice; discs in water are none of the trained samples.
    station.until(lambda: json.loads(ask("VT:Live:Segments")).get("frames") == 90)
    segments = json.loads(ask("VT:Live:Segments"))
    assert (segments["scan_uid"], segments["row"]) == (scan.uid, 2)
    assert sum(segments["fractions"].values()) == pytest.approx(1.0, abs=1e-3)
    assert segments["validated"] is False
    assert segments["reason"]
    assert ask("VT:Live:Validated") == 0
    assert ask("VT:Live:FractionPore") == pytest.approx(segments["fractions"]["pore"], abs=1e-4)
    assert (ask("VT:Live:ViewsDropped"), ask("VT:Live:ViewsWaiting")) == (0, 0)
    assert ask("VT:Live:LastTrigger") == sweep.last - 1
    assert 0.8 < ask("VT:Live:Transmission") < 0.95


def test_the_height_is_moved_by_a_put(station: Station) -> None:
    with SliceObserver(station.addresses) as observer:
        station.ask("VT:Live:Height 0")
        station.until(lambda: observer.latest is not None and observer.latest.row == 0)
        station.until(lambda: observer.latest is not None and observer.latest.frames == 90)
        station.ask("VT:Live:Height 2")
        station.until(lambda: observer.latest is not None and observer.latest.row == 2)
        assert observer.latest is not None
        assert observer.latest.frames == 90
    assert station.ask("VT:Live:Height") == 2


def test_the_page_is_there_and_keeps_others_out(station: Station) -> None:
    page = station.get("/")
    assert page.status == 200
    assert b"voltomo" in page.read()
    assert "default-src 'self'" in (page.getheader("Content-Security-Policy") or "")
    for path in ("/static/page.js", "/static/page.css", "/favicon.ico"):
        assert station.get(path).status == 200
    assert station.get("/static/../page.py").status == 404
    assert station.get("/", Host="evil.example").status == 400
    station.until(lambda: json.loads(station.get("/state").read()).get("frames_processed"))


def test_the_websocket_brings_values_and_slice(station: Station) -> None:
    host = f"127.0.0.1:{station.addresses.page}"

    async def look() -> tuple[dict[str, Any], bytes]:
        values: dict[str, Any] = {}
        picture = b""
        async with websockets.connect(f"ws://{host}/live", origin=f"http://{host}") as socket:  # pyright: ignore[reportArgumentType]
            async with asyncio.timeout(PATIENCE_S):
                while not picture or values.get("verdicts") is None:
                    message = await socket.recv()
                    if isinstance(message, str):
                        values = json.loads(message)
                        await socket.send("next")
                    elif struct.unpack_from("<I", message, 24) == (0,):
                        picture = message
        return values, picture

    # The first viewer, and another one after a while in which nobody looked.
    asyncio.run(look())
    values, picture = asyncio.run(look())
    assert values["scan_uid"] == station.scan.uid
    assert values["triggers"] == station.scan.spec.triggers
    assert values["exit_status"] == "success"
    width, height, _, low, high, frames, row, _ = struct.unpack_from("<HHiffIiI", picture)
    assert (width, height) == (64, 64)
    assert len(picture) == 28 + 64 * 64
    assert (frames, row) == (90, 2)
    assert values["scanned"] == station.scan.spec.sample
    assert (values["views"], values["pixel_um"]) == (90, 1.0)
    assert (values["views_waiting"], values["views_dropped"]) == (0, 0)
    assert low < 0.01 < high


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium to look with")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it(station: Station, width: int) -> None:
    with Browser() as browser:
        page = browser.open(f"http://127.0.0.1:{station.addresses.page}/", width=width)
        page.wait("document.getElementById('caption').textContent.includes('90 of 90 views')")

        def text(name: str) -> str:
            return page.value(f"document.getElementById({name!r}).textContent")

        assert text("sample") == station.scan.spec.sample
        assert text("progress-text").endswith("complete")
        assert text("bar-text") == "10 µm"
        assert re.fullmatch(
            r"Detector row 2; 90 of 90 views; attenuation −?\d+ to \d+ cm⁻¹",
            text("caption"),
        )
        assert text("dose-text") == text("reason") == "" or text("guard") == "does not answer"
        assert page.value("document.documentElement.scrollWidth") <= width
        shown = np.asarray(Image.open(io.BytesIO(page.picture())).convert("L"))
        assert shown.shape[1] == width
        # Black and white of the slice, not of letters: some hundred pixels of each.
        assert min(np.count_nonzero(shown < 30), np.count_nonzero(shown > 225)) > 300


PLAN = """
import json, os, signal, sys, time
from voltomo.devices.live_verdicts import LiveVerdicts
uid, pid = sys.argv[1], int(sys.argv[2])
live = LiveVerdicts("VT:Live:", name="live")
end_s = time.monotonic() + 20
while live.state_of(uid) != "Done" or live.progress()["frames_processed"] is None:
    assert time.monotonic() < end_s, live.progress()
    time.sleep(0.02)
before = live.verdicts(uid)
os.kill(pid, signal.SIGSTOP)
try:
    time.sleep(0.2)
    begun_s = time.monotonic()
    for _ in range(20):
        live.tell(json.dumps({"op": "nothing"}))
        still = live.verdicts(uid)
        live.progress(), live.no_slice(uid), live.verdicts("another")
    took_s = time.monotonic() - begun_s
finally:
    os.kill(pid, signal.SIGCONT)
sys.stdout.write(json.dumps([took_s, before == still, sorted(still), live.progress()]))
sys.stdout.flush()
os._exit(0)
"""


def test_a_worker_that_hangs_keeps_no_plan_waiting(station: Station) -> None:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("EPICS_")}
    done = subprocess.run(
        [sys.executable, "-c", PLAN, station.scan.uid, str(station.services["worker"].pid)],
        env=clean | station.addresses.client_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    took_s, same, metrics, progress = json.loads(done.stdout)
    # One read that waits would take the time-out of a signal, 2 s or more.
    assert took_s < 1.0
    assert same
    assert metrics == sorted(JUDGED)
    assert progress["frames_processed"] == station.scan.block("sweep_0").last


def test_a_scan_without_a_slice_is_a_state_that_all_can_see(station: Station) -> None:
    ask = station.ask
    geometry = station.scan.spec.geometry.model_copy(update={"step_deg": 0.0})
    spec = station.scan.spec.model_copy(update={"geometry": geometry, "motion": "step"})
    order = {"op": "start", "uid": "still", "scan_spec": spec.model_dump(mode="json")}
    ask(f"VT:Live:Command {json.dumps(order)}")
    station.until(lambda: ask("VT:Live:State") == 4)
    assert ask("VT:Live:ScanUid") == "still"
    found = json.loads(ask("VT:Live:Verdicts"))
    assert (found["state"], found["verdicts"]) == ("No slice", [])
    assert "a stage that turns" in found["reason"]
    station.until(lambda: json.loads(station.get("/state").read()).get("live") == "No slice")
    station.until(
        lambda: "turns" in (json.loads(station.get("/state").read()).get("live_reason") or "")
    )


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"additional_headers": {"Host": "evil.example"}}]
)
def test_the_websocket_refuses_pages_from_elsewhere(station: Station, headers: Any) -> None:
    async def look() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{station.addresses.page}/live", **headers):
            pass

    with pytest.raises(websockets.exceptions.InvalidStatus) as refusal:
        asyncio.run(look())
    assert refusal.value.response.status_code in (400, 403)


@pytest.mark.parametrize("name", ["page", "worker"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_both_end_at_once_and_well(station: Station, name: str, number: signal.Signals) -> None:
    process = station.services[name]
    if name == "page":
        station.until(station.serves)
    else:
        station.until(lambda: station.ask("VT:Live:State") is not None)
    process.send_signal(number)
    assert process.wait(4) == 0, end_of_log(station.folder, name)
    station.start(name)
