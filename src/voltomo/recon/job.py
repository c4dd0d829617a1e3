"""From a recorded scan to a volume, slab by slab, going on where an earlier start ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.model.sentence import SentenceError
from voltomo.recon.ome_zarr import Layout, VolumeStore
from voltomo.recon.own import OwnReconstructor
from voltomo.recon.planning import (
    RowGeometry,
    Tell,
    backend_of,
    new_plan,
    plan_of_before,
    start_of,
)
from voltomo.recon.process_backend import ProcessReconstructor
from voltomo.recon.quality_note import quality_of
from voltomo.recon.record import Record, read_done
from voltomo.recon.room import check_disk, is_full
from voltomo.recon.slab import corrected_slab
from voltomo.recon.tilted import TiltedSlabs
from voltomo.recon.wish import Plan, Wish
from voltomo.runtime.recorded_rows import RecordedRows, open_rows


class Stopped(SentenceError):
    """A reconstruction ended before its time; what is done stays, and can be gone on with."""


@dataclass(frozen=True)
class Progress:
    """How far it is: slices done and in all, and the seconds that are left."""

    done: int
    total: int
    left_s: float


@dataclass
class Made:
    """What came of it.

    Attributes
    ----------
    volume : Path
        The folder.
    plan : Plan
        How it was made.
    axis_picture : uint8 (height, width) or None
        Of the axis, where it was looked for.
    notes : list of str
        What was said before the start.
    left_out : dict
        Views that were left out of some slab, and why.
    quality : list of str
        Measures of the middle slice.
    """

    volume: Path
    plan: Plan
    axis_picture: NDArray[np.uint8] | None = None
    notes: list[str] = field(default_factory=list[str])
    left_out: dict[int, str] = field(default_factory=dict[int, str])
    quality: list[str] = field(default_factory=list[str])


def reconstruct(wish: Wish, tell: Tell, progress: Callable[[Progress], None]) -> Made:
    """Reconstruct a file.

    Parameters
    ----------
    wish : Wish
        What is asked.
    tell : callable
        Takes sentences for the person.
    progress : callable
        Called after each slab.

    Raises
    ------
    Stopped
        Slabs were begun; those that are done stay.
    SentenceError
        Anything else, before anything was written.
    """
    with open_rows(wish.file) as recorded:
        known = read_done(wish.output)
        before = plan_of_before(wish, known)
        if before is not None and known.complete:
            tell(f"{wish.output} is complete already; nothing was done; --again begins anew")
            return Made(wish.output, before)
        if before is not None:
            made = Made(
                wish.output, before, notes=list(known.start["notes"] if known.start else [])
            )
            tell(f"goes on after {len(known.slabs)} of {len(before.slabs)} slabs")
        else:
            plan, look = new_plan(wish, recorded, tell)
            made = Made(wish.output, plan, look.picture, list(look.notes))
        done = known.slabs if before is not None else {}
        layout = Layout(made.plan.shape, made.plan.pixel_um)
        check_disk(wish.output, layout, len(done) / len(made.plan.slabs))
        backend = backend_of(wish)
        try:
            with _stopping(wish), Record(wish.output) as record:
                store = VolumeStore(wish.output, layout)
                if before is not None:
                    store.open()
                else:
                    _create(store, wish, made, record)
                _fill(wish, recorded, made, store, record, backend, dict(done), progress)
        finally:
            backend.close()
    return made


def _create(store: VolumeStore, wish: Wish, made: Made, record: Record) -> None:
    start = {
        **start_of(wish),
        "plan": made.plan.model_dump(mode="json"),
        "notes": made.notes,
    }
    says = {"values": "attenuation per pixel", "denoised": False, "complete": False}
    store.create({**start, **says})
    record.begin(start)


def _fill(
    wish: Wish,
    recorded: RecordedRows,
    made: Made,
    store: VolumeStore,
    record: Record,
    backend: OwnReconstructor | ProcessReconstructor,
    done: dict[int, dict[str, Any]],
    progress: Callable[[Progress], None],
) -> None:
    slabs, depth, size = made.plan.slabs, made.plan.shape[0], made.plan.shape[1]
    begun, here = time.monotonic(), 0
    tilted = None
    if made.plan.tilt_deg:
        tilted = TiltedSlabs(wish.corrections, recorded, made.plan, wish.threads)
    middle = len(slabs) // 2
    for number, (first, last) in enumerate(slabs):
        if number in done:
            continue
        if tilted is None:
            sinograms = corrected_slab(wish.corrections, recorded, made.plan, first, last)
            geometry = RowGeometry(sinograms.rows.shape[2], sinograms.axis_column)
            backend.prepare(geometry, sinograms.angles_deg, size)
            slices = backend.recon_slices(sinograms.rows)
        else:
            sinograms, slices = tilted.slab(number)
        store.write(first, slices)
        facts: dict[str, Any] = {
            "slices": [first, last],
            "left_out": {str(view): why for view, why in sinograms.left_out.items()},
            "steps": [{"name": step.name, **step.facts} for step in sinograms.steps],
        }
        # Halves are compared in a slice across an axis normal to the beam.
        if number == middle and tilted is None:
            facts["quality"] = quality_of(sinograms, size, made.plan.pixel_um)
        record.slab(number, facts)
        done[number] = facts
        here += last - first
        rest = sum(b - a for i, (a, b) in enumerate(slabs) if i not in done)
        progress(Progress(depth - rest, depth, (time.monotonic() - begun) / here * rest))
    for number in sorted(done):
        made.left_out |= {int(view): why for view, why in done[number]["left_out"].items()}
        made.quality += done[number].get("quality", [])
    left_out = {str(view): why for view, why in made.left_out.items()}
    says = {"left_out": left_out, "steps": done[middle]["steps"], "quality": made.quality}
    store.note({**says, "complete": True})
    record.complete(says)


@contextmanager
def _stopping(wish: Wish) -> Iterator[None]:
    """Say what stopped it, and that what is done stays."""
    stays = "slabs that are done stay, and the same command goes on after them"
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"stopped by hand; {stays}") from None
    except OSError as error:
        cause = error.__cause__
        if is_full(error) or (isinstance(cause, OSError) and is_full(cause)):
            raise Stopped(f"the disk of {wish.output} is full; make room first: {stays}") from error
        name = error.filename or wish.output
        why = (
            str(error) if isinstance(error, SentenceError) else f"{name}: {error.strerror or error}"
        )
        raise Stopped(f"{why}; {stays}") from error
    except SentenceError as error:
        raise Stopped(str(error)) from error
    except ValueError as error:
        raise Stopped(f"{error}; {stays}") from error
