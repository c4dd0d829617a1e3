"""The sample: what is in the beam, and what it may receive."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from voltomo.model.names import SafeName

UNVERIFIED = "unverified default"
"""Source of a limit that nobody has looked up."""


class Sample(BaseModel):
    """A sample with its limits, as the guard keeps it.

    Parameters
    ----------
    name : SafeName
        Key of its ledger.
    material : str
        The material whose dose counts, by its name in the material table.
    dose_limit_Gy : float
        Total dose that it may receive.
    beam_limit_s : float
        Total time that the beam may be on it.
    policy : str or None
        Name of a policy: limits of dose and dose rate by class of material, on top of its own.
    also : tuple of str
        Further materials in the beam, whose classes the policy may limit: electrolyte, separator.
    dose_limit_source : str
        Where the limit comes from; "unverified default" is stamped on everything it touches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: SafeName
    material: str
    dose_limit_Gy: float = Field(gt=0)
    beam_limit_s: float = Field(gt=0)
    policy: str | None = None
    also: tuple[str, ...] = ()
    dose_limit_source: str = UNVERIFIED
