"""What the documents show runs as shown, and what they name exists."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from tests.records.synthetic import SyntheticRun, contents
from tools.make_reference import renewed
from voltomo.analysis.correction_settings import CorrectionSettings
from voltomo.cli.main import app
from voltomo.cli.sample_summary import sample_group
from voltomo.dose.material_file import MaterialFile
from voltomo.dose.plan_file import PlanFile
from voltomo.dose.policy_file import PolicyFile
from voltomo.experiment.experiment_file import ExperimentFile
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.scan_file import ScanFile
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.run_folder import RunFolder, write_json
from voltomo.runtime.yaml_file import load_yaml

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(?P<indent> *)(?P<marks>```+|~~~+) *(?P<info>[^`\n]*)$")
# Languages that are shown and not run; anything else is either Python or a mistake.
SHOWN = {"console", "json", "text", "yaml"}

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs/tutorials").glob("**/*.md"))]
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
ALL = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
SHOWN_FILES: dict[str, type[BaseModel]] = {
    "# scan.yml": ScanFile,
    "# beamline.yml": BeamlineFile,
    "# materials.yml": MaterialFile,
    "# plan.yml": PlanFile,
    "# experiment.yml": ExperimentFile,
    "# policies.yml": PolicyFile,
    "# corrections.yml": CorrectionSettings,
}
GUIDES = sorted((ROOT / "docs/how-to").glob("*.md"))
# Commands that come with the system, with make's environment, or with EPICS base.
FOREIGN = {"export", "eval", "source", "caput", "caget"}
INSTALLED = {"caproto-put"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(document: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every fenced block of a page."""
    marks = info = ""
    lines: list[str] = []
    for line in document.read_text(encoding="utf-8").splitlines():
        fence = FENCE.match(line)
        if not marks and fence:
            marks, info, lines = fence["marks"], fence["info"].strip(), []
        elif marks and fence and fence["marks"].startswith(marks) and not fence["info"]:
            yield info, "\n".join(lines)
            marks = ""
        elif marks:
            lines.append(line)
    assert not marks, f"{document}: the last block is not closed"


def python_of(text: str) -> str:
    """All Python blocks as one script whose line numbers are those of the document.

    Raises
    ------
    ValueError
        For a block that is neither Python nor of a kind that is only shown, or that is not
        closed: it would be left out without a word.
    """
    script: list[str] = []
    marks = ""
    info = ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if not marks and fence:
            marks, info = fence["marks"], fence["info"].strip()
            if info not in {"python", *SHOWN} or fence["indent"]:
                raise ValueError(
                    f"line {number}: say python or one of {sorted(SHOWN)}, not {info!r}"
                )
        elif marks and fence and fence["marks"].startswith(marks) and not fence["info"]:
            marks = ""
        elif marks and info == "python":
            script.append(line)
            continue
        script.append("")
    if marks:
        raise ValueError("the last block is not closed")
    return "\n".join(script)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_run(document: Path, tmp_path: Path) -> None:
    script = python_of(document.read_text(encoding="utf-8"))
    file = tmp_path / f"{document.stem}.py"
    file.write_text(script, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, f"{document.relative_to(ROOT)}:\n{done.stderr}"


def test_blocks_keep_their_lines() -> None:
    assert python_of("a\n```python\nx = 1\n```\n```text\nno\n```") == "\n\nx = 1\n\n\n\n"


@pytest.mark.parametrize("text", ["```py\n```", "```\n```", "  ```python\n  ```", "```python\nx"])
def test_blocks_that_would_be_left_out_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"say python|not closed"):
        python_of(text)


def commands_shown() -> list[tuple[str, str]]:
    return [
        (name_of(document), line.removeprefix("$ "))
        for document in ALL
        for language, text in blocks(document)
        if language == "console"
        for line in text.splitlines()
        if line.startswith("$ ")
    ]


