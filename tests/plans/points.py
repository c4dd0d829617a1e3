"""Detectors and axes that do nothing, for stock plans; and stock plans of every sort."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from bluesky import Msg
from bluesky import plans as bp
from bluesky import preprocessors as bpp

from tests.plans.scripted import Named, beamline
from voltomo.dose.lease import Settlement


class Point(Named):
    """A detector or axis that an engine may stage, trigger, read and set."""

    def stage(self) -> list[Any]:
        return [self]

    def unstage(self) -> list[Any]:
        return [self]

    def trigger(self) -> Any:
        raise NotImplementedError

    def set(self, value: float) -> Any:
        raise NotImplementedError

    def read(self) -> dict[str, Any]:
        return {self.name: {"value": self.value, "timestamp": 0.0}}

    def describe(self) -> dict[str, Any]:
        return {self.name: {"source": self.name, "dtype": "number", "shape": []}}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    describe_configuration = read_configuration

    @property
    def position(self) -> float:
        return float(self.value)


class PointLease(Point):
    """A lease that has cost something once it was given back."""

    owed = 0

    def take_settled(self) -> list[Settlement]:
        owed, self.owed = self.owed, 0
        one = Settlement(lease_id="l", sample="cell", open_s=0.1, dose_Gy=2, dose_central_Gy=1,
                         reason="done")  # fmt: skip
        return [one] * owed


def at_points() -> Any:
    """A beamline for plans that trigger and read."""
    made = beamline()
    lease = PointLease("lease")
    lease.stops = made.lease.stops  # type: ignore[attr-defined]
    made.lease = lease
    made.camera = Point("camera", 0.0)
    made.snapshots = Point("snapshots", 0.0)
    return made


def _axis(name: str, value: float = 0.0) -> Any:
    return Point(name, value)


def _tuned(b: Any) -> Generator[Msg, Any, Any]:
    return bp.tune_centroid([b.camera], "camera", _axis("x", 0.0), -1, 1, 0.25, 4)


def _adaptive(b: Any) -> Generator[Msg, Any, Any]:
    return bp.adaptive_scan([b.camera], "camera", _axis("x", 0.0), 0, 1, 0.2, 0.5, 0.1, True)


def _bare(b: Any) -> Generator[Msg, Any, Any]:
    return bpp.run_wrapper(_naive(b.camera), md={"num_points": 2})


def _naive(camera: Any) -> Generator[Msg, Any, None]:
    """One that waits for nothing."""
    yield Msg("stage", camera)
    for _ in range(2):
        yield Msg("checkpoint")
        yield Msg("trigger", camera)
        yield Msg("create", name="primary")
        yield Msg("read", camera)
        yield Msg("save")


_LIST: Any = [0.0, 2.0, 1.0]

STOCK: dict[str, Callable[[Any], Generator[Msg, Any, Any]]] = {
    "count": lambda b: bp.count([b.camera], 3),
    "count with delay": lambda b: bp.count([b.camera, _axis("diode", 1.0)], 2, delay=0.1),
    "scan": lambda b: bp.scan([b.camera], _axis("x", 0.0), 0, 1, 2),
    "grid_scan": lambda b: bp.grid_scan(
        [b.camera], _axis("x", 0.0), 0, 1, 2, _axis("y", 0.0), 0, 1, 2
    ),
    "rel_scan": lambda b: bp.rel_scan([b.camera], _axis("x", 0.5), -1, 1, 3),
    "list_scan": lambda b: bp.list_scan([b.camera], _axis("x", 0.0), _LIST),
    "adaptive_scan": _adaptive,
    "tune_centroid": _tuned,
    "a diode alone": lambda b: bp.count([_axis("diode", 1.0)], 3),
    "one that waits for nothing": _bare,
}
"""Plans by name; those of three dimensions and more are the same messages."""
