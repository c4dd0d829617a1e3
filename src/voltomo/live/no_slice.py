"""Which scans have no live slice, each in a sentence."""

from __future__ import annotations

from voltomo.model.scan_spec import ScanSpec


def no_slice_of(spec: ScanSpec) -> str:
    """Why a scan has no live slice; empty where it has one, as far as its kind tells."""
    geometry = spec.geometry
    if geometry.region is not None:
        return (
            "a live slice needs the whole detector; the scan reads a region of it. Leave "
            "region out of the geometry."
        )
    if spec.plan_name in ("radiography", "flats_and_darks"):
        return f"a live slice needs a stage that turns; the scan is a {spec.plan_name}."
    if spec.half_acquisition:
        return (
            "a live slice sees the sample as wide as the detector; half acquisition sees twice "
            "that. Reconstruct the exported file."
        )
    if spec.stored_flats is not None:
        return (
            "a live slice needs flats of its own scan; this one has stored flats. Reconstruct the "
            "exported file."
        )
    first, last = 0, geometry.columns - 1
    sweeps = [block for block in spec.blocks() if block.kind == "sweep" and spec.places]
    columns = [spec.axis_column(block) for block in sweeps]
    if not all(first <= column <= last for column in columns):
        return (
            "a live slice needs the rotation axis on the detector, which it leaves at some places "
            "of this scan. Reconstruct the exported file."
        )
    return ""
