"""Groups and fields of NeXus files, written with h5py."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np


def group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    """Make a group of a NeXus class."""
    made = parent.create_group(name)
    made.attrs["NX_class"] = kind
    return made


def field(parent: h5py.Group, name: str, value: Any, units: str | None = None) -> h5py.Dataset:
    """Write a field with its units; text as UTF-8."""
    if isinstance(value, str):
        value = np.array(value, dtype=h5py.string_dtype())
    dataset = parent.create_dataset(name, data=value)
    if units is not None:
        dataset.attrs["units"] = units
    return dataset


def texts(parent: h5py.Group, name: str, values: tuple[str, ...]) -> None:
    """Write a list of texts, which may be empty."""
    parent.create_dataset(name, data=np.array(values, dtype=h5py.string_dtype()))
