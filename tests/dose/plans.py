"""A plan file that tests change a word of."""

from __future__ import annotations

from pathlib import Path

from voltomo.dose.plan_file import PlanFile, load_plan

TEXT = """\
# plan.yml
cell:
  shape: pouch
  width_mm: 4
  layers:
    - {material: laminate, thickness_um: 110}
    - {material: Al, thickness_um: 15}
    - name: cathode
      thickness_um: 60
      solids: {NMC811: 95, PVDF: 2, graphite: 3}
      porosity: 0.3
      filled_with: LP57
    - {name: separator, thickness_um: 16, material: PE, porosity: 0.4, filled_with: LP57}
    - {name: anode, thickness_um: 70, material: graphite, porosity: 0.3, filled_with: LP57}
    - {material: Cu, thickness_um: 10}
    - {material: laminate, thickness_um: 110}
beam:
  energy_keV: 25
  flux_per_cm2_s: 1.0e+13
  peak_over_mean: 1.2
  width_mm: 1.4
  height_mm: 1.2
  attenuators:
    - {material: Al, thickness_um: 1000}
    - {material: Al, thickness_um: 3000}
detector: {dqe: 0.4, read_noise_counts: 3, counts_per_photon: 0.5}
scan:
  sample: cell 3
  geometry: {rows: 1024, columns: 1024, pixel_um: 1.3, step_deg: 0.12, projections: 1500}
  exposure_s: 0.02
  period_s: 0.022
feature: {material: NMC811, against: LP57}
budget: {policy: operando_default, time_points: 10}
"""


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    """The plan file with words changed."""
    text = TEXT
    for was, becomes in changes:
        assert was in text
        text = text.replace(was, becomes, 1)
    path = folder / "plan.yml"
    path.write_text(text, encoding="utf-8")
    return path


def plan(folder: Path, *changes: tuple[str, str]) -> PlanFile:
    """The plan with words changed."""
    return load_plan(write(folder, *changes))
