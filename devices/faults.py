"""What goes wrong with a device, in a sentence for the person on shift."""

from __future__ import annotations

from voltomo.model.sentence import SentenceError


class DeviceFault(SentenceError):
    """A device did not do what was expected; the message names device, expected and seen."""


def fault(device: str, expected: object, seen: object, advice: str = "") -> DeviceFault:
    """A fault in the usual words: device, expected, seen, and what to do."""
    sentence = f"{device}: expected {expected}, saw {seen}"
    return DeviceFault(f"{sentence}; {advice}" if advice else sentence)