@pytest.mark.parametrize(("document", "command"), commands_shown())
def test_every_command_exists(document: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    if "=" in words[0]:
        pytest.fail("say export: the next line needs it, too")
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= targets
    elif words[0] == "voltomo":
        assert_understood(words[1:])
    elif words[0] == "python":
        assert words[1] == "-c"
        compile(words[2], document, "exec")
    elif words[0].startswith("python3"):
        assert words[1] == "-m"
    elif words[0] in INSTALLED:
        assert shutil.which(words[0], path=str(Path(sys.executable).parent))
    else:
        assert words[0] in FOREIGN, f"{document}: nobody has looked at {command!r}"


def assert_understood(words: list[str]) -> None:
    """Hold words against the command's own parameters, as its parser does."""
    group: Any = typer.main.get_command(app)
    command, *rest = group.commands[words[0]], *words[1:]
    if getattr(command, "commands", None):
        command = command.commands[rest.pop(0)]
    options = {name: p for p in command.params for name in p.opts if name.startswith("-")}
    places = [p for p in command.params if p.param_type_name == "argument"]
    given = 0
    while rest:
        word = rest.pop(0)
        if word == "[OPTIONS]":
            continue
        if word.startswith("-"):
            if not getattr(options[word], "is_flag", False):
                rest.pop(0)
        else:
            given += 1
    needed = sum(place.required for place in places)
    assert needed <= given <= len(places), words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tables_are_those_of_the_program(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run: .venv/bin/python -m tools.make_reference"


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_files_that_guides_show_are_accepted(guide: Path, tmp_path: Path) -> None:
    for language, text in blocks(guide):
        if language == "yaml":
            kind = text.partition("\n")[0]
            model = SHOWN_FILES[kind]
            file = tmp_path / "shown.yml"
            file.write_text(text, encoding="utf-8")
            assert type(load_yaml(file, model)) is model


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_python_of_guides_is_python(guide: Path) -> None:
    for language, text in blocks(guide):
        if language == "python":
            assert ast.parse(textwrap.dedent(text)).body


@pytest.mark.parametrize("whole", [True, False])
def test_the_guide_to_the_file_opens_one(tmp_path: Path, whole: bool) -> None:
    run = SyntheticRun(RunFolder(tmp_path / "run"), lost=(30, 41) if whole else ()).write()
    export_nxtomo(read_scan(run.folder, run.uid), tmp_path / "scan.nxs")
    script = python_of((ROOT / "docs/how-to/open-the-nxtomo-file.md").read_text(encoding="utf-8"))
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("lost_after_numbering") == (2 if whole else 0)


def test_every_field_of_the_file_is_documented(tmp_path: Path) -> None:
    fields: set[str] = set()
    for source in ("twin", "replay"):
        run = SyntheticRun(RunFolder(tmp_path / source), source=source, lost=(30,)).write()
        fields |= set(contents(export_nxtomo(read_scan(run.folder, run.uid), tmp_path / "a.nxs")))
    stored = {"stored_flats": run.uid, "flats_before": 0, "flats_after": 0}
    other = SyntheticRun(run.folder, run.spec.model_validate(run.spec.model_dump() | stored))
    uid = other.write().uid
    fields |= set(contents(export_nxtomo(read_scan(run.folder, uid), tmp_path / "a.nxs")))
    cell = {"name": str(run.spec.sample), "material": "NMC811"}
    cell |= {"dose_limit_Gy": 1.0, "beam_limit_s": 1.0}
    place = {"width_mm": 0.8, "height_mm": 0.4, "track": [[0.0, 0.0]]}
    exposure = {"place": place, "sample": cell["name"], "scan_uid": uid, "lease_id": "p"}
    exposure |= {"dose_Gy": 1.0, "dose_central_Gy": 1.0, "open_s": 1.0, "charged_s": 1.0}
    exposure |= {"purpose": "sweep_0", "opened_utc_s": None, "closed_utc_s": None}
    with_log = AppendLog(other.folder.exposure_log)
    with_log.append("exposure", exposure)
    with_log.close()
    write_json(other.folder.settings, {"guard": {"samples": [cell]}})
    more = sample_group(other.folder)
    made = export_nxtomo(read_scan(run.folder, uid), tmp_path / "a.nxs", more=more)
    fields |= set(contents(made))
    rare = {"row_delay_us": 10.0, "blind_sectors": ((85.0, 95.0),)}
    spec = run.spec.model_validate(run.spec.model_dump() | rare)
    run = SyntheticRun(RunFolder(tmp_path / "rolling"), spec).write()
    fields |= set(contents(export_nxtomo(read_scan(run.folder, run.uid), tmp_path / "a.nxs")))
    text = (ROOT / "docs/reference/nxtomo.md").read_text(encoding="utf-8")
    standard, _, ours = text.partition("entry/voltomo/")
    named = set(_named(standard)) | {f"voltomo/{field}" for field in _named(ours)}
    # Written only where a beamline names a column for the axis, or a spectrum.
    named -= {
        "instrument/detector/x_rotation_axis_pixel_position",
        "instrument/beam/incident_energy_spread",
    }
    assert fields - {"instrument/detector/x_rotation_axis_pixel_position"} == named


def _named(text: str) -> list[str]:
    """Fields in the first column of tables."""
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return re.findall(r"`([\w/]+)`", " ".join(cells))


RECORDS = """
import sys
from softioc import builder
from voltomo.dose.guard_records import GuardRecords
from voltomo.live.worker_records import Records, WorkerOrders
GuardRecords("", print, print, print)
Records("", WorkerOrders())
builder.WriteRecords(sys.argv[1])
"""


def _process_variables() -> set[str]:
    text = (ROOT / "docs/reference/process-variables.md").read_text(encoding="utf-8")
    return set(re.findall(r"`(\w+:[\w:]+)`", text))


def test_every_record_of_guard_and_worker_is_documented(tmp_path: Path) -> None:
    database = tmp_path / "records.db"
    subprocess.run([sys.executable, "-c", RECORDS, str(database)], check=True, timeout=60)
    served = set(re.findall(r'record\(\w+, "([^"]+)"\)', database.read_text()))
    named = {name for name in _process_variables() if name.startswith(("Guard:", "Live:"))}
    images = ("Slice", "SliceXZ", "SliceYZ", "Oblique", "Labels")
    assert named == served | {f"Live:{name}" for name in images}


def test_every_variable_that_devices_use_is_documented() -> None:
    from voltomo.devices.shutter import Shutter
    from voltomo.devices.trigger_box import TriggerBox
    from voltomo.model.pv_names import PvNames

    wanted = {
        f"{part}:{walk.item.suffix}"
        for part, device in (("Shutter", Shutter), ("Trigger", TriggerBox))
        for walk in device.walk_components()
    }
    single = PvNames(prefix="").model_dump().values()
    wanted |= {name for name in single if name.startswith("Beam:")}
    guard = (ROOT / "src/voltomo/dose/guard_shell.py").read_text(encoding="utf-8")
    for part in ("shutter", "trigger"):
        found = re.findall(rf"pvs\.{part}}}(\w+)", guard)
        wanted |= {f"{part.capitalize()}:{name}" for name in found}
    named = {n for n in _process_variables() if n.startswith(("Beam:", "Shutter:", "Trigger:"))}
    assert named == wanted


def test_every_path_of_a_run_folder_is_documented() -> None:
    text = (ROOT / "docs/reference/run-folder.md").read_text(encoding="utf-8")
    folder = RunFolder(Path("/run"))
    properties = [name for name, part in vars(RunFolder).items() if isinstance(part, property)]
    paths = [getattr(folder, name) for name in properties]
    assert len(paths) > 8
    for path in paths:
        assert re.search(rf"`{path.relative_to('/run')}[`/]", text), path


@pytest.mark.parametrize("picture", ["page.png", "report.png"])
def test_pictures_are_small(picture: str) -> None:
    assert (ROOT / "docs/images" / picture).stat().st_size <= 150_000


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_files_that_are_linked_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_is_in_the_navigation(page: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert str(page.relative_to(ROOT / "docs")) in navigation
