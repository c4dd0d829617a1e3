"""The page that users take home: complete, self-contained, and safe with any text."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.records.synthetic import SyntheticRun, contents
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.report import Enclosure, quantity, write_report
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder

SWEEP = 12 + 6 + 6
VOID = {"meta", "link", "img", "br", "hr", "input"}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


class Outline(HTMLParser):
    """Checks that tags are closed in order, and gathers ids and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self._take(attrs)

    def handle_startendtag(self, tag, attrs):
        self._take(attrs)

    def _take(self, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src", "xlink:href"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    return parser


def test_whole_scan(folder, tmp_path):
    run = SyntheticRun(folder, lost=(SWEEP + 3,), missed=(SWEEP + 9,), doubled=(SWEEP + 20,))
    scan = read_scan(folder, run.write().uid)
    nxtomo = export_nxtomo(scan, tmp_path / "out" / "scan 1.nxs")
    enclosed = Enclosure(
        np.eye(300), "Row 6 <live>", nxtomo, {"Peer": "0.99 & more"}, [("snr <1>", "0.5", "bad")]
    )
    path = write_report(scan, tmp_path / "out" / "report.html", {run.uid: enclosed})
    page = path.read_text()
    found = outline(page)
    local = {"scan%201.nxs"}
    assert all(a.startswith(("data:image/png;base64,", "#")) or a in local for a in found.addresses)
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "Row 6 &lt;live&gt;" in page
    assert "0.99 &amp; more" in page
    assert "snr &lt;1&gt;" in page
    assert re.search(r"Grey: attenuation from 0 to \S+\scm⁻¹", page)
    assert re.search(r"best estimate is [\d.]+ Gy; [\d.]+ Gy of it were wasted", page)
    assert "lost behind the camera" in page
    assert "the camera did not see the trigger" in page
    assert "two frames for one trigger" in page
    assert "Slice with a scale bar of 200 µm" in page
    assert "Mean transmission over the scan" in page
    assert "Where the dose went" in page
    assert re.search(r"<td>sweep_0</td>", page)
    assert not list(path.parent.glob("*.part"))


def test_hostile_words_are_shown_not_run(folder, tmp_path):
    run = SyntheticRun(folder, stop="fail").write()
    scan = read_scan(folder, run.uid)
    stop = dict(scan.record.stop or {}) | {"reason": "<script>alert(1)</script>"}
    scan = replace(scan, record=replace(scan.record, stop=stop))
    page = write_report(scan, tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("last", [0, 9, SWEEP + 1])
def test_aborted_runs(folder, tmp_path, last):
    run = SyntheticRun(folder, last=last, stop="abort").write()
    page = write_report(read_scan(folder, run.uid), tmp_path / "report.html").read_text()
    outline(page)
    assert "stopped by hand" in page
    assert f"{90 - last} of the triggers that were asked for never fired" in page


def test_run_without_an_end_and_replay_on_one_page(folder, tmp_path):
    runs = [
        SyntheticRun(folder, stop=None).write(),
        SyntheticRun(folder, source="replay").write(),
    ]
    scans = [read_scan(folder, run.uid) for run in runs]
    page = write_report(scans, tmp_path / "report.html").read_text()
    outline(page)
    assert "not closed" in page
    assert "replay of a recording" in page
    assert "No dose: recorded frames were played back" in page
    assert "3.5 counts for each recorded unit" in page


def test_what_a_recording_did_not_say_is_not_shown_as_known(folder, tmp_path):
    run = SyntheticRun(folder, source="replay", missed=(SWEEP + 3,)).write()
    scan = read_scan(folder, run.uid)
    replay = dict(scan.record.start["replay"]) | {"assumed": ["pixel size", "energy"]}
    start = dict(scan.record.start) | {"replay": replay}
    scan = replace(scan, record=replace(scan.record, start=start))
    enclosed = {run.uid: Enclosure(np.eye(300), "A slice")}
    page = write_report(scan, tmp_path / "report.html", enclosed).read_text()
    outline(page)
    assert "Slice with a scale bar of 50 pixels" in page
    assert "A slice. Grey: attenuation from 0 to" in page
    assert "µm" not in page
    assert "of a size not recorded" in page
    assert "not recorded, 25\N{NO-BREAK SPACE}keV assumed" in page
    assert "the recording has no frame here" in page
    assert "Beam open" not in page
    assert "Exposure" not in page


def test_limits_are_shown_with_their_source_and_doubts_are_stamped(folder, tmp_path):
    run = SyntheticRun(folder).write()
    scan = read_scan(folder, run.uid)
    limits = {"material": "LFP", "dose_limit_Gy": 2e6, "beam_limit_s": 900.0}

    def page_of(source: str) -> str:
        start = dict(scan.record.start) | {"sample_limits": limits | {"dose_limit_source": source}}
        said = replace(scan, record=replace(scan.record, start=start))
        exported = contents(export_nxtomo(said, tmp_path / "scan.nxs"))
        assert exported["voltomo/dose/limit"] == 2e6
        assert exported["voltomo/dose/limit_source"] == source
        assert exported["voltomo/dose/material"] == "LFP"
        return write_report(said, tmp_path / "report.html").read_text()

    known = page_of("Blogg et al. 2024")
    assert "2 MGy and 900\N{NO-BREAK SPACE}s of beam (Blogg et al. 2024)" in known
    assert "unverified default: nobody has said" not in known
    assert "2e+06 Gy, is an unverified default: nobody has said" in page_of("unverified default")


def test_same_scans_give_the_same_page(folder, tmp_path):
    run = SyntheticRun(folder).write()
    scan = read_scan(folder, run.uid)
    first = write_report(scan, tmp_path / "a.html").read_bytes()
    assert write_report(read_scan(folder, run.uid), tmp_path / "b.html").read_bytes() == first


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, ("0", "Gy")), (0.0432, ("43.2", "mGy")), (12.0, ("12", "Gy")), (3.2e4, ("32", "kGy"))],
)
def test_quantity(value, said):
    assert quantity(value, "Gy") == said
