"""What a plan needs of a beamline: bluesky protocols, whatever library made the devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from voltomo.model.alignment import Displacement, Estimate, Look, Radiographs
from voltomo.model.frame_table import Frames
from voltomo.model.rotation_range import RotationRange


class FlyCamera(Protocol):
    """Preparable (CameraSetup, FrameBlock, None), Flyable, WritesStreamAssets."""

    name: str

    def last_frames(self) -> Frames:
        """Stamps and numbers of the frames of the last block whose file is closed."""
        ...


class Watch(Protocol):
    """Triggerable: its status fails when a device disconnects."""

    name: str

    def lost(self) -> str | None:
        """A sentence on a device that is away, None while all are there."""
        ...

    def release(self) -> None:
        """End its open statuses well."""
        ...


class TomographyBeamline(Protocol):
    """Devices of a tomography.

    ``rotation`` is Movable, Checkable, Stoppable and Preparable (speed of a sweep in deg/s, None
    for the usual one), with readable ``velocity``, ``acceleration`` and ``maximum_velocity``.
    ``sample_stage`` has ``x`` (mm), and ``z`` where scans move the sample up and down. ``energy``
    reads as one value (keV). ``trigger`` is Preparable (TriggerTrain, None), Flyable and
    EventPageCollectable. ``lease`` is Movable (LeaseRequest, None), Triggerable and Preparable
    (BeamNeed), with readable ``stops`` (how often the beam was stopped by hand). ``shutter`` has
    readable ``state`` and ``travel_s``. A beamline for laminography has ``tilt``, too.
    """

    @property
    def rotation(self) -> Any: ...  # noqa: D102
    @property
    def sample_stage(self) -> Any: ...  # noqa: D102
    @property
    def camera(self) -> Any: ...  # noqa: D102
    @property
    def trigger(self) -> Any: ...  # noqa: D102
    @property
    def beam_monitor(self) -> Any: ...  # noqa: D102
    @property
    def energy(self) -> Any: ...  # noqa: D102
    @property
    def shutter(self) -> Any: ...  # noqa: D102
    @property
    def lease(self) -> Any: ...  # noqa: D102
    @property
    def watch(self) -> Any: ...  # noqa: D102


def rotation_range(beamline: TomographyBeamline) -> RotationRange:
    """Whether cables hang on the rotation, and where it is blind; free all round if not said."""
    return getattr(beamline, "rotation_range", None) or RotationRange()


def further_devices(beamline: TomographyBeamline) -> tuple[Any, ...]:
    """Readable devices beside those of every tomography: what else the baseline holds."""
    return tuple(getattr(beamline, "further", {}).values())


class PointBeamline(TomographyBeamline, Protocol):
    """Devices of a tomography, and those of plans that trigger and read.

    ``snapshots`` is Preparable (SnapshotSetup, Snapshot, None), Triggerable, Readable and
    WritesStreamAssets: camera and trigger hardware as one detector. ``shutter`` is Preparable
    with the state that it shall be found in. ``lease`` has ``take_settled``.
    """

    @property
    def snapshots(self) -> Any: ...  # noqa: D102


def tilt_stage(beamline: TomographyBeamline) -> Any | None:
    """The stage that leans the rotation axis (deg), Movable and Checkable; None without one."""
    return getattr(beamline, "tilt", None)


def alignment_axes(beamline: TomographyBeamline) -> dict[str, Any]:
    """Axes that only an alignment moves, by name, as far as there are any.

    ``tilt`` leans the rotation axis (deg), ``focus`` moves the camera along the beam (mm),
    ``camera_roll`` turns it (deg); all are Movable and Checkable.
    """
    named = {name: getattr(beamline, name, None) for name in ("tilt", "focus", "camera_roll")}
    return {name: axis for name, axis in named.items() if axis is not None}


class Estimators(Protocol):
    """What an alignment asks of the numerics; pure but for `radiographs`, which reads files.

    `voltomo.profiles.alignment.RecordedEstimators` is one.
    """

    def radiographs(self, uid: str) -> Radiographs:
        """Normalised frames of a run that is over.

        Raises
        ------
        ValueError
            The run cannot be read, in a sentence.
        """
        ...

    def no_contrast(self, seen: Radiographs) -> str:
        """Why there is no sample to be seen; empty where there is."""
        ...

    def focus_mm(self, seen: Radiographs, places_mm: Sequence[float]) -> Estimate:
        """Place of the focus at which radiographs are sharpest; one place a sweep."""
        ...

    def look(self, seen: Radiographs) -> Look:
        """Axis, roll, pitch and the sample's place, from radiographs round the turn."""
        ...

    def tilt_deg(self, seen: Radiographs, upright: Look, about_deg: float) -> Estimate:
        """Tilt of an axis that leans by about so much, its column and roll known from upright."""
        ...

    def pixel_um(self, seen: Radiographs, moved_mm: float) -> Estimate:
        """Pixel size from two sweeps, between which the sample was moved across the beam."""
        ...

    def displacement(self, reference: Radiographs, now: Radiographs) -> Displacement:
        """How far the sample has gone since the reference was taken."""
        ...
