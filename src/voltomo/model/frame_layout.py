"""Where things lie in a file of frames: areaDetector's layout, for writer, camera and readers."""

from __future__ import annotations

FRAMES = "/entry/data/data"
"""The frames themselves, (frame, row, column)."""

UNIQUE_IDS = "/entry/instrument/NDAttributes/NDArrayUniqueId"
"""The camera's numbers."""

STAMPS = "/entry/instrument/NDAttributes/NDArrayTimeStamp"
"""The camera's stamps: start of exposure on its own clock."""
