"""Names of samples go into paths, groups and PVs as they are; runs name their files."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from voltomo.model.names import SafeName, run_name, safe_name


@pytest.mark.parametrize("name", ["cell 3", "NMC-811_b.2", "Zelle ä", "电池", "7"])
def test_what_people_call_samples_is_kept(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "../x", "a/b", "a\\b", "a:b", ".hidden", "-rf", "_x", "a..b", "con", "NUL", "a\nb",
     "x" * 65, "a\0b", 'a"b', "a$b"],
)  # fmt: skip
def test_what_would_surprise_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        safe_name(name)


@given(st.text(max_size=80))
def test_whatever_passes_is_one_part_of_a_path(text: str) -> None:
    try:
        name = safe_name(text)
    except ValueError:
        return
    assert name == safe_name(name)
    assert name.strip() == name
    assert not set(name) & set('/\\:\0\n\r"<>|*?$`')
    assert 0 < len(name) <= 64
    assert name not in (".", "..")


def test_letters_that_look_alike_are_one_name() -> None:
    assert safe_name("Zelle a\u0308") == safe_name("Zelle \u00e4")


def test_models_take_it_as_a_type() -> None:
    assert TypeAdapter(SafeName).validate_python("  cell 3 ") == "cell 3"
    with pytest.raises(ValidationError, match="cannot be a name"):
        TypeAdapter(SafeName).validate_python("../cell")


def test_a_run_is_called_by_the_first_digits_of_its_uid() -> None:
    assert run_name("1c489c60-1749-49ab-b792-63b2fcbfa706") == "1c489c601749"
    names = {run_name(str(uuid.uuid4())) for _ in range(5000)}
    assert len(names) == 5000
    assert all(safe_name(name) == name for name in names)
