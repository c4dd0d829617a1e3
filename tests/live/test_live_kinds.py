"""What the live slice makes of every kind of scan, and of blocks that are taken again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_scan import SyntheticScan, make_spec

from voltomo.live.gap_filler import fill
from voltomo.live.live_slice import LiveSlice
from voltomo.live.run_follower import FileOpened
from voltomo.model.place import Place
from voltomo.model.trigger_source import TriggerChunk


def slice_of(folder: Path, **options: Any) -> np.ndarray:
    """The slice of a whole scan, as it is while it runs."""
    scan = SyntheticScan(folder, make_spec(**options))
    live = LiveSlice(scan.uid, scan.spec)
    for index in range(scan.spec.triggers):
        if index % 7 == 6:
            live.latch(scan.chunk(max(0, index - 20), index))
        live.frame(scan.images[index], float(scan.stamp_s[index]))
        live.process()
    live.latch(scan.chunk(0, scan.spec.triggers))
    live.process()
    assert live.wanted() == []
    assert live.state().frames == scan.spec.geometry.projections
    return live.state().image


@pytest.mark.parametrize(
    "options",
    [
        {"turns": 3},
        {"motion": "step"},
        {"motion": "step", "angles": "golden"},
        {"sweeps": 3, "interlace": "golden", "order": "alternate", "flats_every": 1},
        {"places": (Place(x_mm=0.003), Place(x_mm=-0.004))},
    ],
)
def test_the_last_turn_sweep_or_place_shows_the_phantom(tmp_path: Path, options) -> None:
    plain = slice_of(tmp_path)
    found = slice_of(tmp_path, **options)
    y, x = np.mgrid[:64, :64] - 31.5
    inside = np.hypot(x, y) < 24
    assert np.corrcoef(plain[inside], found[inside])[0, 1] > 0.97


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"motion": "step", "range_deg": 0.0}, "a stage that turns"),
        ({"sweeps": 0}, "a stage that turns"),
        ({"stored_flats": "f00", "flats_before": 0, "flats_after": 0}, "stored flats"),
        ({"places": (Place(x_mm=0.1),)}, "leaves at some places"),
        (
            {"half_acquisition": True, "range_deg": 360.0, "places": (Place(x_mm=0.02),)},
            "twice that",
        ),
    ],
)
def test_kinds_without_a_slice_say_so(options, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        LiveSlice("a-scan", make_spec(**options))


class TakenAgain:
    """A scan whose sweep was cut short, and taken again behind new flats."""

    def __init__(self, folder: Path) -> None:
        self.scan = SyntheticScan(folder)
        self.flats = self.scan.block("flats_before")
        self.sweep = self.scan.block("sweep_0")
        self.cut = self.sweep.first + 40
        order = [
            *range(self.cut),
            *range(self.flats.first, self.flats.last),
            *range(self.sweep.first, self.scan.spec.triggers),
        ]
        # As the hardware counts: the edges of one after the other, the later ones later.
        later = self.scan.edge_s[self.cut - 1] + 2 - self.scan.edge_s[self.flats.first]
        first = np.arange(len(order)) < self.cut
        self.index = np.array(order)
        self.edge_s = self.scan.edge_s[self.index] + np.where(first, 0, later)
        self.stamp_s = (self.edge_s + self.scan.clock_offset_s) * (1 + self.scan.skew)

    def chunks(self) -> list[tuple[int, TriggerChunk]]:
        """Position up to which a chunk tells, and the chunk."""
        found: list[tuple[int, TriggerChunk]] = []
        for last in range(7, self.index.size + 7, 7):
            inside = slice(max(last - 20, 0), min(last, self.index.size))
            run = self.index[inside]
            cuts = np.flatnonzero(np.diff(run) != 1) + 1
            for part in np.split(np.arange(inside.start, inside.stop), cuts):
                which = self.index[part]
                found.append(
                    (
                        inside.stop,
                        TriggerChunk(
                            int(which[0]),
                            self.scan.angle_deg[which].tolist(),
                            self.edge_s[part].tolist(),
                        ),
                    )
                )
        return found


def test_a_sweep_that_is_taken_again_is_shown_anew(tmp_path: Path) -> None:
    again = TakenAgain(tmp_path)
    live = LiveSlice("a-scan", again.scan.spec)
    chunks = again.chunks()
    dimmed = 0.5
    for position, index in enumerate(again.index):
        while chunks and chunks[0][0] <= position:
            live.latch(chunks.pop(0)[1])
        image = again.scan.images[index]
        if position < again.cut and index >= again.flats.first:
            # The beam was going before the interruption: nothing of it may be left.
            image = (image * dimmed).astype(np.uint16)
        live.frame(image, float(again.stamp_s[position]))
        live.process()
    for _, chunk in chunks:
        live.latch(chunk)
    live.process()
    assert live.wanted() == []
    whole = LiveSlice("a-scan", again.scan.spec)
    whole.latch(again.scan.chunk(0, again.scan.spec.triggers))
    for index, image in enumerate(again.scan.images):
        whole.frame(image, float(again.scan.stamp_s[index]))
    whole.process()
    assert live.state().frames == whole.state().frames
    np.testing.assert_allclose(live.state().image, whole.state().image, atol=2e-4)


def test_of_files_of_a_block_the_last_one_counts(tmp_path: Path) -> None:
    scan = SyntheticScan(tmp_path)
    live = LiveSlice("a-scan", scan.spec)
    live.latch(scan.chunk(0, scan.spec.triggers))
    files: list[FileOpened] = []
    for block in scan.spec.blocks():
        path = scan.write_file(block)
        if block.kind == "sweep":
            cut = path.with_name("cut.h5")
            shifted = SyntheticScan(tmp_path, uid="cut")
            shifted.stamp_s = shifted.stamp_s - 3.0
            shifted.write_file(block, set(range(block.first + 30, block.last))).rename(cut)
            files.append(FileOpened(block.name, cut))
        files.append(FileOpened(block.name, path))
    while fill(live, files):
        pass
    assert live.wanted() == []


def test_a_slice_is_made_of_all_that_a_blind_sector_leaves(tmp_path: Path) -> None:
    scan = SyntheticScan(tmp_path, make_spec(blind_sectors=((85.0, 95.0),)))
    live = LiveSlice(scan.uid, scan.spec)
    live.latch(scan.chunk(0, scan.spec.triggers))
    for index in range(scan.spec.triggers):
        live.frame(scan.images[index], float(scan.stamp_s[index]))
    live.process()
    parts = [block for block in scan.spec.blocks() if block.kind == "sweep"]
    assert [part.name for part in parts] == ["sweep_0_part_0", "sweep_0_part_1"]
    assert live.state().frames == sum(part.count for part in parts) < 90
    # The second part is taken again: both are wanted anew, since the slice begins anew.
    again = scan.chunk(parts[1].first, parts[1].last)
    live.latch(TriggerChunk(again.first, again.angle_deg, [t + 100.0 for t in again.time_s]))
    wanted = live.wanted()
    assert set(range(parts[0].first, parts[0].last)) <= set(wanted)
