"""What the beam did to the virtual cell, and what it would have done with the shutter left open."""

from __future__ import annotations

import json
import math
import time

import numpy as np

from voltomo.cli.job import settings_of
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.records.scan import Scan
from voltomo.runtime.log_reader import LogReader
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.answering import made_answer
from voltomo.twin.beam_answer import BeamAnswer, Light
from voltomo.twin.settings import TwinSettings
from voltomo.twin.world import World

__all__ = ["answer_facts", "filed_utc_s", "in_field_s"]

_STEP_S = 0.002


def answer_facts(folder: RunFolder, scan: Scan) -> dict[str, str]:
    """Lines for the report of a scan on the virtual beamline; none where its cell does not answer.

    Managed: what really passed the shutter. Beside it the same scan with the shutter opened before
    the first move of a stage and closed behind the last file.
    """
    if not folder.world.exists():
        return {}
    settings = TwinSettings.model_validate(settings_of(folder)["twin"])
    if not settings.answer.on:
        return {}
    world = World.open(folder.world)
    out_mm = abs(scan.record.spec.flats_shift_mm) / 2
    filed_s = filed_utc_s(folder)
    if math.isnan(filed_s):
        return {}
    end_s = world.now_s() - (time.time() - filed_s)
    begin_s = _first_move_s(world, end_s)
    times = np.arange(begin_s, end_s, _STEP_S)
    inside = np.abs(world.channel("sample_x").at(times)) < out_mm
    shutter = np.nan_to_num(world.channel("shutter").at(times), nan=0.0)
    managed_s = float((shutter * inside).sum()) * _STEP_S
    wasteful_s = in_field_s(world, begin_s, end_s, out_mm)
    flux = float(world.channel("flux").at(end_s))
    energy_keV = float(scan.record.start.get("energy_keV") or settings.energy_keV)
    made = [_after(settings, seconds, flux, energy_keV) for seconds in (managed_s, wasteful_s)]
    limit_Gy = settings.answer.dissolved_up_to_Gy / max(settings.answer.gas_gain, 1e-300)
    return {
        "Virtual cell, as scanned": _words(managed_s, made[0]),
        "Shutter open from first move to last file": (
            f"{_words(wasteful_s, made[1])}; gas is free from {limit_Gy:.3g} Gy of the electrolyte "
            "on, at gains that exaggerate"
        ),
    }


def in_field_s(world: World, begin_s: float, end_s: float, out_mm: float) -> float:
    """Time for which the sample stood in the beam's field."""
    times = np.arange(begin_s, end_s, _STEP_S)
    if not times.size:
        return 0.0
    inside = np.abs(world.channel("sample_x").at(times)) < out_mm
    return float(inside.mean()) * (end_s - begin_s)


def filed_utc_s(folder: RunFolder) -> float:
    """When the last take of the last scan was complete, its frames in a closed file; or NaN."""
    found = math.nan
    for entry in LogReader(folder.run_log).entries():
        if '"take_outcome": "complete"' in json.dumps(entry.data):
            found = entry.utc_s
    return found


def _first_move_s(world: World, end_s: float) -> float:
    times = np.arange(0.0, end_s, _STEP_S)
    moving = np.zeros(times.shape, dtype=bool)
    for name in ("sample_x", "rotation"):
        moving |= np.abs(world.channel(name).velocity(times)) > 1e-6
    return float(times[np.flatnonzero(moving)[0]]) if moving.any() else end_s


def _after(settings: TwinSettings, seconds: float, flux: float, energy_keV: float) -> BeamAnswer:
    answer = made_answer(settings)
    per_fluence = dose_per_fluence_Gy_cm2(material("electrolyte"), energy_keV)
    answer.shine(Light(seconds, flux, energy_keV), per_fluence)
    return answer


def _words(seconds: float, answer: BeamAnswer) -> str:
    gas = answer.gas_mm3 / (answer.volume_mm3 * answer.settings.electrolyte_part)
    text = f"{seconds:.1f} s of beam, {answer.mean_dose_Gy:.3g} Gy to the electrolyte, "
    text += "no free gas" if gas <= 0 else f"{100 * gas:.2g} % of it free gas"
    return f"{text}, {100 * answer.kinetics:.3g} % of its kinetics left"
