"""Policies from YAML files: those that ship, and a facility's own."""

from __future__ import annotations

import difflib
from importlib.resources import as_file, files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from voltomo.dose.policies import Policy
from voltomo.runtime.yaml_file import FileRefused, load_yaml, mistake_at

__all__ = ["PolicyFile", "find_policy", "load_policies", "shipped_policies"]


class PolicyFile(BaseModel):
    """A file of policies.

    Parameters
    ----------
    policies : list of Policy
        Each with a name of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    policies: tuple[Policy, ...] = Field(min_length=1)

    @field_validator("policies")
    @classmethod
    def _own_names(cls, policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
        names: set[str] = set()
        for number, policy in enumerate(policies):
            if policy.name in names:
                raise mistake_at([number, "name"], f"two policies are called '{policy.name}'")
            names.add(policy.name)
        return policies


def load_policies(path: Path) -> tuple[Policy, ...]:
    """Policies of a file.

    Raises
    ------
    FileRefused
        With file, line and caret for each mistake.
    """
    return load_yaml(path, PolicyFile).policies


def shipped_policies() -> tuple[Policy, ...]:
    """Policies that ship: starting points, stamped as unverified."""
    with as_file(files("voltomo.dose").joinpath("policies.yml")) as path:
        return load_policies(path)


def find_policy(name: str, own: tuple[Policy, ...] = ()) -> Policy:
    """A policy by its name; one's own come before those that ship.

    Raises
    ------
    FileRefused
        There is none of this name; the known ones are named.
    """
    known = {policy.name: policy for policy in (*shipped_policies(), *own)}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1, 0.5)
    guess = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    raise FileRefused(f"there is no policy {name!r}; {guess}")
