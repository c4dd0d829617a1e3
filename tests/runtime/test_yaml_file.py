"""Every mistake in a file is named with its place; nothing means what its writer did not mean."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from voltomo.runtime.yaml_file import FileRefused, load_yaml


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dose_Gy: float = Field(gt=0)
    material: str = "graphite"


class Recipe(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    exposure_s: float
    projections: int = 10
    name: str = ""
    virtual: bool = False
    limits: list[Limits] = []
    more: dict[str, Limits] = {}
    pair: tuple[int, int] = (0, 0)


def read(tmp_path: Path, text: str | bytes) -> Recipe:
    path = tmp_path / "recipe.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_yaml(path, Recipe)


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(FileRefused) as refusal:
        read(tmp_path, text)
    assert "nothing was started" in str(refusal.value)
    return str(refusal.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1e-3", 1e-3), ("1E3", 1e3), ("5", 5.0), (".5", 0.5), ("-2.5e+1", -25.0), ("+1.", 1.0)],
)
def test_numbers_are_what_a_scientist_takes_for_numbers(tmp_path, written, meant) -> None:
    assert read(tmp_path, f"exposure_s: {written}").exposure_s == meant


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "12:30:00", "2026-11-24", "0x10", "=="])
def test_words_stay_words(tmp_path, word) -> None:
    assert read(tmp_path, f"exposure_s: 1\nname: {word}").name == word


def test_a_leading_zero_does_not_make_a_number_octal(tmp_path) -> None:
    assert read(tmp_path, "exposure_s: 1\nprojections: 010").projections == 10
    assert read(tmp_path, "exposure_s: 1\nprojections: 09").projections == 9


def test_lists_fit_where_a_pair_is_wanted(tmp_path) -> None:
    assert read(tmp_path, "exposure_s: 1\npair: [1, 2]").pair == (1, 2)


def test_an_unknown_key_is_shown_with_a_guess(tmp_path) -> None:
    message = refused(tmp_path, "exposure_s: 1\nprojectons: 5\n")
    assert message == (
        "recipe.yml:2:1: projectons: is not known; did you mean 'projections'?\n"
        "    projectons: 5\n"
        "    ^\n"
        "1 mistake(s); nothing was started"
    )


def test_an_unknown_key_without_a_likeness_shows_what_is_known(tmp_path) -> None:
    message = refused(tmp_path, "exposure_s: 1\nlimits:\n  - dose_Gy: 1\n    zzz: 1\n")
    assert "recipe.yml:4:5: limits.0.zzz: is not known; known here: dose_Gy, material" in message
    message = refused(tmp_path, "exposure_s: 1\nmore:\n  cell: {dose_Gy: 1, materal: x}\n")
    assert "more.cell.materal: is not known; did you mean 'material'?" in message


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("projections: 5", "1:1", "exposure_s: is missing"),
        ("exposure_s: 1\nlimits:\n  - material: x", "3:5", "limits.0.dose_Gy: is missing"),
        (
            "exposure_s: 38 ms",
            "1:13",
            "exposure_s: must be a number, in s and without a unit; it says '38 ms'",
        ),
        ("exposure_s: 1\nlimits:\n  - dose_Gy: 2 MGy", "3:14", "number, in Gy and without a unit"),
        ("exposure_s: 1\nprojections: many", "2:14", "must be a whole number; it says 'many'"),
        ("exposure_s: '1'", "1:13", "exposure_s: must be a number"),
        ("exposure_s: true", "1:13", "exposure_s: must be a number"),
        ("exposure_s: .inf", "1:13", "exposure_s: must be a number"),
        ("exposure_s: 1e999", "1:13", "exposure_s: must be a finite number"),
        ("exposure_s: 1\nname: 007", "2:7", "name: must be text"),
        ("exposure_s: 1\nvirtual: on", "2:10", "virtual: must be true or false"),
        ("exposure_s: 1\nprojections: 2.5", "2:14", "projections: must be a whole number"),
        ("exposure_s: 1\nlimits: 5", "2:9", "limits: must be a list"),
        ("exposure_s: 1\nlimits: [5]", "2:10", "limits.0: must be a group"),
        ("exposure_s: 1\nlimits: [{dose_Gy: 0}]", "2:20", "must be greater than 0"),
        ("exposure_s: 1\nexposure_s: 2", "2:1", "'exposure_s' is given twice, first in line 1"),
        ("exposure_s: 1\n[1, 2]: 3", "2:1", "a key must be one word"),
        ("exposure_s:\n\t- 1", "2:1", "indent by spaces"),
        ("exposure_s: 1: 2", "1:14", "a ':' too many"),
        ("exposure_s: [1, 2", "1:18", "expected ',' or ']'"),
        ("- 1\n- 2", "1:1", "the file: must be a group"),
        ("five", "1:1", "the file: must be a group"),
        ("exposure_s: 1\n---\nexposure_s: 2", "2:1", "but found another document"),
        ("exposure_s: !!python/object:os.system x", "1:13", "could not determine a constructor"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, text, place, what) -> None:
    message = refused(tmp_path, text)
    assert message.startswith(f"recipe.yml:{place}: ")
    assert what in message
    lines = message.splitlines()
    line, column = (int(number) for number in place.split(":"))
    assert lines[1].rstrip() == ("    " + text.splitlines()[line - 1]).rstrip()
    assert lines[2].index("^") == 4 + column - 1


def test_all_mistakes_come_at_once(tmp_path) -> None:
    message = refused(tmp_path, "exposure_s: fast\nprojections: 1.5\nnmae: x\n")
    assert "recipe.yml:1:13: exposure_s" in message
    assert "recipe.yml:2:14: projections" in message
    assert "recipe.yml:3:1: nmae: is not known; did you mean 'name'?" in message
    assert message.endswith("3 mistake(s); nothing was started")


def test_an_empty_file_lacks_what_is_needed(tmp_path) -> None:
    for text in ("", "# nothing yet\n"):
        assert refused(tmp_path, text).startswith("recipe.yml: exposure_s: is missing")


def test_what_is_no_text_is_refused(tmp_path) -> None:
    assert "not written in UTF-8 (byte 7" in refused(tmp_path, b"name: \xb5m")
    assert "recipe.yml is no YAML" in refused(tmp_path, b"name: \x00")
    with pytest.raises(FileRefused, match=r"absent\.yml cannot be read \(No such file"):
        load_yaml(tmp_path / "absent.yml", Recipe)
    with pytest.raises(FileRefused, match="cannot be read"):
        load_yaml(tmp_path, Recipe)
