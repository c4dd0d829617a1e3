"""The twin's beam: ring, photon shutter, attenuator, energy, place, and the flux that they make."""

from __future__ import annotations

import math

import numpy as np

from voltomo.twin.diode import diode_current_A
from voltomo.twin.ring import Dump, Ring
from voltomo.twin.settings import TwinSettings
from voltomo.twin.stage_axis import StageAxis, take_over
from voltomo.twin.world import GRACE_S, Channel, Segment, World

PIECE_S = 10.0
"""The ring's decay is laid down in straight pieces of this length."""
AHEAD_S = 60.0
ATTENUATOR_S = 0.05
"""Time in which a filter moves in or out."""
FRONT_END_S = 0.5
"""Time in which the photon shutter opens or closes."""
ENERGY_KEV_PER_S = 5.0
ENERGY_KEV_PER_S2 = 20.0
_WANDER_PERIOD_S = 97.0


class Ramp:
    """A channel that goes to a target in a fixed time: filters, and the photon shutter."""

    def __init__(self, world: World, name: str, seconds: float, unset: float) -> None:
        self._world = world
        self._seconds = seconds
        self.channel = world.channel(name)
        now_s = world.now_s()
        here = take_over(self.channel, now_s, unset)
        self.target = here
        self._begin = self._end = (now_s, here)

    def go(self, target: float) -> None:
        """Move there from wherever it is."""
        now_s = self._world.now_s()
        here, then_s = self.at(now_s), now_s + self._seconds
        slope = (target - here) / self._seconds
        self.target = target
        self._begin, self._end = (now_s, here), (then_s, target)
        self.channel.put([Segment(now_s, then_s, here, slope), Segment(then_s, then_s, target)])

    def at(self, time_s: float) -> float:
        """Value from the beginning of the last motion on."""
        times, values = zip(self._begin, self._end, strict=True)
        return float(np.interp(time_s, times, values))

    @property
    def end_s(self) -> float:
        """World time at which the last motion ends."""
        return self._end[0]


