"""Rules that keep axes apart: the whole path counts, and where the others are going."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.model.keep_out import KeepOut, rule_against

RULE = KeepOut(
    name="the camera hits the leaning stage",
    where={"tilt": (20.0, None), "camera_distance": (None, 30.0)},
)


def test_a_path_through_the_forbidden_place_is_refused_and_named() -> None:
    near = {"camera_distance": (10.0, 10.0)}
    assert RULE.forbids("tilt", 0.0, 25.0, near)
    assert RULE.forbids("tilt", 0.0, 20.0, near)
    assert not RULE.forbids("tilt", 0.0, 19.0, near)
    assert rule_against([RULE], "tilt", 0.0, 25.0, near) is RULE
    assert rule_against([RULE], "sample_x", 0.0, 25.0, near) is None
    assert RULE.sentence("tilt", 25.0, near) == (
        "tilt: expected a path that keeps out of 20 to any (the camera hits the leaning stage) "
        "with camera_distance at 10, saw a move to 25; nothing was moved; move another axis of "
        "the rule first"
    )


def test_an_axis_on_its_way_counts_where_it_goes() -> None:
    assert RULE.forbids("tilt", 0.0, 25.0, {"camera_distance": (100.0, 20.0)})
    assert not RULE.forbids("tilt", 0.0, 25.0, {"camera_distance": (100.0, 40.0)})
    assert "on its way to 20" in RULE.sentence("tilt", 25.0, {"camera_distance": (100.0, 20.0)})


def test_passing_through_counts_and_going_out_is_allowed() -> None:
    band = KeepOut(name="post", where={"sample_x": (2.0, 3.0)})
    assert band.forbids("sample_x", 0.0, 5.0, {})
    assert not band.forbids("sample_x", 0.0, 1.9, {})
    assert not band.forbids("sample_x", 2.5, 5.0, {})
    assert band.forbids("sample_x", 2.5, 2.7, {})


@given(here=st.floats(-50, 50), target=st.floats(-50, 50), camera=st.floats(0, 100))
def test_no_move_that_is_allowed_brings_them_together(here, target, camera) -> None:
    together = here >= 20 and camera <= 30
    if not RULE.forbids("tilt", here, target, {"camera_distance": (camera, camera)}):
        assert together or not (max(here, target) >= 20 and camera <= 30)
        assert not (target >= 20 and camera <= 30)


def test_what_makes_no_sense_is_refused() -> None:
    for where in ({}, {"tilt": (3.0, 1.0)}):
        with pytest.raises(ValidationError):
            KeepOut.model_validate({"name": "x", "where": where})
