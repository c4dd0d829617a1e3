"""Names of a beamline's devices: those of the virtual one, changed one by one."""

import pytest
from pydantic import ValidationError

from voltomo.model.pv_names import PvNames


def test_names_follow_from_the_prefix_and_from_each_other() -> None:
    names = PvNames(prefix="BL7:", camera="BL7-CAM:", ring_current="SR:Current", sample_z=None)
    assert names.rotation == "BL7:Stage:Rotation"
    assert names.camera == "BL7-CAM:"
    assert names.frames == "BL7-CAM:Pva1:Image"
    assert names.ring_current == "SR:Current"
    assert names.sample_z is None
    assert PvNames.model_validate_json(names.model_dump_json()) == names


@pytest.mark.parametrize("wrong", ["", "two words", "x" * 61, None])
def test_what_cannot_be_a_name_is_refused(wrong: str | None) -> None:
    with pytest.raises(ValidationError):
        PvNames.model_validate({"rotation": wrong})
    with pytest.raises(ValidationError, match="rotatoin"):
        PvNames.model_validate({"rotatoin": "BL7:Rot"})