class Source:
    """Owner of all channels of the beam; see `CHANNELS`."""

    def __init__(self, world: World, settings: TwinSettings) -> None:
        self._world = world
        self._settings = settings
        self._channel = world.channel("flux")
        self._others = [world.channel(n) for n in ("ring_current", "beam_x", "beam_y")]
        # The monochromator wakes up at the energy that was asked for.
        self.energy = StageAxis(world, "energy", settings.energy_keV)
        now_s = world.now_s()
        self._attenuator = Ramp(world, "transmission", ATTENUATOR_S, 1.0)
        self._front_end = Ramp(world, "front_end", FRONT_END_S, 1.0)
        take_over(self._channel, now_s, 0.0)
        random = np.random.default_rng([world.seed, 13])
        self._phases = random.uniform(0, 2 * math.pi, 2)
        self._random = np.random.default_rng([world.seed, 11])
        self._diode_random = np.random.default_rng([world.seed, 17])
        self._frozen: float | None = None
        self._troubles: tuple[tuple[Dump, ...], float, float] = ((), 0.0, 0.0)
        self.ring = self._ring(())
        self._look_at_faults()
        self._lay(now_s)

    @property
    def transmission(self) -> float:
        """What the attenuator lets through, or will when its filters stand."""
        return self._attenuator.target

    @property
    def front_end_open(self) -> bool:
        """Whether the photon shutter is told to be open."""
        return self._front_end.target > 0.5

    def front_end(self, now_s: float) -> float:
        """Open part of the photon shutter."""
        return self._front_end.at(now_s)

    def ring_current_mA(self, time_s: float) -> float:
        """Ring current by what is known of it now."""
        return self.ring.current_mA(time_s)

    def flux_per_cm2_s(self, time_s: float) -> float:
        """Flux at the sample with the shutter open."""
        return self._channel.value(time_s)

    def attenuate(self, transmission: float) -> None:
        """Move filters: the flux goes over to the new transmission in `ATTENUATOR_S`."""
        self._attenuator.go(transmission)
        self._lay(self._world.now_s())

    def open_front_end(self, is_open: bool) -> None:
        """Move the photon shutter, which stands before everything else."""
        self._front_end.go(float(is_open))
        self._lay(self._world.now_s())

    def position_um(self, time_s: float) -> tuple[float, float]:
        """Where the beam is, across and up, µm: it wanders, kicks while the ring is filled."""
        own, (_, moved_x, moved_y) = self._settings, self._troubles
        place = [moved_x, moved_y]
        for axis, phase in enumerate(self._phases.tolist()):
            turn = 2 * math.pi * time_s / (_WANDER_PERIOD_S * (1 + 0.3 * axis))
            place[axis] += own.beam_wander_um * math.sin(turn + phase)
        if self.ring.filling(time_s):
            place[0] += own.top_up_kick_um
        return place[0], place[1]

    def _ring(self, dumps: tuple[Dump, ...]) -> Ring:
        own = self._settings
        return Ring(
            own.ring_current_mA, own.ring_lifetime_h * 3600, own.top_up_period_s, dumps=dumps
        )

    def _look_at_faults(self) -> bool:
        """Whether the world's list of dumps and displacements has changed."""
        world = self._world
        dumps = tuple(Dump(f.at_s, f.value) for f in world.faults("beam_dump"))
        moved = [
            sum(f.value for f in world.faults(kind) if f.at_s <= world.now_s())
            for kind in ("beam_moved_x", "beam_moved_y")
        ]
        found = (tuple(sorted(dumps, key=lambda dump: dump.at_s)), moved[0], moved[1])
        if found == self._troubles:
            return False
        self._troubles = found
        self.ring = self._ring(found[0])
        return True

    def _full_flux(self, time_s: float) -> float:
        """Flux by ring, photon shutter and attenuator."""
        part = self.ring.current_mA(time_s) / self._settings.ring_current_mA
        part *= self._attenuator.at(time_s) * self._front_end.at(time_s)
        return self._settings.flux_per_cm2_s * part

    def _lay(self, start_s: float) -> None:
        """Put down what is known of the beam from here on, in straight pieces."""
        end_s = start_s + AHEAD_S
        cuts = {start_s + number * PIECE_S for number in range(round(AHEAD_S / PIECE_S) + 1)}
        cuts |= set(self.ring.breaks_s(start_s, end_s))
        cuts |= {r.end_s for r in (self._attenuator, self._front_end) if start_s < r.end_s < end_s}
        times = sorted(cuts)
        ring, beam_x, beam_y = self._others
        _lay_lines(self._channel, times, [self._full_flux(at_s) for at_s in times])
        _lay_lines(ring, times, [self.ring.current_mA(at_s) for at_s in times])
        places = [self.position_um(at_s) for at_s in times]
        _lay_lines(beam_x, times, [place[0] for place in places])
        _lay_lines(beam_y, times, [place[1] for place in places])
        self._laid_s = end_s

    def beat(self, now_s: float) -> None:
        """Keep all channels alive and laid out ahead; follow the world's faults."""
        self.energy.beat(now_s)
        changed = self._look_at_faults()
        ramps = [self._attenuator.channel, self._front_end.channel]
        if now_s > self._channel.beat_s + GRACE_S:
            for channel in (self._channel, *self._others, *ramps):
                take_over(channel, now_s, 0.0)
            self._attenuator = Ramp(self._world, "transmission", ATTENUATOR_S, 1.0)
            self._front_end = Ramp(self._world, "front_end", FRONT_END_S, 1.0)
            self._lay(now_s)
        elif changed or now_s > self._laid_s - 2 * PIECE_S:
            self._lay(now_s)
        for channel in (self._channel, *self._others, *ramps):
            channel.beat()

    def monitor_counts_s(self, now_s: float) -> float:
        """What the monitor upstream of the shutter reads; its faults act."""
        if self._world.has_fault("monitor_dead"):
            return 0.0
        scatter = 1 + self._settings.monitor_noise * self._random.standard_normal()
        counts = self.flux_per_cm2_s(now_s) * self._settings.monitor_counts_per_flux * scatter
        if self._frozen is None or not self._world.has_fault("monitor_frozen"):
            self._frozen = counts
        return self._frozen

    def diode_A(self, now_s: float) -> float:
        """Current of the photodiode behind the sample's place; see `voltomo.twin.diode`."""
        return diode_current_A(self._world, self._diode_random, now_s)


def _lay_lines(channel: Channel, times: list[float], values: list[float]) -> None:
    channel.put(
        Segment(begin, end, value, (after - value) / (end - begin))
        for begin, end, value, after in zip(times, times[1:], values, values[1:], strict=False)
    )
