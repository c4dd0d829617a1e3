"""Pages in a headless Chromium, over its DevTools socket; no driver is needed."""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip
_START_S = 30.0
PHONE = 600
"""Windows narrower than this behave as a phone's."""
_ANSWER_S = 30.0


class Page:
    """A page in a browser.

    Parameters
    ----------
    ask : callable
        Sends a command of the DevTools protocol to the page.
    url : str
        Its address.
    """

    def __init__(self, ask: Callable[..., dict[str, Any]], url: str) -> None:
        self._ask = ask
        self._url = url
        self.wait("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives, by way of JSON."""
        answer = self._ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer["result"].get("value")

    def wait(self, expression: str, patience_s: float = 60.0) -> None:
        """Wait until a JavaScript expression is true.

        Raises
        ------
        TimeoutError
            It stays false.
        """
        deadline = time.monotonic() + patience_s
        while not self.value(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._url} did not come to: {expression}")
            time.sleep(0.05)

    def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of what the window shows, or of the whole page."""
        # What was drawn last must have reached the screen.
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        words: dict[str, Any] = {}
        if whole:
            size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
            words["clip"] = {"x": 0, "y": 0, "scale": 1} | {k: size[k] for k in ("width", "height")}
        taken = self._ask(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **words
        )
        return base64.b64decode(taken["data"])


class Browser:
    """One headless browser with a profile of its own, ended on exit.

    Parameters
    ----------
    program : str
        Name or path of Chromium or Chrome.

    Raises
    ------
    FileNotFoundError
        There is no such program.
    TimeoutError
        It does not start.
    """

    def __init__(self, program: str = "chromium") -> None:
        found = shutil.which(program)
        if found is None:
            raise FileNotFoundError(f"there is no {program!r}; install Chromium, or name another")
        self._profile = Path(tempfile.mkdtemp(prefix="browser-"))
        self._process = subprocess.Popen(
            [found, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._numbers = itertools.count(1)
        self._resources = contextlib.ExitStack()
        try:
            self._socket = self._resources.enter_context(self._connect())
        except BaseException:
            self.close()
            raise

    def _connect(self) -> ClientConnection:
        port_file = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + _START_S
        while not (port_file.exists() and len(lines := port_file.read_text().split()) == 2):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError("the browser did not start")
            time.sleep(0.05)
        return connect(f"ws://127.0.0.1:{lines[0]}{lines[1]}", max_size=None)

    def _ask(self, method: str, *, session: str | None = None, **words: Any) -> dict[str, Any]:
        number = next(self._numbers)
        order: dict[str, Any] = {"id": number, "method": method, "params": words}
        if session is not None:
            order["sessionId"] = session
        self._socket.send(json.dumps(order))
        while True:
            answer = json.loads(self._socket.recv(timeout=_ANSWER_S))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def open(self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """Open a page in a window of this size, in CSS pixels, in light or dark colours."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        ask = functools.partial(self._ask, session=attached["sessionId"])
        ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < PHONE,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        ask("Emulation.setEmulatedMedia", features=[scheme])
        ask("Page.navigate", url=url)
        return Page(ask, url)

    def close(self) -> None:
        """End the browser and forget its profile."""
        self._resources.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
