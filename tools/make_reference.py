"""Make the tables of the reference from the program itself, so that they cannot go stale.

Run it by hand when a command, an option or a setting has changed; a test says so::

    .venv/bin/python -m tools.make_reference

A page holds a table between ``<!-- table NAME -->`` and ``<!-- end -->``; what lies between is
replaced.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperArgument

PAGES = Path(__file__).resolve().parents[1] / "docs"
_TABLE = re.compile(r"(<!-- table (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_UNITS = (
    ("_per_cm2_s", "1/(cm² s)"), ("_W_per_m2_K", "W/(m² K)"), ("_um", "µm"), ("_mm", "mm"),
    ("_deg", "°"), ("_V", "V"), ("_A", "A"), ("_Ah", "Ah"), ("_C", "°C"), ("_keV", "keV"),
    ("_Gy", "Gy"), ("_mA", "mA"), ("_ms", "ms"), ("_s", "s"), ("_h", "h"), ("_pixels", "pixels"),
    ("_columns", ""), ("_counts", "counts"), ("counts", "counts"), ("read_noise", "counts"),
    ("_pixels_per_minute", "pixels/min"), ("_us", "µs"), ("_um_per_h", "µm/h"),
    ("_Ah", "Ah"), ("_V", "V"), ("_rate_C", "C"), ("rate_C", "C"), ("temperature_C", "°C"),
    ("_GB", "GB"), ("_ohm", "ohm"), ("_K_per_min", "K/min"),
)  # fmt: skip
_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "file"}
_BOUNDS = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What a model's docstring says of each parameter."""
    found: dict[str, str] = {}
    names: list[str] = []
    text = (inspect.getdoc(model) or "").partition("Parameters\n----------\n")[2]
    for line in text.splitlines():
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            found |= dict.fromkeys(names, "")
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return {name: said.replace("``", "`") for name, said in found.items()}


def unit(name: str) -> str:
    """The unit that a setting's name ends with."""
    ends = sorted((end for end, _ in _UNITS if name.endswith(end)), key=len)
    return dict(_UNITS)[ends[-1]] if ends else ""


def kind(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    bounds = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in _BOUNDS
        if isinstance(limit, annotated_types.BaseMetadata) and hasattr(limit, name)
    ]
    return ", ".join([_kind(field.annotation), *bounds])


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if part is type(None) else _kind(part) for part in inner)
    if origin in (list, tuple):
        return "list"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return _kind(inner[0])
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "group"
    return _KINDS[annotation]


def default(field: FieldInfo) -> str:
    """A setting's default."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value in ([], {}, (), ""):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value is None else f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def table(rows: Iterable[Iterable[str]], *heads: str) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def settings(model: type[BaseModel], *left_out: str) -> str:
    """Keys of a model."""
    said = descriptions(model)
    return table(
        (
            (f"`{name}`", kind(field), unit(name), default(field), said[name])
            for name, field in model.model_fields.items()
            if name not in left_out
        ),
        "key", "what", "unit", "default", "meaning",
    )  # fmt: skip


def fields(model: type[BaseModel]) -> str:
    """Fields of something that voltomo writes."""
    said = descriptions(model)
    rows = ((f"`{n}`", kind(f), unit(n), said.get(n, "")) for n, f in model.model_fields.items())
    return table(rows, "field", "what", "unit", "meaning")


def commands() -> str:
    """Every command with its arguments and options, as its own help has them."""
    from voltomo.cli.main import app

    # typer carries a click of its own, which has no types to speak of.
    group: Any = typer.main.get_command(app)
    text = ""
    for name, command in _named_commands("", group):
        arguments = [_shown_name(p) for p in command.params if isinstance(p, TyperArgument)]
        line = " ".join(["voltomo", name, "[OPTIONS]", *arguments])
        text += f"## voltomo {name}\n\n{command.help}\n\n```console\n$ {line}\n```\n\n"
        if command.params:
            text += table(map(_option, command.params), "", "default", "meaning") + "\n"
    return text.rstrip() + "\n"


def _named_commands(before: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Commands with their whole names, those of groups included."""
    for name, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from _named_commands(f"{before}{name} ", command)
        else:
            yield f"{before}{name}", command


