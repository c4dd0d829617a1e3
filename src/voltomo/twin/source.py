"""The twin's beam: ring current, attenuator, energy, and the flux that they make."""

from __future__ import annotations

import math

import numpy as np

from voltomo.twin.settings import TwinSettings
from voltomo.twin.stage_axis import StageAxis, take_over
from voltomo.twin.world import GRACE_S, Segment, World

PIECE_S = 10.0
"""The ring's decay is laid down in straight pieces of this length."""
AHEAD_S = 60.0
ATTENUATOR_S = 0.05
"""Time in which a filter moves in or out."""
ENERGY_KEV_PER_S = 5.0
ENERGY_KEV_PER_S2 = 20.0


class Source:
    """Owner of the channels ``flux`` and ``energy``."""

    def __init__(self, world: World, settings: TwinSettings) -> None:
        self._world = world
        self._settings = settings
        self._channel = world.channel("flux")
        self.energy = StageAxis(world, "energy")
        now_s = world.now_s()
        if self.energy.at(now_s)[0] == 0:
            # Before the first owner: the monochromator wakes up at the energy that was asked for.
            self.energy.set_to(settings.energy_keV)
        seen = take_over(self._channel, now_s, self._full_flux(now_s))
        self.transmission = min(seen / self._full_flux(now_s), 1.0)
        self._random = np.random.default_rng([world.seed, 11])
        self._frozen: float | None = None
        self._lay(now_s, [])

    def ring_current_mA(self, time_s: float) -> float:
        """Exponential decay since the world's making."""
        lifetime_s = self._settings.ring_lifetime_h * 3600
        return self._settings.ring_current_mA * math.exp(-time_s / lifetime_s)

    def _full_flux(self, time_s: float) -> float:
        """Flux without attenuator, photons/s/cm²."""
        part = self.ring_current_mA(time_s) / self._settings.ring_current_mA
        return self._settings.flux_per_cm2_s * part

    def flux_per_cm2_s(self, time_s: float) -> float:
        """Flux at the sample with the shutter open."""
        return self._channel.value(time_s)

    def attenuate(self, transmission: float) -> None:
        """Move filters: the flux goes over to the new transmission in `ATTENUATOR_S`."""
        now_s = self._world.now_s()
        here = self.flux_per_cm2_s(now_s)
        self.transmission = transmission
        there_s = now_s + ATTENUATOR_S
        slope = (transmission * self._full_flux(there_s) - here) / ATTENUATOR_S
        self._lay(there_s, [Segment(now_s, there_s, here, slope)])

    def _lay(self, start_s: float, before: list[Segment]) -> None:
        """Put down the decay from here on."""
        pieces = list(before)
        for number in range(round(AHEAD_S / PIECE_S)):
            begin, end = start_s + number * PIECE_S, start_s + (number + 1) * PIECE_S
            flux, then = (self.transmission * self._full_flux(time_s) for time_s in (begin, end))
            pieces.append(Segment(begin, end, flux, (then - flux) / PIECE_S))
        self._channel.put(pieces)
        self._laid_s = start_s + AHEAD_S

    def beat(self, now_s: float) -> None:
        """Keep both channels alive and laid out ahead."""
        self.energy.beat(now_s)
        if now_s > self._channel.beat_s + GRACE_S:
            take_over(self._channel, now_s, 0.0)
            self._lay(now_s, [])
        elif now_s > self._laid_s - 2 * PIECE_S:
            self._lay(self._laid_s, [])
        self._channel.beat()

    def monitor_counts_s(self, now_s: float) -> float:
        """What the monitor upstream of the shutter reads; its faults act."""
        if self._world.has_fault("monitor_dead"):
            return 0.0
        scatter = 1 + self._settings.monitor_noise * self._random.standard_normal()
        counts = self.flux_per_cm2_s(now_s) * self._settings.monitor_counts_per_flux * scatter
        if self._frozen is None or not self._world.has_fault("monitor_frozen"):
            self._frozen = counts
        return self._frozen
