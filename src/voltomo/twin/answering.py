"""Follows the world's beam on the cell and puts down what the cell answers."""

from __future__ import annotations

import math

import numpy as np

from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.twin.beam_answer import BeamAnswer, Light
from voltomo.twin.settings import TwinSettings
from voltomo.twin.stage_axis import take_over
from voltomo.twin.world import Segment, World

__all__ = ["ANSWERS", "Answering", "made_answer"]

ANSWERS = {"gas": 0.0, "kinetics": 1.0, "warmth": 0.0, "cell_dose": 0.0}
"""Channels of the answer, and what they read of a fresh cell."""

_BEHIND_S = 0.1
"""Other writers have put down by then what happened."""
_STEP_S = 0.005
_SAMPLE_IN_mm = 4.0
_AHEAD_S = 3600.0


def made_answer(settings: TwinSettings) -> BeamAnswer:
    """The cell that the camera sees, as wide as its casing."""
    camera = settings.camera
    half_mm = 0.5 * camera.columns * camera.pixel_um * 1e-3
    return BeamAnswer(settings.answer, 0.84 * half_mm, camera.rows * camera.pixel_um * 1e-3)


class Answering:
    """Owner of the channels of the cell's answer.

    Parameters
    ----------
    world : World
        Of shutter, flux, energy, slits and sample stage.
    settings : TwinSettings
        How strongly the cell answers.
    """

    def __init__(self, world: World, settings: TwinSettings) -> None:
        self._world = world
        self.answer = made_answer(settings)
        self._channels = {name: world.channel(name) for name in ANSWERS}
        now_s = world.now_s()
        known = {n: take_over(c, now_s, ANSWERS[n]) for n, c in self._channels.items()}
        self.answer.start_with(known["cell_dose"])
        self._until_s = now_s
        self._energy_keV = math.nan
        self._per_fluence = 0.0
        self._shown: tuple[float, ...] = tuple(known.values())

    def beat(self, now_s: float) -> None:
        """Take what has happened since the last time, and show it."""
        if self.answer.settings.on:
            self._follow(now_s - _BEHIND_S)
            self._show(now_s)
        for channel in self._channels.values():
            channel.beat()

    def _follow(self, until_s: float) -> None:
        since_s = self._until_s
        if until_s <= since_s:
            return
        # The cell's clock may have jumped far ahead; no beam is on meanwhile.
        count = min(max(round((until_s - since_s) / _STEP_S), 1), 1000)
        times = since_s + (np.arange(count) + 0.5) * (until_s - since_s) / count
        self._until_s = until_s
        flux, shutter, across = (
            np.nan_to_num(self._world.channel(name).at(times), nan=0.0)
            for name in ("flux", "shutter", "sample_x")
        )
        mean = float((flux * shutter * (np.abs(across) < _SAMPLE_IN_mm)).mean())
        energy_keV = self._world.channel("energy").value(until_s)
        if mean > 0 and math.isfinite(energy_keV) and energy_keV != self._energy_keV:
            self._energy_keV = energy_keV
            self._per_fluence = dose_per_fluence_Gy_cm2(material("electrolyte"), energy_keV)
        self.answer.shine(self._light(until_s, until_s - since_s, mean), self._per_fluence)

    def _light(self, at_s: float, seconds: float, flux: float) -> Light:
        def known(name: str, otherwise: float) -> float:
            value = self._world.channel(name).value(at_s)
            return value if math.isfinite(value) else otherwise

        x_mm, z_mm = known("sample_x", 0.0), known("sample_z", 0.0)
        left, right = known("slit_left", -math.inf), known("slit_right", math.inf)
        bottom, top = known("slit_bottom", -math.inf), known("slit_top", math.inf)
        return Light(
            seconds,
            flux,
            0.0 if math.isnan(self._energy_keV) else self._energy_keV,
            (left - x_mm, right - x_mm),
            (bottom - z_mm, top - z_mm),
        )

    def _show(self, now_s: float) -> None:
        answer = self.answer
        shown = (answer.gas_mm3, answer.kinetics, answer.warmth_K, answer.mean_dose_Gy)
        if np.allclose(shown, self._shown, rtol=1e-5, atol=1e-12):
            return
        self._shown = shown
        for channel, value in zip(self._channels.values(), shown, strict=True):
            channel.put([Segment(now_s, now_s + _AHEAD_S, value)])
