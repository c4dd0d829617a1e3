"""Names that go into paths, HDF5 groups, PV strings and pages without surprises."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

_ALLOWED = re.compile(r"[^\W_][\w.\- ]{0,63}", re.UNICODE)
_RESERVED = {"con", "prn", "aux", "nul", "com1", "lpt1"}


def safe_name(text: str) -> str:
    """Return the name in normal form, or refuse it with a sentence.

    Raises
    ------
    ValueError
        The name is empty, longer than 64 characters, starts with a dot, dash or underscore,
        holds a separator or control character, or is reserved by an operating system.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not _ALLOWED.fullmatch(name) or name.lower() in _RESERVED or ".." in name:
        raise ValueError(
            f"{text!r} cannot be a name: use 1 to 64 letters, digits, spaces, '.', '-' or '_', "
            "starting with a letter or digit"
        )
    return name


def run_name(uid: str) -> str:
    """What a run is called in the names of its files: the first twelve digits of its uid.

    Of a million runs two share them with a chance of 0.2 %; no file is overwritten even then.
    """
    return uid.replace("-", "")[:12]


SafeName = Annotated[str, AfterValidator(safe_name)]
