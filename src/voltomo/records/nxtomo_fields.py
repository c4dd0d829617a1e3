"""The groups and fields of an NXtomo file, all but the frames themselves.

Axes are NeXus's (McStas): x across the beam, y up, z along the beam. The sample stage's Z is
therefore ``y_translation``, and its Y is ``z_translation``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sweep_parts import blind_wedge_deg
from voltomo.records.baseline import ring_current_A, stage_position_m
from voltomo.records.limits import limits_of
from voltomo.records.nxtomo_blocks import write_blocks
from voltomo.records.nxtomo_groups import field, group, texts
from voltomo.records.nxtomo_rows import (
    NXtomoRows,
    missing_triggers,
    per_block,
    per_frame_read_out_deg,
)
from voltomo.records.scan import Scan

FLUX_UNITS = "1/s/cm^2"


def iso_utc(utc_s: float) -> str:
    """A time as ISO 8601 with its zone."""
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="microseconds")


def write_entry(entry: h5py.Group, scan: Scan) -> None:
    """Definition, title and times."""
    start, stop = scan.record.start, scan.record.stop
    field(entry, "definition", "NXtomo")
    spec = scan.record.spec
    words = spec.plan_name.replace("_", " ")
    field(entry, "title", str(start.get("title") or f"{spec.sample}, {words}"))
    field(entry, "entry_identifier", scan.record.uid)
    field(entry, "start_time", iso_utc(float(start["time"])))
    if stop is not None:
        field(entry, "end_time", iso_utc(float(stop["time"])))
    field(entry, "program_name", "voltomo").attrs["version"] = version("voltomo")


def write_instrument(entry: h5py.Group, scan: Scan, rows: NXtomoRows) -> h5py.Group:
    """Source, beam and detector; returns the detector, which still lacks its data."""
    start = scan.record.start
    beamline: dict[str, Any] = dict(start.get("beamline") or {})
    instrument = group(entry, "instrument", "NXinstrument")
    field(instrument, "name", str(beamline.get("name", "unknown")))
    source = group(instrument, "source", "NXsource")
    field(source, "name", str(beamline.get("source_name", "unknown")))
    kind = beamline.get("source_type")
    if kind is None and scan.record.source == "beamline":
        kind = "Synchrotron X-ray Source"
    if kind is not None:
        # NeXus has no word for a virtual source, nor is one known of a recording that is replayed.
        field(source, "type", str(kind))
    field(source, "probe", "x-ray")
    beam = group(instrument, "beam", "NXbeam")
    if start.get("energy_keV") is not None:
        field(beam, "incident_energy", float(start["energy_keV"]), "keV")
    spectrum: dict[str, Any] = dict(start.get("spectrum") or {})
    if spectrum:
        field(beam, "incident_energy_spread", float(spectrum["width_keV"]), "keV")
    field(beam, "flux", rows.flux_per_cm2_s, FLUX_UNITS)
    return _write_detector(instrument, scan, rows)


def _write_detector(instrument: h5py.Group, scan: Scan, rows: NXtomoRows) -> h5py.Group:
    spec = scan.record.spec
    detector = group(instrument, "detector", "NXdetector")
    field(detector, "image_key", rows.image_key)
    field(detector, "image_key_control", rows.image_key)
    field(detector, "count_time", np.full(rows.handle.shape, spec.exposure_s), "s")
    pixel_m = spec.geometry.pixel_um * 1e-6
    field(detector, "x_pixel_size", pixel_m, "m")
    field(detector, "y_pixel_size", pixel_m, "m")
    column = axis_column_of(scan)
    if column is not None:
        from_middle = column - (spec.geometry.columns - 1) / 2
        field(detector, "x_rotation_axis_pixel_position", from_middle, "pixel")
    field(detector, "field_of_view", "Half" if spec.half_acquisition else "Full")
    return detector


def axis_column_of(scan: Scan) -> float | None:
    """Column of the rotation axis; None where nobody said, or where it has several."""
    spec = scan.record.spec
    columns = {spec.axis_column(block) for block in scan.record.blocks if block.kind == "sweep"}
    middle = (spec.geometry.columns - 1) / 2
    # At several places it has several columns: they are in voltomo/blocks.
    if len(columns) == 1 and (spec.geometry.axis_column is not None or columns != {middle}):
        return columns.pop()
    return None


def write_sample(entry: h5py.Group, scan: Scan, rows: NXtomoRows) -> None:
    """Name, angle and position of the sample for each frame, and how the axis leans."""
    record, spec = scan.record, scan.record.spec
    sample = group(entry, "sample", "NXsample")
    field(sample, "name", spec.sample)
    field(sample, "rotation_angle", rows.angle_deg, "degree")
    utc_s = rows.time_s + record.latches.utc_minus_trigger_s
    shift_m = _shifts_m(scan, rows)
    for name, axis in (("x_translation", "x"), ("y_translation", "z"), ("z_translation", "y")):
        position = stage_position_m(record, axis, utc_s)
        if position is None:
            position = np.zeros(rows.handle.shape)
        field(sample, name, position + shift_m.get(axis, 0.0), "m")
    field(sample, "x_pixel_size", spec.geometry.pixel_um * 1e-6, "m")
    field(sample, "y_pixel_size", spec.geometry.pixel_um * 1e-6, "m")
    _write_transformations(sample, scan, rows)


def _shifts_m(scan: Scan, rows: NXtomoRows) -> dict[str, Any]:
    """How far the stage carried the sample: out of the beam for flats, to its place in a sweep."""
    blocks, out_mm = scan.record.blocks, scan.record.spec.flats_shift_mm
    x_mm = [out_mm if block.kind == "flats" else block.place.x_mm for block in blocks]
    z_mm = [block.place.z_mm for block in blocks]
    return {
        "x": 1e-3 * per_block(scan, rows, x_mm, out_mm),
        "z": 1e-3 * per_block(scan, rows, z_mm, 0.0),
    }


def _write_transformations(sample: h5py.Group, scan: Scan, rows: NXtomoRows) -> None:
    """The axis leans first (towards the source, about −x), then the stage turns about it (y)."""
    chain = group(sample, "transformations", "NXtransformations")
    field(sample, "depends_on", "transformations/rotation")
    _axis(chain, "rotation", rows.angle_deg, (0, 1, 0), "tilt")
    _axis(chain, "tilt", scan.record.spec.geometry.tilt_deg, (-1, 0, 0), ".")


def _axis(
    chain: h5py.Group, name: str, value: Any, vector: tuple[float, float, float], parent: str
) -> None:
    axis = field(chain, name, np.asarray(value, dtype=np.float64), "degree")
    axis.attrs["transformation_type"] = "rotation"
    axis.attrs["vector"] = np.array(vector, dtype=np.float64)
    axis.attrs["depends_on"] = parent


def write_control(entry: h5py.Group, scan: Scan, rows: NXtomoRows) -> None:
    """Machine current for each frame, in amperes: what readers of NXtomo take ``control`` for."""
    utc_s = rows.time_s + scan.record.latches.utc_minus_trigger_s
    current = ring_current_A(scan.record, utc_s)
    if current is not None:
        control = group(entry, "control", "NXmonitor")
        field(control, "data", current, "A")


def write_voltomo(entry: h5py.Group, scan: Scan, rows: NXtomoRows) -> h5py.Group:
    """Dose, fluence, times and the table of the missing: what has no standard field; the group."""
    record, spec = scan.record, scan.record.spec
    ours = group(entry, "voltomo", "NXcollection")
    field(ours, "run_uid", record.uid)
    field(ours, "plan_name", str(record.start.get("plan_name", "")))
    field(ours, "source", record.source)
    field(ours, "scan_spec", spec.model_dump_json())
    field(ours, "exit_status", record.outcome)
    field(ours, "reason", record.reason)
    field(ours, "laminography_angle", spec.geometry.tilt_deg, "degree")
    field(ours, "roll_angle", spec.geometry.roll_deg, "degree")
    _write_blind(ours, spec)
    replay: dict[str, Any] = dict(record.start.get("replay") or {})
    if replay:
        field(ours, "replay", json.dumps(replay, sort_keys=True))
        field(ours, "counts_per_recorded_unit", float(replay.get("scale", 1.0)))
    frames = group(ours, "frames", "NXcollection")
    per_frame: tuple[tuple[str, ArrayLike, str | None], ...] = (
        ("trigger_index", rows.trigger_index, None),
        ("time", rows.time_s + record.latches.utc_minus_trigger_s, "s"),
        ("residual", rows.residual_s, "s"),
        ("dose", rows.dose_Gy, "Gy"),
        ("flux", rows.flux_per_cm2_s, FLUX_UNITS),
        ("fluence", rows.flux_per_cm2_s * spec.exposure_s, "1/cm^2"),
    )
    for name, values, units in per_frame:
        field(frames, name, values, units)
    if spec.row_delay_s > 0:
        # `rotation_angle` is the middle row's; a row is exposed so much later than the one before.
        field(ours, "row_delay", spec.row_delay_s, "s")
        angle = per_frame_read_out_deg(scan, rows) / (spec.geometry.rows - 1)
        field(frames, "row_rotation_angle_step", angle, "degree")
    frames["time"].attrs["start"] = "1970-01-01T00:00:00Z"
    write_blocks(ours, frames, scan, rows)
    _write_missing(ours, scan)
    _write_dose(ours, scan)
    return ours


def _write_blind(ours: h5py.Group, spec: ScanSpec) -> None:
    """Where the beam was off while the stage turned on, and which directions are missing for it."""
    if spec.blind_sectors:
        field(ours, "blind_sectors", np.array(spec.blind_sectors), "degree")
        wedge = np.array(blind_wedge_deg(spec), dtype=np.float64).reshape(-1, 2)
        field(ours, "missing_wedge", wedge, "degree")


def _write_missing(ours: h5py.Group, scan: Scan) -> None:
    lost = missing_triggers(scan)
    missing = group(ours, "missing", "NXcollection")
    field(missing, "trigger_index", lost.trigger_index)
    field(missing, "rotation_angle", lost.angle_deg, "degree")
    field(missing, "dose", lost.dose_Gy, "Gy")
    texts(missing, "outcome", lost.outcome)
    texts(missing, "block", lost.block)
    not_fired = scan.record.spec.triggers - scan.table.index.size
    field(missing, "triggers_not_fired", int(not_fired))


def _write_dose(ours: h5py.Group, scan: Scan) -> None:
    dose = group(ours, "dose", "NXcollection")
    field(dose, "total", scan.dose.dose_Gy, "Gy")
    field(dose, "total_upper_bound", scan.dose.bound_Gy, "Gy")
    field(dose, "beam_open", scan.dose.open_s, "s")
    field(dose, "stamp", scan.dose.stamp)
    limits = limits_of(scan.record)
    if limits is not None:
        field(dose, "material", limits.material)
        field(dose, "limit", limits.dose_limit_Gy, "Gy")
        field(dose, "limit_source", limits.dose_limit_source)
        field(dose, "beam_limit", limits.beam_limit_s, "s")
    if scan.dose.wasted_fraction is not None:
        field(dose, "wasted_fraction", scan.dose.wasted_fraction)
    causes = group(dose, "by_cause", "NXcollection")
    for cause, dose_Gy in scan.dose.by_cause.items():
        field(causes, cause.replace(",", "").replace(" ", "_"), float(dose_Gy), "Gy")


def write_links(entry: h5py.Group) -> None:
    """The plottable data: links to what lies elsewhere in the entry."""
    data = group(entry, "data", "NXdata")
    data.attrs["signal"] = "data"
    for name, target in (
        ("data", "instrument/detector/data"),
        ("image_key", "instrument/detector/image_key"),
        ("rotation_angle", "sample/rotation_angle"),
    ):
        node = entry[target]
        node.attrs["target"] = node.name
        data[name] = node
    entry.attrs["default"] = "data"
