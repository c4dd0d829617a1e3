"""Make the pictures of page and report that the documents show.

Run it by hand when the page or the report looks different; it runs the demo once::

    .venv/bin/python -m tools.make_pictures

It needs Chromium.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tools.browser import Browser

IMAGES = Path(__file__).resolve().parents[1] / "docs/images"
MOST_BYTES = 150_000
_PART_OF_SCAN = 0.75
_COLOURS = (128, 96, 64, 48, 32, 24, 16)


def small_png(png: bytes) -> bytes:
    """The same picture with as many colours as fit into `MOST_BYTES`.

    Raises
    ------
    ValueError
        Even with the fewest colours it is too large.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        buffer = io.BytesIO()
        few = image.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue()
    raise ValueError(f"the picture does not fit into {MOST_BYTES} bytes; make it smaller")


def main() -> None:
    """Run the demo; take the page in the middle of the scan, and the report at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default="chromium", help="Chromium's name or path")
    browser_name = parser.parse_args().browser
    IMAGES.mkdir(exist_ok=True)
    with Browser(browser_name) as browser, tempfile.TemporaryDirectory() as folder:
        demo = subprocess.Popen(
            [sys.executable, "-m", "voltomo.cli.main", "demo", "--output", folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        found = None
        for line in demo.stdout or ():
            sys.stderr.write(line)
            found = re.search(r"\[twin\] watch it: (\S+)", line)
            if found:
                break
        if found is None:
            raise SystemExit("the demo did not say where its page is")
        page = browser.open(found[1], width=1100, height=1010)
        page.wait(f"document.getElementById('progress').value > {_PART_OF_SCAN}", 120)
        (IMAGES / "page.png").write_bytes(small_png(page.picture()))
        if demo.wait() != 0:
            raise SystemExit("the demo failed")
        report = browser.open(f"file://{folder}/report.html", width=1100, height=1420)
        (IMAGES / "report.png").write_bytes(small_png(report.picture()))


if __name__ == "__main__":
    main()
