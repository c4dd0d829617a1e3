"""A PV database with areaDetector's names, built from the packaged table.

A client's put changes the value, then its readback (if it has one), then calls the handler of
that name; a put with completion returns when the handler does. Readbacks refuse puts.
"""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from caproto import (
    AccessRights,
    ChannelChar,
    ChannelDouble,
    ChannelEnum,
    ChannelInteger,
    ChannelString,
)

Handler = Callable[[Any], Awaitable[None]]

LONG_STRING_LENGTH = 1024


class _Answering:
    """What a channel does beside holding its value; mixed into caproto's channels."""

    readback: Any = None
    handler: Handler | None = None
    read_only = False
    # These show what is going on, not what was asked for: their owner sets the readback.
    readback_follows = True

    def check_access(self, hostname: str, username: str) -> AccessRights:
        """Readbacks may be read only."""
        if self.read_only:
            return AccessRights.READ
        return AccessRights.READ | AccessRights.WRITE

    async def write_from_dbr(self, *arguments: Any, **options: Any) -> Any:
        """Take a client's put."""
        result = await super().write_from_dbr(*arguments, **options)  # pyright: ignore[reportAttributeAccessIssue]
        value = plain(self)
        if self.readback is not None and self.readback_follows:
            await self.readback.write(value, verify_value=False)
        if self.handler is not None:
            await self.handler(value)
        return result


class _Integer(_Answering, ChannelInteger):
    pass


class _Double(_Answering, ChannelDouble):
    pass


class _String(_Answering, ChannelString):
    pass


class _LongString(_Answering, ChannelChar):
    pass


class _Enum(_Answering, ChannelEnum):
    pass


def plain(channel: Any) -> Any:
    """Value as number, text or (for an enumeration) the chosen word."""
    value = channel.value
    if isinstance(channel, ChannelChar):
        if isinstance(value, bytes):
            return value.rstrip(b"\0").decode()
        return value if isinstance(value, str) else bytes(value).rstrip(b"\0").decode()
    if isinstance(channel, ChannelEnum) and isinstance(value, int):
        return channel.enum_strings[value]
    return value


def _channel(kind: str, choices: str, initial: str) -> Any:
    if kind == "enum":
        return _Enum(value=initial, enum_strings=tuple(choices.split("|")))
    if kind == "long_string":
        return _LongString(value=initial, max_length=LONG_STRING_LENGTH, string_encoding="utf-8")
    if kind == "string":
        return _String(value=initial, string_encoding="utf-8")
    if kind == "double":
        return _Double(value=float(initial), precision=6)
    if kind == "int_array":
        return _Integer(value=[int(initial)] * int(choices), max_length=int(choices))
    if kind == "double_array":
        return _Double(value=[float(initial)] * int(choices), max_length=int(choices))
    return _Integer(value=int(initial))


class AreaDetector:
    """Channels of some groups of the table, under a prefix.

    Parameters
    ----------
    prefix : str
        Of the detector, such as ``VT:Cam:``.
    groups : tuple of str
        Parts of it that this process serves, such as ``cam1:``.

    Attributes
    ----------
    channels : dict
        Full PV name to caproto channel: what a server context takes.
    """

    def __init__(self, prefix: str, groups: tuple[str, ...]) -> None:
        self._prefix = prefix
        self.channels: dict[str, Any] = {}
        text = files("voltomo.twin").joinpath("area_detector_pvs.csv").read_text()
        for row in csv.DictReader(text.splitlines()):
            if row["name"].startswith(groups):
                self._add(row)

    def _add(self, row: Mapping[str, str]) -> None:
        name = self._prefix + row["name"]
        channel = _channel(row["type"], row["choices"], row["initial"])
        channel.read_only = name.endswith("_RBV")
        self.channels[name] = channel
        if row["readback"] == "1":
            readback = _channel(row["type"], row["choices"], row["initial"])
            readback.read_only = True
            self.channels[name + "_RBV"] = readback
            channel.readback = readback

    def __getitem__(self, name: str) -> Any:
        """The channel of this name, prefix left out."""
        return self.channels[self._prefix + name]

    def value(self, name: str) -> Any:
        """Present value of this name, prefix left out."""
        return plain(self[name])

    async def show(self, values: Mapping[str, Any]) -> None:
        """Write those of these values that changed (names without the prefix)."""
        for name, value in values.items():
            channel = self[name]
            if plain(channel) != value:
                await channel.write(value, verify_value=False)

    def on_put(self, name: str, handler: Handler, *, readback_follows: bool = True) -> None:
        """Call ``handler(value)`` after a client's put to this name."""
        channel = self[name]
        channel.handler = handler
        channel.readback_follows = readback_follows
