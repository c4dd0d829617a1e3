"""What the guard is told before it starts: samples, calibration, times, the PVs that it reads."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from voltomo.dose.attenuation import HIGHEST_ENERGY_keV, LOWEST_ENERGY_keV
from voltomo.dose.guard_heat import HeatPath
from voltomo.dose.material_file import MaterialEntry, materials_with
from voltomo.dose.materials import MaterialList, UnknownMaterialError, shipped_materials
from voltomo.dose.policies import Policy
from voltomo.dose.policy_file import find_policy
from voltomo.model.sample import Sample
from voltomo.runtime.yaml_file import FileRefused

__all__ = ["GuardSettings", "read_guard_settings"]


class GuardSettings(BaseModel):
    """The guard's own settings: section ``guard`` of the run's settings file.

    Parameters
    ----------
    prefix : str
        Of the guard's own PVs.
    source : {"twin", "replay", "beamline"}
        Where frames come from; a replay of recorded frames costs no dose.
    materials : tuple of MaterialEntry
        Own materials, besides those that ship.
    samples : tuple of Sample
        Who may be exposed. A sample that is not listed gets no beam.
    policies : tuple of Policy
        Limits by class of material under a name, besides those that ship; samples name theirs.
    heat : dict
        How heat leaves each sample, by its name; one that is not listed is not watched.
    current_sample : str or None
        Who pays for a beam that nobody asked for, until a first lease names a sample.
    energy_keV : float
        Declared photon energy, 1 to 100 keV; holds until the energy readback has been read once,
        and while it cannot be read, the worse of this and the last that was read.
    flux_upper_bound_per_cm2_s : float
        Declared highest flux density at the sample; counts whenever the monitor cannot be
        believed.
    flux_per_monitor_count : float
        Calibration: flux density at the sample (1/(cm2 s)) for one count a second.
    flux_uncertainty : float
        Relative uncertainty of the calibration; the bound of every dose contains it in full.
    calibration_file : str or None
        File of a calibration of the flux, beside the exposure log or by its whole path. With it
        the two numbers above do not count: without a calibration that is whole, in time and made
        at the present energy the declared upper bound does.
    monitor_stale_s : float
        A monitor that is silent, dead or unchanged for this long is not believed.
    monitor_saturates_counts_s : float or None
        From here on the monitor is saturated and not believed.
    monitor_dark_counts_s : float
        What a monitor reads at most, up or down, where there is no beam.
    second_monitor_pv : str or None
        Counts a second of another monitor; where both it and the first read nothing, the flux is
        believed to be zero.
    ring_off_mA : float
        With a ring current of at most this, a monitor that reads nothing is believed.
    mounted_sample_pv : str or None
        Reads the name of the sample that is mounted, of a sample changer say; no other sample gets
        beam, and a beam that nobody asked for is counted on it.
    photon_shutter_pv : str or None
        Of a shutter upstream, closed where the shutter does not follow. Attenuators go in, too.
    photon_shutter_closed : float
        The value that closes it.
    way_out_transmission : float or None
        Transmission that the attenuators are set to then; None leaves them as they are.
    watching : bool
        Whether the guard only looks on at somebody else's scan: every opening is expected and
        counted, no lease is given.
    stale_s : float
        A lease that is not renewed for this long is lost; also the shutter controller's own time
        until a silent enable counter closes it.
    travel_s : float
        Time of the shutter's blade from one end to the other.
    frame_s : float
        Longest exposure of a frame; part of the smallest reservation.
    reaction_s : float
        From the guard's decision to the start of the blade, at worst; budgets end early by it.
    follow_s : float
        The shutter must be read closed this long after its travel time.
    timing_margin_s : float
        Added at either end of every opening: the stamps of the shutter may be late.
    first_trigger_s : float
        With a trigger deadline, the first trigger must come within this time of the opening.
    chunk_part : float
        Part of a sample's budget that is reserved at a time (at most one second of beam).
    beam_width_mm, beam_height_mm : float or None
        Size of the beam at the sample, at the foot of its profile; the dose map counts everywhere
        where it is not said.
    beam_peak_over_mean : float
        Peak of the beam's profile over its mean.
    beam_off_mm : (float, float)
        Middle of the beam from the rotation axis with the sample stage at 0: across it, and up.
    tilt_deg : float
        Lean of the rotation axis from the normal to the beam.
    sample_out_pv : str or None
        Readback of the stage that takes the sample out of the field, if not the sample's x.
    sample_out_done_pv : str or None
        Reads 1 while that stage stands still, if not the sample's x.
    sample_out_beyond_mm : float
        The sample is out of the field where that readback is at least this far from zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str = "VT:"
    source: Literal["twin", "replay", "beamline"] = "twin"
    materials: tuple[MaterialEntry, ...] = ()
    samples: tuple[Sample, ...] = ()
    policies: tuple[Policy, ...] = ()
    heat: dict[str, HeatPath] = {}
    current_sample: str | None = None
    energy_keV: float = Field(default=20.0, ge=LOWEST_ENERGY_keV, le=HIGHEST_ENERGY_keV)
    flux_upper_bound_per_cm2_s: float = Field(default=2e11, gt=0)
    flux_per_monitor_count: float = Field(default=1e5, gt=0)
    flux_uncertainty: float = Field(default=0.02, ge=0, lt=1)
    calibration_file: str | None = Field(default=None, min_length=1)
    monitor_stale_s: float = Field(default=0.5, gt=0)
    monitor_saturates_counts_s: float | None = Field(default=None, gt=0)
    monitor_dark_counts_s: float = Field(default=0.0, ge=0)
    second_monitor_pv: str | None = None
    ring_off_mA: float = Field(default=0.1, ge=0)
    mounted_sample_pv: str | None = None
    photon_shutter_pv: str | None = None
    photon_shutter_closed: float = 0.0
    way_out_transmission: float | None = Field(default=0.0, ge=0, le=1)
    watching: bool = False
    stale_s: float = Field(default=0.5, gt=0)
    travel_s: float = Field(default=0.015, ge=0)
    frame_s: float = Field(default=0.1, ge=0)
    reaction_s: float = Field(default=0.1, ge=0)
    follow_s: float = Field(default=0.2, gt=0)
    timing_margin_s: float = Field(default=0.005, ge=0)
    first_trigger_s: float = Field(default=2.0, gt=0)
    chunk_part: float = Field(default=0.01, gt=0, le=1)
    beam_width_mm: float | None = Field(default=None, gt=0)
    beam_height_mm: float | None = Field(default=None, gt=0)
    beam_peak_over_mean: float = Field(default=1.0, ge=1)
    beam_off_mm: tuple[float, float] = (0.0, 0.0)
    tilt_deg: float = Field(default=0.0, ge=0, lt=90)
    sample_out_pv: str | None = None
    sample_out_done_pv: str | None = None
    sample_out_beyond_mm: float = Field(default=5.0, gt=0)

    @cached_property
    def known(self) -> MaterialList:
        """All materials, one's own included."""
        return materials_with(list(self.materials), shipped_materials())

    @field_validator("materials")
    @classmethod
    def _own_fit_together(cls, own: tuple[MaterialEntry, ...]) -> tuple[MaterialEntry, ...]:
        materials_with(list(own), shipped_materials())
        return own

    @field_validator("samples")
    @classmethod
    def _materials_are_known(
        cls, samples: tuple[Sample, ...], before: ValidationInfo
    ) -> tuple[Sample, ...]:
        known = materials_with(list(before.data.get("materials", ())), shipped_materials())
        for sample in samples:
            for name in (sample.material, *sample.also):
                try:
                    known.find(name)
                except UnknownMaterialError as error:
                    raise ValueError(f"sample '{sample.name}': {error.args[0]}") from error
        return samples

    @model_validator(mode="after")
    def _policies_limit_something(self) -> Self:
        for sample in self.samples:
            try:
                policy = self.policy_of(sample)
            except FileRefused as error:
                raise ValueError(f"sample '{sample.name}': {error}") from error
            kinds = {
                self.known.find(name).material_class for name in (sample.material, *sample.also)
            }
            if policy and not kinds & {limit.material_class for limit in policy.limits}:
                raise ValueError(
                    f"sample '{sample.name}': policy '{policy.name}' limits nothing that is in it "
                    f"({', '.join(sorted(kinds))}); name what else is in the beam under 'also'"
                )
        return self

    @field_validator("heat")
    @classmethod
    def _heated_samples_are_known(
        cls, heat: dict[str, HeatPath], before: ValidationInfo
    ) -> dict[str, HeatPath]:
        known = {sample.name for sample in before.data.get("samples", ())}
        strange = sorted(set(heat) - known)
        if strange:
            raise ValueError(f"no sample is called {', '.join(strange)}")
        return heat

    def policy_of(self, sample: Sample) -> Policy | None:
        """The policy that a sample names; None where it names none.

        Raises
        ------
        FileRefused
            There is none of this name.
        """
        return None if sample.policy is None else find_policy(sample.policy, self.policies)

    def sample(self, name: str) -> Sample | None:
        """The sample of this name, or None."""
        return next((sample for sample in self.samples if sample.name == name), None)

    def calibration_path(self, beside: Path) -> Path | None:
        """Where the calibration of the flux is read, beside an exposure log; None for nowhere."""
        return None if self.calibration_file is None else beside.parent / self.calibration_file

    @property
    def floor_s(self) -> float:
        """Open time that a dead guard can no longer prevent: stale time, travel, one frame."""
        return self.stale_s + self.travel_s + self.frame_s


def read_guard_settings(path: Path) -> GuardSettings:
    """Section ``guard`` of a run's settings file; defaults where there is none.

    Raises
    ------
    pydantic.ValidationError
        A key is unknown or a value is impossible.
    """
    if not path.exists():
        return GuardSettings()
    return GuardSettings.model_validate(json.loads(path.read_text()).get("guard", {}))
