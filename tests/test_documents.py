"""What the README and the tutorials show runs as shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(?P<indent> *)(?P<marks>```+|~~~+) *(?P<info>[^`\n]*)$")
# Languages that are shown and not run; anything else is either Python or a mistake.
SHOWN = {"console", "json", "text", "yaml"}

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs/tutorials").glob("**/*.md"))]


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


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("**/*.md")), ids=lambda p: p.name)
def test_every_page_is_in_the_navigation(page: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert str(page.relative_to(ROOT / "docs")) in navigation
