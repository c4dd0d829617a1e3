"""What viewers of the page get: values, and only the slice of the scan that is named."""

import asyncio
import struct

import numpy as np
from synthetic_scan import make_spec

from voltomo.live.page_feed import Feed, ShownSlice, encode_slice, run_values
from voltomo.live.run_follower import RunStarted


def test_a_slice_is_not_shown_under_the_name_of_another_scan() -> None:
    feed = Feed()
    image = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)

    async def story() -> None:
        assert feed.picture() == b""
        await feed.take({"scan_uid": "first"})
        await feed.show(ShownSlice(image, 40, 20, 2, "first"))
        first = feed.picture()
        assert first[28:] == feed.picture()[28:] != b""
        await feed.take({"scan_uid": "second"})
        assert feed.picture() == b""
        await feed.show(ShownSlice(image, 41, 21, 2, "second"))
        assert struct.unpack_from("<HHiffIiI", feed.picture())[2] == 41

    asyncio.run(story())


def test_a_slice_without_contrast_is_black() -> None:
    picture = encode_slice(ShownSlice(np.zeros((8, 8), np.float32), 3, 1, 5))
    assert struct.unpack_from("<HHiffIiI", picture) == (8, 8, 3, 0.0, 0.0, 1, 5, 0)
    assert set(picture[28:]) == {0}


def test_what_nobody_recorded_is_not_shown_as_known() -> None:
    spec = make_spec()
    assert run_values(RunStarted("u", spec, 1.0))["pixel_um"] == 1.0
    assumed = RunStarted("u", spec, 1.0, "replay", ("pixel size",))
    assert run_values(assumed)["pixel_um"] is None


def test_every_plane_has_a_picture_of_its_own() -> None:
    image = np.arange(64, dtype=np.float32).reshape(8, 8)

    async def story() -> None:
        feed = Feed({"scan_uid": "a"})
        await feed.show(ShownSlice(image, 40, 20, -1, "a", "xz", '{"y": 2.0}'))
        await feed.show(ShownSlice(image[:4], 41, 21, -1, "a", "oblique", "{}"))
        assert feed.picture() == b""
        assert struct.unpack_from("<HHiffIiI", feed.picture("xz"))[7] == 1
        assert struct.unpack_from("<HHiffIiI", feed.picture("oblique"))[:2] == (8, 4)
        assert (feed.number("xz"), feed.number("yz")) == (1, 0)
        assert feed.values["positions"] == {"xz": '{"y": 2.0}', "oblique": "{}"}

    asyncio.run(story())
