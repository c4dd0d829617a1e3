"""Labels of live slices come at their own pace, and never keep a slice waiting."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from voltomo.analysis.segment import CLASSES, Segmenter
from voltomo.live.labels import LabelledSlice, Labeller
from voltomo.live.live_planes import PlaneState, slice_of
from voltomo.live.slice_state import SliceState


def state(frames: int = 90, pixel_um: float = 1.0, trigger: int = 7) -> SliceState:
    image = np.random.default_rng(0).normal(0, 1e-5, (64, 64)).astype(np.float32)
    image[20:40, 20:40] += 1e-3
    return SliceState(image, trigger, frames, "sweep_0", 3, pixel_um=pixel_um)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.shipped()


def test_a_labelled_slice_says_what_it_rests_on(segmenter: Segmenter) -> None:
    made = Labeller(lambda _: None, segmenter=segmenter).label("u1", state())
    summary = made.summary()
    assert made.segmentation is not None
    assert made.segmentation.labels.dtype == np.uint8
    assert (summary["scan_uid"], summary["last_trigger"], summary["row"]) == ("u1", 7, 3)
    assert set(summary["fractions"]) == set(CLASSES)
    assert summary["validated"] is False
    assert summary["reason"].endswith(".")


def test_a_slice_without_a_pixel_size_has_a_reason_and_no_labels(segmenter: Segmenter) -> None:
    made = Labeller(lambda _: None, segmenter=segmenter).label("u1", state(pixel_um=0.0))
    assert made.segmentation is None
    assert "pixel size" in made.reason
    assert made.summary()["confidence"] is None
    assert made.summary()["fractions"] == {}


def test_the_newest_slice_is_labelled_and_none_waits(segmenter: Segmenter) -> None:
    found: list[LabelledSlice] = []
    go, both = threading.Event(), threading.Event()

    def take(made: LabelledSlice) -> None:
        found.append(made)
        if len(found) == 2:
            both.set()
        go.wait(20)

    labeller = Labeller(take, period_s=0.01, segmenter=segmenter)
    labeller.start()
    labeller.offer("u1", state(frames=3))
    labeller.offer("u1", state(trigger=1))
    end_s = time.monotonic() + 20
    while not found and time.monotonic() < end_s:
        time.sleep(0.01)
    # The first is held up; what is offered meanwhile is taken at once, and only the last is used.
    for trigger in range(2, 200):
        labeller.offer("u1", state(trigger=trigger))
    go.set()
    assert both.wait(20)
    labeller.stop()
    assert [made.state.last_trigger for made in found] == [1, 199]


def test_labels_of_a_scan_do_not_outlive_it(segmenter: Segmenter) -> None:
    found: list[str] = []
    begun: list[int] = []
    labeller = Labeller(
        lambda made: found.append(made.scan_uid),
        period_s=0.01,
        segmenter=segmenter,
        on_begin=lambda: begun.append(len(found)),
    )
    labeller.start()
    labeller.begin("u2")
    labeller.begin("u2")
    assert begun == [0]
    labeller.offer("u1", state())
    time.sleep(0.05)
    end_s = time.monotonic() + 20
    while not found and time.monotonic() < end_s:
        labeller.offer("u2", state())
        time.sleep(0.02)
    labeller.stop()
    assert set(found) == {"u2"}


def test_a_slice_that_cannot_be_labelled_does_not_end_the_labels(segmenter: Segmenter) -> None:
    done = threading.Event()

    def take(made: LabelledSlice) -> None:
        if made.state.last_trigger == 1:
            raise RuntimeError("no room on the network")
        done.set()

    labeller = Labeller(take, period_s=0.01, segmenter=segmenter)
    labeller.start()
    labeller.offer("u1", state(trigger=1))
    end_s = time.monotonic() + 20
    while not done.wait(0.05) and time.monotonic() < end_s:
        labeller.offer("u1", state(trigger=2))
    assert done.is_set()
    assert labeller.alive
    labeller.stop()


def test_a_plane_across_the_axis_brings_its_pixel_size() -> None:
    plane = PlaneState("xy", state().image, "{}", 3, 7, 90, "sweep_0", False, 0.0, pixel_um=1.5)
    assert slice_of(plane).pixel_um == 1.5
