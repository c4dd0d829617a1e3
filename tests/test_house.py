"""The house: what the tree promises to wheel, type checker, linter and reader."""

import ast
import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINKED_ROOMS = ("analysis", "devices", "plans", "profiles")
PYTHON_FOLDERS = (*LINKED_ROOMS, "src", "benchmarks", "tests", "tools")
MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 60


@functools.cache
def tree() -> tuple[Path, ...]:
    """Files of the tree relative to its root: committed, or new and not ignored; links as links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = {Path(name) for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if os.path.lexists(ROOT / path)))


def python_files() -> list[Path]:
    return [path for path in tree() if path.suffix == ".py" and path.parts[0] in PYTHON_FOLDERS]


def product_files() -> list[Path]:
    return [path for path in python_files() if path.parts[0] != "tests"]


def texts() -> Iterator[tuple[Path, str]]:
    """All files of the tree that hold text, vendored and data files too."""
    for path in tree():
        if (ROOT / path).is_symlink():
            continue
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def expected_in_wheel() -> set[str]:
    """Every visible file below src/voltomo, links followed, as named in the wheel."""
    names: set[str] = set()
    for path in tree():
        if path.name.startswith(".") or (ROOT / path).is_symlink():
            continue
        if path.parts[:2] == ("src", "voltomo"):
            names.add("/".join(path.parts[1:]))
        elif path.parts[0] in LINKED_ROOMS:
            names.add("/".join(("voltomo", *path.parts)))
    return names


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from an sdist built from a copy of the tree: no build leaves traces in it."""
    copy = tmp_path_factory.mktemp("tree")
    for path in tree():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path, follow_symlinks=False)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    (found,) = out.glob("*.whl")
    return found


def test_wheel_holds_the_tree_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = expected_in_wheel()
    assert not expected - shipped, "missing from the wheel: name their kind in package-data"
    assert not shipped - expected, "in the wheel and not in the tree"


def test_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", str(clean)], check=True)
    python = str(clean / "bin" / "python")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([python, *install], check=True)
    rooms = [f"voltomo.{room}" for room in LINKED_ROOMS]
    script = (
        "import importlib, importlib.resources, pathlib, sys, voltomo\n"
        "assert pathlib.Path(voltomo.__file__).is_relative_to(sys.prefix), voltomo.__file__\n"
        "assert importlib.resources.files('voltomo').joinpath('py.typed').is_file()\n"
        f"[importlib.import_module(room) for room in {rooms!r}]\n"
    )
    subprocess.run([python, "-I", "-W", "error", "-c", script], check=True, cwd=tmp_path)
    # The command starts from the wheel's own files, with the libraries lent from here.
    lent = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if "-packages" in p)}
    command = [str(clean / "bin" / "voltomo"), "--help"]
    shown = subprocess.run(command, env=lent, cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "demo" in shown.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = {"bluesky", "caproto", "h5py", "matplotlib", "numba", "ophyd", "p4p", "scipy"}
    script = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from voltomo.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"sys.exit(' '.join({heavy!r} & set(sys.modules)) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, f"imported by voltomo --help: {done.stderr}"


def test_links_are_relative_and_committed() -> None:
    staged = subprocess.run(
        ["git", "ls-files", "--stage", "src/voltomo"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    links = {line.split("\t")[1] for line in staged.splitlines() if line.startswith("120000")}
    assert links == {f"src/voltomo/{room}" for room in LINKED_ROOMS}
    for room in LINKED_ROOMS:
        assert (ROOT / "src/voltomo" / room).readlink() == Path("../..") / room


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in product_files() if path.parts[0] not in ("tools",)}
    folders -= {Path("src"), Path("benchmarks")}
    bare = [
        str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()
    ]
    assert not bare


def test_pyright_sees_every_python_file() -> None:
    """It says how many files it found before it checks them; what follows is for ``make lint``."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("pyright")), "--verbose"],
        cwd=ROOT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        found = next(filter(None, (re.search(r"Found (\d+) source", x) for x in process.stdout)))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
    assert int(found[1]) == len(python_files())


def test_pins_hold_no_address_and_no_hash_and_miss_no_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    pins = [line for line in lines if line]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[\w.+!]+( ; .+)?", pin) for pin in pins)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [
        settings["project"]["dependencies"],
        *settings["project"]["optional-dependencies"].values(),
        *settings["dependency-groups"].values(),
    ]
    wanted = itertools.chain.from_iterable(groups)
    names = {re.split(r"[\[<>=! ]", wish)[0].lower() for wish in wanted}
    assert not names - {pin.split("==")[0] for pin in pins}, "run make lock"


def test_no_file_names_a_registry_or_a_folder_of_a_machine() -> None:
    # Put together here, so that this file does not name them either.
    hosts = [".".join(parts) for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"),
        ("anaconda", "org"), ("debian", "org"), ("crates", "io"), ("golang", "org"),
    )]  # fmt: skip
    folders = ["/" + name + "/" for name in ("work", "root", "Users", "opt/wheels", "opt/pypi")]
    unwanted = re.compile(
        "|".join(
            [*map(re.escape, hosts), *(rf"(?<![\w.}}/*-]){f}" for f in folders), "/home/[a-z]"]
        )
    )
    outside = "../" + "shared"
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if unwanted.search(line) or (outside in line and path != Path(".ci/run"))
    ]
    assert not found, "\n".join(found)


def test_files_and_functions_stay_short() -> None:
    long: list[str] = []
    for path in python_files():
        source = (ROOT / path).read_text(encoding="utf-8")
        if (lines := source.count("\n")) > MOST_LINES_A_FILE:
            long.append(f"{path}: {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
                if lines > MOST_LINES_A_FUNCTION:
                    long.append(f"{path}:{node.lineno}: {node.name} has {lines} lines")
    assert not long, "\n".join(long)


def test_nobody_is_asked_on_the_console() -> None:
    """The linter knows no ban of built-ins."""
    asked = [
        f"{path}:{node.lineno}"
        for path in product_files()
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in ("input", "breakpoint")
    ]
    assert not asked


def test_plans_repeat_the_bans_of_the_house() -> None:
    house = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    plans = tomllib.loads((ROOT / "plans/.ruff.toml").read_text())["lint"]
    bans = "banned-api"
    own = set(plans["flake8-tidy-imports"][bans]) - {"time.sleep"}
    assert own == set(house["flake8-tidy-imports"][bans])
