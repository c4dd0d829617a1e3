"""What every start document of a session says, beside what the plan says itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bluesky import Msg
from bluesky import preprocessors as bpp

from voltomo.model.sample import Sample
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.runtime.recorded_scan import RecordedHead

Plan = Generator[Msg, Any, Any]


def of_beamline(file: BeamlineFile) -> dict[str, Any]:
    """Entries for all runs of a session.

    Of a recording that is played, what its file says is given, the energy included: the energy
    readback is that of the beamline that plays it.
    """
    entries: dict[str, Any] = {
        "source": "twin" if file.virtual else "beamline",
        "beamline": {
            "name": file.name,
            "source_name": file.source_name,
            "software_guard_only": file.software_guard_only,
        },
        "versions": {"voltomo": version("voltomo")},
    }
    if file.spectrum is not None:
        entries["spectrum"] = file.spectrum.document(file.energy_keV)
    camera = file.twin.get("camera") or {}
    if camera.get("source") == "replay":
        recorded = RecordedHead.read(Path(camera["replay_file"]), camera.get("replay_scale"))
        entries["source"] = "replay"
        entries["energy_keV"] = file.energy_keV
        entries["replay"] = {
            "file": recorded.path.name,
            "title": recorded.title,
            "scale": recorded.scale,
            "assumed": recorded.assumed,
        }
    return entries


def with_sample(samples: Iterable[Sample]) -> Callable[[Plan], Plan]:
    """A preprocessor for the RunEngine: runs on a known sample say what it is and may receive."""
    known = {sample.name: sample for sample in samples}

    def stamp(message: Msg) -> Msg:
        sample = known.get(str(message.kwargs.get("sample")))
        if message.command != "open_run" or sample is None:
            return message
        limits = {
            "material": sample.material,
            "dose_limit_Gy": sample.dose_limit_Gy,
            "beam_limit_s": sample.beam_limit_s,
            "dose_limit_source": sample.dose_limit_source,
        }
        return message._replace(kwargs={"sample_limits": limits, **message.kwargs})

    return lambda plan: bpp.msg_mutator(plan, stamp)
