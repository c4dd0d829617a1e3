"""YAML files that a person writes: every mistake is named with file, line, caret, and a guess.

YAML 1.1 turns ``on`` into true, ``1e-3`` into text and ``12:30:00`` into a number; here only
``true`` and ``false`` are booleans, and numbers are what a scientist takes for numbers.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)


class FileRefused(Exception):
    """A file cannot be used; the message lists every mistake in it. Nothing was started."""


class _Loader(yaml.SafeLoader):
    """Safe, with the scalars of YAML 1.2 and no key given twice."""

    yaml_implicit_resolvers: ClassVar[Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key.value}' is given twice, first in line {seen[key.value]}",
                    key.start_mark,
                )  # fmt: skip
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"(true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def load_yaml(path: Path, model: type[Model]) -> Model:
    """Read a YAML file into a model.

    Raises
    ------
    FileRefused
        Unreadable, no YAML, or not what the model wants: one line, its text and a caret each.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileRefused(f"{path} cannot be read: {error}; nothing was started") from error
    lines = text.splitlines()
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        data = loader.construct_document(root) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FileRefused(_at(path, lines, mark, error.problem or "no YAML")) from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = [_explain(path, lines, root, model, detail) for detail in error.errors()]
        raise FileRefused(
            "\n".join(found) + f"\n{len(found)} mistake(s); nothing was started"
        ) from error


def _at(path: Path, lines: list[str], mark: Any, what: str) -> str:
    if mark is None:
        return f"{path}: {what}"
    line = lines[mark.line] if mark.line < len(lines) else ""
    return f"{path}:{mark.line + 1}:{mark.column + 1}: {what}\n    {line}\n    {' ' * mark.column}^"


def _explain(
    path: Path,
    lines: list[str],
    root: yaml.Node | None,
    model: type[BaseModel],
    detail: ErrorDetails,
) -> str:
    place = detail["loc"]
    mark = root.start_mark if root is not None else None
    node = root
    for word in place:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(word)), None)
            if pair is None:
                break
            unknown = detail["type"] == "extra_forbidden" and word == place[-1]
            node = pair[1]
            mark = pair[0].start_mark if unknown else pair[1].start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(word, int):
            node = node.value[word]
            mark = node.start_mark
    where = ".".join(str(word) for word in place)
    return _at(path, lines, mark, f"{where}: {_sentence(model, detail)}")


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] != "extra_forbidden":
        return detail["msg"].removeprefix("Value error, ")
    known = _fields(model, detail["loc"][:-1])
    near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1, 0.5)
    guess = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
    return f"is not known; {guess}"


def _fields(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    current: Any = model
    for word in place:
        if isinstance(word, str) and word in getattr(current, "model_fields", {}):
            current = current.model_fields[word].annotation
        for inner in cast("tuple[Any, ...]", get_args(current)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                current = inner
    return list(getattr(current, "model_fields", {}))
