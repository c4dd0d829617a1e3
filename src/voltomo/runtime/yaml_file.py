"""YAML files that a person writes: every mistake is named with file, line, caret, and a guess.

YAML 1.1 turns ``on`` into true, ``1e-3`` into text and ``12:30:00`` into a number; here only
``true`` and ``false`` are booleans, and numbers are what a scientist takes for numbers.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from voltomo.model.sentence import SentenceError

Model = TypeVar("Model", bound=BaseModel)

_SENTENCES = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text; put it between quotation marks",
    "list_type": "must be a list",
    "dict_type": "must be a group of 'key: value' lines",
    "model_type": "must be a group of 'key: value' lines",
}

_UNITS = {
    name: name for name in ("s", "h", "mm", "deg", "keV", "Gy", "mA", "V", "Ah", "GB", "ohm")
} | {"um": "µm", "rate_C": "C-rates", "temperature_C": "°C"}
"""Units as names of keys end in them."""


class FileRefused(SentenceError):
    """A file cannot be used; the message lists every mistake in it. Nothing was started."""


class _Loader(yaml.SafeLoader):
    """Safe, with the scalars of YAML 1.2 and no key given twice."""

    yaml_implicit_resolvers: ClassVar[Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _mistake("a key must be one word, not a list or a group", key)
            if key.value in seen:
                raise _mistake(
                    f"'{key.value}' is given twice, first in line {seen[key.value]}", key
                )
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        """A whole number; unlike in YAML 1.1, a leading zero does not make it octal."""
        return int(self.construct_scalar(node))


def _mistake(what: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, node.start_mark)


_SCALARS = (
    ("null", r"(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$", list("-+.0123456789")),
)
for _name, _pattern, _first in _SCALARS:
    cast(Any, _Loader).add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first
    )
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_decimal)


def mistake_at(place: Sequence[str | int], what: str) -> ValidationError:
    """A mistake deeper in the file than the validator that found it; to be raised by it.

    Parameters
    ----------
    place : sequence of str or int
        Keys and positions in lists from the validator's own place on.
    what : str
        What is wrong, without the place.
    """
    return mistakes_at([(place, what)])


def mistakes_at(found: Iterable[tuple[Sequence[str | int], str]]) -> ValidationError:
    """Several mistakes of that kind, each with its place."""
    return ValidationError.from_exception_data(
        "file",
        [
            {
                "type": PydanticCustomError("mistake", "{what}", {"what": what}),
                "loc": tuple(place),
                "input": None,
            }
            for place, what in found
        ],
    )


def pointed_at(path: Path, place: Sequence[str | int], what: str) -> str:
    """Something about a place in a file that was read: its line, with a caret below.

    Parameters
    ----------
    path : Path
        The file; it has been read by `load_yaml` before.
    place : sequence of str or int
        Keys and positions in lists; as far as the file has them.
    what : str
        A sentence.
    """
    text = path.read_text(encoding="utf-8")
    root = _Loader(text).get_single_node()
    return _at(path, text.splitlines(), _mark(root, place), what)


def load_yaml(path: Path, model: type[Model], context: Any = None) -> Model:
    """Read a YAML file into a model.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.
    model : type
        What it must hold. Types are strict: text is no number, a number no text.
    context : Any
        What the model's validators need to know beside the file (pydantic's validation context).

    Raises
    ------
    FileRefused
        Unreadable, no YAML, or not what the model wants: one line, its text and a caret each.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileRefused(
            f"{path} cannot be read ({error.strerror}); nothing was started"
        ) from error
    except UnicodeDecodeError as error:
        raise FileRefused(
            f"{path} is not written in UTF-8 (byte {error.start + 1} of it is not); save it as "
            "UTF-8; nothing was started"
        ) from error
    lines = text.splitlines()
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        data: Any = {} if root is None else cast(Any, loader).construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = _at(path, lines, mark, _plain(error.problem or "this is no YAML"))
        raise FileRefused(f"{what}\nnothing was started") from error
    except yaml.YAMLError as error:
        raise FileRefused(f"{path} is no YAML ({error}); nothing was started") from error
    try:
        # By way of JSON: strict about numbers and text, and lists may still become tuples.
        return model.model_validate_json(
            json.dumps(data, default=str), strict=True, context=context
        )
    except ValidationError as error:
        found = [_explain(path, lines, root, model, detail) for detail in error.errors()]
        raise FileRefused(
            "\n".join(found) + f"\n{len(found)} mistake(s); nothing was started"
        ) from error


def _plain(problem: str) -> str:
    """PyYAML's words for what goes wrong most often, in a person's."""
    if "'\\t'" in problem:
        return "a tab stands where spaces must; indent by spaces"
    if "mapping values are not allowed" in problem:
        return "a ':' too many, or the indentation is off"
    return problem


def _at(path: Path, lines: list[str], mark: yaml.Mark | None, what: str) -> str:
    if mark is None:
        return f"{path}: {what}"
    line = lines[mark.line] if mark.line < len(lines) else ""
    # A tab before the caret keeps it below its place, however wide the terminal shows it.
    blank = "".join("\t" if sign == "\t" else " " for sign in line[: mark.column])
    return f"{path}:{mark.line + 1}:{mark.column + 1}: {what}\n    {line}\n    {blank}^"


def _mark(
    root: yaml.Node | None, place: Sequence[str | int], *, of_key: bool = False
) -> yaml.Mark | None:
    """Where a place stands in a file; ``of_key``: its last key, and not the value behind."""
    mark = root.start_mark if root is not None else None
    node = root
    for number, word in enumerate(place, 1):
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(word)), None)
            if pair is None:
                break
            node = pair[1]
            mark = pair[0 if of_key and number == len(place) else 1].start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(word, int):
            node = node.value[word]
            mark = node.start_mark
    return mark


def _explain(
    path: Path,
    lines: list[str],
    root: yaml.Node | None,
    model: type[BaseModel],
    detail: ErrorDetails,
) -> str:
    place = detail["loc"]
    mark = _mark(root, place, of_key=detail["type"] == "extra_forbidden")
    where = ".".join(str(word) for word in place) or "the file"
    return _at(path, lines, mark, f"{where}: {sentence(model, detail)}")


def sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    """One of pydantic's errors about a model, in words for the person who wrote the values."""
    if detail["type"] in _SENTENCES:
        return _SENTENCES[detail["type"]] + _unit_and_seen(detail)
    if detail["type"] != "extra_forbidden":
        return detail["msg"].removeprefix("Value error, ").replace("Input should", "must")
    known = _fields(model, detail["loc"][:-1])
    near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1, 0.5)
    guess = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
    return f"is not known; {guess}"


def _unit_and_seen(detail: ErrorDetails) -> str:
    """For text where a number should be, "38 ms" say: the unit that the number must have."""
    numbers = ("float_type", "float_parsing", "int_type", "int_parsing")
    if detail["type"] not in numbers or not isinstance(detail["input"], str):
        return ""
    name = str(detail["loc"][-1])
    unit = next((said for end, said in _UNITS.items() if f"_{name}".endswith(f"_{end}")), None)
    wanted = f", in {unit} and without a unit" if unit is not None else ""
    return f"{wanted}; it says {detail['input']!r}"


def _fields(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    current: Any = model
    for word in place:
        if isinstance(word, str) and word in getattr(current, "model_fields", {}):
            current = current.model_fields[word].annotation
        for inner in get_args(current):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                current = inner
    return list(getattr(current, "model_fields", {}))
