"""What the sample of a run was said to be, and what it was allowed to receive."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from voltomo.model.sample import UNVERIFIED
from voltomo.records.scan_record import ScanRecord


class SampleLimits(BaseModel):
    """Entry ``sample_limits`` of a start document; see `voltomo.model.sample.Sample`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    material: str
    dose_limit_Gy: float
    beam_limit_s: float
    dose_limit_source: str

    @property
    def unverified(self) -> bool:
        """Whether nobody has looked the limit up."""
        return self.dose_limit_source == UNVERIFIED


def limits_of(record: ScanRecord) -> SampleLimits | None:
    """Limits of a run's sample; None where its session did not say."""
    try:
        return SampleLimits.model_validate(record.start.get("sample_limits"))
    except ValidationError:
        return None


def doubts(record: ScanRecord) -> tuple[str, ...]:
    """What a reader must know of the limits, as sentences."""
    limits = limits_of(record)
    if limits is None or not limits.unverified or record.source == "replay":
        return ()
    return (
        f"The dose limit of {record.spec.sample}, {limits.dose_limit_Gy:g} Gy, is an unverified "
        "default: nobody has said where it comes from. Look it up and name its source in the "
        "beamline file.",
    )
