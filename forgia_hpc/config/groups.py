"""The config groups and their options, read from file names alone: quick enough for tab completion."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import get_type_hints

from forgia_hpc import sources
from forgia_hpc.schema.job import JOBS, Kind


def groups(kind: Kind) -> dict[str, list[str]]:
    """Return the options of every config group that this KIND uses."""
    found = {}
    names = [entry.name for entry in fields(JOBS[kind])]
    for name in [*names, "experiment"] if kind is Kind.train else names:
        options = sources.named("configs", f"{name}/*.yaml")
        if options:
            found[name] = sorted(options)
    return found


def keys(kind: Kind) -> list[str]:
    """Return every key that an override may set, dotted."""
    return _keys(JOBS[kind], "")


def _keys(kind: type, at: str) -> list[str]:
    found = []
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            found += _keys(hint, f"{at}{name}.")  # type: ignore[arg-type]
        else:
            found.append(f"{at}{name}")
    return found
