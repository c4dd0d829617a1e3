"""The beamline file: what stands where, what the samples may receive, how services are set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from voltomo.dose.material_file import (
    MaterialEntry,
    MaterialFile,
    load_materials,
    materials_with,
)
from voltomo.dose.materials import MaterialList, shipped_materials
from voltomo.model.beam_loss import BeamLossLimits
from voltomo.model.device_entries import DeviceEntry, virtual_devices
from voltomo.model.keep_out import KeepOut
from voltomo.model.names import SafeName
from voltomo.model.pv_names import PvNames
from voltomo.model.rotation_range import RotationRange
from voltomo.model.sample import Sample
from voltomo.profiles.declared import axis_names, declared, demand_axes, lenses_of
from voltomo.profiles.spectrum_entry import SpectrumEntry
from voltomo.runtime.addresses import Facility
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.yaml_file import FileRefused, load_yaml

_SHIPPED = Path(__file__).parent


class BeamlineFile(BaseModel):
    """One beamline.

    Parameters
    ----------
    name : SafeName
        Of the beamline; in every document.
    source_name : str
        Name of the source, as NXtomo files and reports give it.
    prefix : str
        First part of the names of voltomo's own PVs, and of the virtual beamline's.
    virtual : bool
        Whether voltomo itself serves the devices (the twin), on this machine alone.
    epics : Facility or None
        Where the servers of a real beamline are found; a virtual one must not have it.
    pvs : PvNames or None
        Names of a real beamline's PVs; the virtual one's under ``prefix`` if not given.
    ledger : Path or None
        Folder of the exposure log, the same for every run on this beamline, wherever it is
        started; a real beamline must have it. The run folder's own if not given.
    shutter_closes_when_stale : bool
        Whether the shutter's controller closes by itself when the guard's enable counter stops.
        The virtual one does. Without it a guard that hangs cannot close: "software guard only".
    rows, columns : int
        Size of the camera's frame.
    pixel_um : float
        Pixel size at the sample.
    full_well : int
        Highest count of a pixel of the camera.
    axis_column : float or None
        Detector column of the rotation axis; the middle if not given.
    row_delay_us : float
        A rolling shutter exposes each row so much later than the one before; 0 for a global one.
    energy_keV : float
        Photon energy.
    spectrum : SpectrumEntry or None
        Of a pink or white beam; monochromatic if not given.
    flats_shift_mm : float
        How far the sample leaves the beam sideways for flats, to either side.
    beam_loss : BeamLossLimits
        When the beam counts as lost, so that scans wait for it; see `BeamLossLimits`.
    material_file : Path or None
        Own materials, beside this file; samples, guard and policies know them.
    samples : list of Sample
        Samples with their limits; a sample that is not listed gets no beam.
    devices : dict
        What stands there beside the devices that every beamline has, by its name: ``kind`` says
        what it is.
    rotation : RotationRange
        Cables and blind sectors of the rotation.
    keep_out : list of KeepOut
        Where axes must not be together; checked before each move.
    guard : dict
        Settings of the guard.
    twin : dict
        Settings of the virtual beamline; used where ``virtual`` is true.
    live : dict
        Settings of the live worker.
    catalogue : dict
        Settings of the catalogue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: SafeName
    source_name: str
    prefix: str = Field(default="VT:", min_length=1)
    virtual: bool = False
    epics: Facility | None = None
    pvs: PvNames | None = None
    ledger: Path | None = None
    shutter_closes_when_stale: bool = False
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    pixel_um: float = Field(gt=0)
    full_well: int = Field(default=65535, gt=0)
    axis_column: float | None = None
    row_delay_us: float = Field(default=0.0, ge=0)
    energy_keV: float = Field(gt=0)
    spectrum: SpectrumEntry | None = None
    flats_shift_mm: float = 5.0
    beam_loss: BeamLossLimits = BeamLossLimits()
    material_file: Path | None = None
    samples: list[Sample] = Field(min_length=1)
    devices: dict[str, DeviceEntry] = {}
    rotation: RotationRange = RotationRange()
    keep_out: tuple[KeepOut, ...] = ()
    guard: dict[str, Any] = {}
    twin: dict[str, Any] = {}
    live: dict[str, Any] = {}
    catalogue: dict[str, Any] = {}

    @property
    def software_guard_only(self) -> bool:
        """Whether nothing but the guard's own loop closes the shutter."""
        return not (self.virtual or self.shutter_closes_when_stale)

    @property
    def names(self) -> PvNames:
        """Names of the devices' PVs."""
        return self.pvs or PvNames(prefix=self.prefix)

    @property
    def all_devices(self) -> dict[str, DeviceEntry]:
        """Declared devices; on the virtual beamline those that it serves, too."""
        return self._served() | self.devices

    def _served(self) -> dict[str, DeviceEntry]:
        if not self.virtual:
            return {}
        lenses = lenses_of(self.twin, self.pixel_um)
        return virtual_devices(self.prefix, lenses, cell=self.virtual_cell)

    @property
    def virtual_cell(self) -> bool:
        """Whether the virtual beamline has a cell on a cycler: its ``twin`` has a ``cell``."""
        return self.virtual and self.twin.get("cell") is not None

    @field_validator("devices", mode="before")
    @classmethod
    def _are_known_kinds(cls, given: Any) -> Any:
        return declared(given)

    @model_validator(mode="after")
    def _rules_name_axes(self) -> BeamlineFile:
        demand_axes(self.keep_out, axis_names(self.names, self.all_devices))
        return self

    @field_validator("pvs", mode="before")
    @classmethod
    def _share_the_prefix(cls, given: Any, before: ValidationInfo) -> Any:
        if isinstance(given, dict) and "prefix" in before.data:
            return {"prefix": before.data["prefix"], **cast("dict[str, Any]", given)}
        return given

    @field_validator("ledger")
    @classmethod
    def _one_place(cls, ledger: Path | None) -> Path | None:
        if ledger is not None and not ledger.expanduser().is_absolute():
            raise ValueError(
                f"must be an absolute path, the same wherever a run is started; got {ledger}"
            )
        return None if ledger is None else ledger.expanduser()

    @field_validator("material_file")
    @classmethod
    def _materials_are_read(cls, path: Path | None, before: ValidationInfo) -> Path | None:
        if path is None:
            return None
        whole = (Path(before.context or ".") / path.expanduser()).resolve()
        try:
            load_materials(whole)
        except FileRefused as error:
            raise ValueError(str(error)) from error
        return whole

    @field_validator("epics", "pvs")
    @classmethod
    def _virtual_stays_alone(cls, given: Any, before: ValidationInfo) -> Any:
        if given is not None and before.data.get("virtual"):
            raise ValueError(
                "a virtual beamline serves its devices itself, on this machine alone, and reaches "
                "no other; leave this out, or say 'virtual: false'"
            )
        return given

    @model_validator(mode="after")
    def _real_is_reached(self) -> BeamlineFile:
        if not self.virtual and (self.epics is None or not self.epics.reachable):
            raise ValueError(
                "a real beamline needs 'epics' with 'ca_addresses' (or 'ca_name_servers', or "
                "'auto_address_list: true'): without them none of its devices can be found; or "
                "say 'virtual: true'"
            )
        if not self.virtual and self.ledger is None:
            raise ValueError(
                "a real beamline needs 'ledger', the folder of its exposure log: what a sample "
                "has received must be known to every run, wherever it is started"
            )
        return self

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
    path = find_beamline(name)
    return load_yaml(path, BeamlineFile, path.parent)


def own_materials(file: BeamlineFile) -> list[MaterialEntry]:
    """Materials that a beamline knows besides those that ship."""
    if file.material_file is None:
        return []
    return load_yaml(file.material_file, MaterialFile).materials


def known_materials(file: BeamlineFile) -> MaterialList:
    """All materials that a beamline knows."""
    return materials_with(own_materials(file), shipped_materials())


def running_beamline(folder: RunFolder) -> BeamlineFile:
    """The beamline that the services of a run folder were started from.

    Raises
    ------
    FileNotFoundError
        Nothing was started there.
    """
    if not folder.beamline_file.exists():
        raise FileNotFoundError(f"no services run in {folder.root}; start them with 'voltomo up'")
    return BeamlineFile.model_validate_json(folder.beamline_file.read_text())