def _shown_name(argument: Any) -> str:
    name = str(argument.name).upper()
    return name if argument.required else f"[{name}]"


def _option(parameter: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    if isinstance(parameter, TyperArgument):
        names = f"`{str(parameter.name).upper()}`"
    value = parameter.default
    shown = {None: "none", False: "off"}.get(value, f"`{value}`")
    return names, "required" if parameter.required else shown, str(parameter.help or "")


def materials() -> str:
    """Materials that the dose of a sample can be counted in."""
    from voltomo.dose.materials import material, material_names

    known = (material(name) for name in material_names())
    return table(
        (
            (
                f"`{m.name}`", m.formula, m.material_class, f"{m.density_g_cm3:.4g}",
                f"{m.heat_capacity_J_per_g_K:.3g}", f"{m.conductivity_W_per_m_K:.3g}",
            )
            for m in known
        ),
        "name", "composition", "class", "density in g/cm³", "heat capacity in J/(g K)",
        "conductivity in W/(m K)",
    )  # fmt: skip


def causes() -> str:
    """What the guard answers to, what it does, and by when."""
    from voltomo.dose.guard_settings import GuardSettings
    from voltomo.dose.guard_table import ROWS

    usual = GuardSettings()
    rows: list[tuple[str, str, str, str]] = []
    for row in ROWS:
        named = [f"`{name}`" for name in row.within]
        named += ["the lease's own deadline"] if row.asked else []
        known_ms = round(1e3 * row.deadline_s(usual))
        by = f"{' + '.join(named)} = {known_ms} ms{' and that' if row.asked else ''}"
        by += ", before it comes about" if row.early else ""
        rows.append((str(row.cause), row.seen, "; ".join(row.deeds), by))
    return table(rows, "cause", "what the guard sees", "what it does", "by when")


def policies() -> str:
    """Limits that ship."""
    from voltomo.dose.policy_file import shipped_policies

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:g}"

    return table(
        (
            (
                f"`{policy.name}`", policy.about, limit.material_class, number(limit.dose_Gy),
                number(limit.rate_Gy_s), limit.source,
            )
            for policy in shipped_policies()
            for limit in policy.limits
        ),
        "policy", "for", "class", "dose in Gy", "rate in Gy/s", "source",
    )  # fmt: skip


def pv_names() -> str:
    """Names of PVs, with what they are where the file does not name them."""
    from voltomo.model.pv_names import PvNames

    usual, said = PvNames(prefix="…"), descriptions(PvNames)
    return table(
        (
            (f"`{name}`", kind(field), f"`{getattr(usual, name)}`", said[name])
            for name, field in PvNames.model_fields.items()
            if name != "prefix"
        ),
        "key", "what", "default", "meaning",
    )  # fmt: skip


def _of_dose() -> dict[str, Callable[[], str]]:
    """Tables of materials, cells, plans, policies and the guard."""
    from voltomo.dose.cell_entry import CellEntry, LayerEntry, RepeatEntry
    from voltomo.dose.guard_settings import GuardSettings
    from voltomo.dose.material_file import MaterialEntry
    from voltomo.dose.plan_file import (
        BeamEntry,
        BudgetEntry,
        FeatureEntry,
        FilterEntry,
        PlanFile,
    )
    from voltomo.dose.policies import ClassLimit, Policy
    from voltomo.dose.quality import Detector
    from voltomo.model.geometry import Geometry
    from voltomo.model.sample import Sample
    from voltomo.model.scan_spec import ScanSpec

    models: dict[str, Any] = {
        "sample": Sample,
        "own-material": MaterialEntry,
        "plan": PlanFile,
        "cell": CellEntry,
        "layer": LayerEntry,
        "repeat": RepeatEntry,
        "beam": BeamEntry,
        "filter": FilterEntry,
        "detector": Detector,
        "scan-spec": ScanSpec,
        "geometry": Geometry,
        "feature": FeatureEntry,
        "budget": BudgetEntry,
        "policy": Policy,
        "limit": ClassLimit,
    }
    derived = ("prefix", "samples", "energy_keV", "source", "watching")
    return {
        "causes": causes,
        "materials": materials,
        "policies": policies,
        "guard": lambda: settings(GuardSettings, *derived),
        **{name: partial(settings, model) for name, model in models.items()},
    }


