"""Streams of a scan's documents: what a catalogue, a log and a plan call them alike."""

from __future__ import annotations

from voltomo.model.scan_spec import BlockKind

STREAMS: dict[BlockKind, str] = {
    "priming": "priming",
    "darks": "darks",
    "flats": "flats",
    "sweep": "primary",
}
"""Stream of the frames of each kind of block."""

TRIGGERS = "triggers"
"""Stream of what the trigger source latched: one row a trigger."""

BASELINE = "baseline"
"""Stream of where everything stands: one event before a scan, one behind it."""

BASELINE_WITHOUT = "baseline_without"
"""Instead of the event behind it, where a device that was read before a scan is away by then."""

FRAME_TABLE = "frame_table"
"""Stream of a catalogue alone: what became of each trigger, joined from logs and files."""
