"""The summary of a demo or a series: one entry a scan, for eyes and for machines."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from voltomo.runtime.run_folder import write_json


class LiveSummary(BaseModel):
    """How the live view kept up with one scan.

    Parameters
    ----------
    frames_in : int
        Frames that arrived over the stream, those of priming included.
    frames_processed : int
        Triggers whose frame was used, from the stream or from the file, priming included.
    latency_p50_ms, latency_p99_ms : float or None
        From the end of an exposure to the publication of the slice that holds it, on the
        worker's clock, for frames that came over the stream: median, and 99 of 100 below it.
        Too short by the quickest news of a trigger, a few milliseconds. None where the worker
        heard of no trigger in time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    frames_in: int = Field(ge=0)
    frames_processed: int = Field(ge=0)
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None


class ScanSummary(BaseModel):
    """What one scan gave and cost.

    Parameters
    ----------
    uid : str
        Of the run.
    kind : str
        The plan, "tomography".
    source : str
        Where the frames came from: "twin", "replay" or "beamline".
    triggers : int
        Latched triggers, priming left out.
    frames : int
        Those with one valid frame.
    missing : int
        Those without.
    dropped_on_purpose : int or None
        Frames that the twin was told to drop; none where nothing was.
    angle_rms_fraction_of_step : float or None
        Angles in the file against the twin's own record, as a part of the angular step.
    truth_correlation : float or None
        The live slice with the phantom.
    offline_correlation : float or None
        The live slice with scikit-image's reconstruction of the exported file.
    dose_Gy : float or None
        What the ledger charges, an upper bound.
    dose_truth_Gy : float or None
        What the twin integrated.
    wasted_fraction : float or None
        Part of the dose that gave no valid frame; none without dose.
    nxtomo : str
        The exported file, beside the summary.
    live : LiveSummary or None
        How the live view kept up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    uid: str
    kind: str
    source: str
    triggers: int = Field(ge=0)
    frames: int = Field(ge=0)
    missing: int = Field(ge=0)
    dropped_on_purpose: int | None = None
    angle_rms_fraction_of_step: float | None = None
    truth_correlation: float | None = None
    offline_correlation: float | None = None
    dose_Gy: float | None = None
    dose_truth_Gy: float | None = None
    wasted_fraction: float | None = None
    nxtomo: str
    live: LiveSummary | None = None


class Summary(BaseModel):
    """All scans of a demo or a series, in the order in which they ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scans: tuple[ScanSummary, ...] = ()

    def write(self, path: Path) -> Path:
        """Write ``summary.json`` in one step; NaN never gets into it."""
        write_json(path, self.model_dump(mode="json"))
        return path