def _of_experiments() -> dict[str, Callable[[], str]]:
    """Tables of the experiment file."""
    from voltomo.experiment.cell import CyclingCell
    from voltomo.experiment.experiment_file import ExperimentFile
    from voltomo.experiment.protocol import Step
    from voltomo.experiment.scan_entry import Flow, Freeze, ScanEntry
    from voltomo.experiment.surroundings import (
        Answer,
        Bounds,
        Environment,
        Mark,
        TemperatureFrom,
    )
    from voltomo.model.condition import Condition

    models: dict[str, Any] = {
        "experiment": ExperimentFile,
        "cycling-cell": CyclingCell,
        "step": Step,
        "environment": Environment,
        "temperature-from": TemperatureFrom,
        "mark": Mark,
        "experiment-scan": ScanEntry,
        "condition": Condition,
        "freeze": Freeze,
        "flow": Flow,
        "answer": Answer,
        "bounds": Bounds,
    }
    return {name: partial(settings, model) for name, model in models.items()}


def tables() -> dict[str, Callable[[], str]]:
    """What makes each table, by its name."""
    from voltomo.analysis.correction_settings import CorrectionSettings, PhaseSettings
    from voltomo.live.settings import LiveSettings
    from voltomo.model.cell_limits import CellLimits
    from voltomo.model.device_entries import KINDS
    from voltomo.model.keep_out import KeepOut
    from voltomo.model.rotation_range import RotationRange
    from voltomo.model.target import Target
    from voltomo.profiles.beamline_file import BeamlineFile
    from voltomo.profiles.scan_file import ScanFile
    from voltomo.profiles.spectrum_entry import SpectrumEntry
    from voltomo.records.catalogue_settings import CatalogueSettings
    from voltomo.records.summary import LiveSummary, ScanSummary
    from voltomo.runtime.addresses import Facility
    from voltomo.twin.camera_settings import CameraSettings, LensSettings
    from voltomo.twin.cell_settings import CellSettings
    from voltomo.twin.settings import TwinSettings
    from voltomo.twin.stage_errors import StageErrorSettings

    camera = ("rows", "columns", "pixel_um", "axis_column", "energy_keV")
    return {
        "commands": commands,
        "corrections": lambda: settings(CorrectionSettings),
        "phase": lambda: settings(PhaseSettings),
        "epics": lambda: settings(Facility),
        "pvs": pv_names,
        "beamline": lambda: settings(BeamlineFile),
        "spectrum": lambda: settings(SpectrumEntry),
        "rotation": lambda: settings(RotationRange),
        "keep-out": lambda: settings(KeepOut),
        **{f"device-{name}": partial(settings, model, "kind") for name, model in KINDS.items()},
        **_of_dose(),
        **_of_experiments(),
        "live": lambda: settings(LiveSettings, "prefix"),
        "catalogue": lambda: settings(CatalogueSettings),
        "twin": lambda: settings(TwinSettings, "prefix", "energy_keV"),
        "camera": lambda: settings(CameraSettings, *camera),
        "lens": lambda: settings(LensSettings),
        "errors": lambda: settings(StageErrorSettings),
        "cell": lambda: settings(CellSettings),
        "cell-limits": lambda: settings(CellLimits),
        "scan": lambda: settings(ScanFile),
        "target": lambda: settings(Target),
        "summary": lambda: fields(ScanSummary),
        "live-summary": lambda: fields(LiveSummary),
    }


def renewed(text: str) -> str:
    """A page with its tables made anew.

    Raises
    ------
    KeyError
        It asks for a table that nobody makes.
    """
    made = tables()
    return _TABLE.sub(lambda found: f"{found[1]}\n{made[found['name']]()}\n{found[3]}", text)


def main() -> None:
    """Renew all pages."""
    for page in sorted(PAGES.glob("**/*.md")):
        text = page.read_text(encoding="utf-8")
        page.write_text(renewed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
