"""The beamline file: what stands where, what the samples may receive, how services are set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.names import SafeName
from voltomo.model.sample import Sample
from voltomo.profiles.yaml_file import FileRefused, load_yaml
from voltomo.runtime.run_folder import RunFolder

_SHIPPED = Path(__file__).parent


class BeamlineFile(BaseModel):
    """One beamline.

    Parameters
    ----------
    name : SafeName
        Of the beamline; in every document.
    source_name : str
        Name of the source, as NXtomo files give it.
    prefix : str
        First part of all PV names.
    virtual : bool
        Whether voltomo itself serves the devices (the twin).
    rows, columns, pixel_um, axis_column
        The camera's frame, pixel size at the sample, and column of the rotation axis.
    energy_keV : float
        Photon energy.
    flats_shift_mm : float
        How far the sample leaves the beam for flats, to either side.
    samples : list of Sample
        Samples with their limits.
    guard, twin, live : dict
        Settings of the guard, of the virtual beamline and of the live worker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: SafeName
    source_name: str
    prefix: str = Field(default="VT:", min_length=1)
    virtual: bool = False
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    pixel_um: float = Field(gt=0)
    axis_column: float | None = None
    energy_keV: float = Field(gt=0)
    flats_shift_mm: float = 5.0
    samples: list[Sample] = Field(min_length=1)
    guard: dict[str, Any] = {}
    twin: dict[str, Any] = {}
    live: dict[str, Any] = {}

    @model_validator(mode="after")
    def _axis_and_samples_fit(self) -> BeamlineFile:
        if self.axis_column is not None and not 0 <= self.axis_column <= self.columns - 1:
            raise ValueError(
                f"axis_column must lie on the detector, between 0 and {self.columns - 1}; got "
                f"{self.axis_column:g}"
            )
        if self.flats_shift_mm == 0:
            raise ValueError(
                "flats_shift_mm must not be 0, or flats are taken with the sample in the beam; say "
                "how far it has to move to leave the field, to either side"
            )
        names = [sample.name for sample in self.samples]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two samples have the name {twice[0]!r}; each keeps its own ledger")
        return self


def find_beamline(name: str) -> Path:
    """File of a shipped beamline by its name, or of any by its path.

    Raises
    ------
    FileRefused
        There is no such file; the shipped ones are named.
    """
    path = Path(name)
    if path.suffix in (".yml", ".yaml"):
        return path
    if path.is_dir():
        return path / "beamline.yml"
    shipped = sorted(p.parent.name for p in _SHIPPED.glob("*/beamline.yml"))
    if name in shipped:
        return _SHIPPED / name / "beamline.yml"
    raise FileRefused(
        f"there is no beamline {name!r}; shipped: {', '.join(shipped)}; or give the path of a "
        "beamline.yml"
    )


def load_beamline(name: str) -> BeamlineFile:
    """Read a beamline file; see `find_beamline` and `load_yaml` for what is refused."""
    return load_yaml(find_beamline(name), BeamlineFile)


def running_beamline(folder: RunFolder) -> BeamlineFile:
    """The beamline that the services of a run folder were started from.

    Raises
    ------
    FileNotFoundError
        Nothing was started there.
    """
    if not folder.beamline_file.exists():
        raise FileNotFoundError(
            f"no services have been started in {folder.root}; start them with 'voltomo up'"
        )
    return BeamlineFile.model_validate_json(folder.beamline_file.read_text())
