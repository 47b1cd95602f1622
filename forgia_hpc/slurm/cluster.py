"""Cluster profiles: what a machine has, read from slurm/clusters/*.yaml.

A job can't override a profile. A value that nobody has established is null, with a note beside it in the file.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import socket
import types
import typing
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Launch
from forgia_hpc.slurm.profile import Cluster


def load_cluster(name: str) -> Cluster:
    """Return the profile `name`.

    Raises:
        InputError: no such profile, or every wrong key and type in it.
    """
    profiles = sources.named("slurm", "clusters/*.yaml")
    if name not in profiles:
        known = ", ".join(sorted(profiles))
        raise InputError(
            Problem(
                field="cluster",
                got=name,
                limit=f"one of {known}",
                where="slurm/clusters",
                fix="forgia cluster list",
            )
        )
    return read_cluster(profiles[name])


def cluster_names() -> list[str]:
    """Return the names of all profiles."""
    return sorted(sources.named("slurm", "clusters/*.yaml"))


def read_cluster(path: Path) -> Cluster:
    """Return the profile in `path`, strictly: an unknown key is an error."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    problems: list[Problem] = []
    cluster = _build(Cluster, content, "", str(path), problems)
    if problems:
        raise InputError(problems)
    return typing.cast("Cluster", cluster)


def detect() -> str | None:
    """Return the profile of the machine we are on, by host name and environment, or None."""
    host = socket.getfqdn()
    for name in cluster_names():
        found = load_cluster(name).detect
        by_host = any(fnmatch.fnmatch(host, pattern) for pattern in found.hostname)
        by_env = bool(found.env) and all(
            os.environ.get(key) == value for key, value in found.env.items()
        )
        if by_host or by_env:
            return name
    return None


def is_here(cluster: Cluster) -> bool:
    """Whether this machine is the cluster, or its way to it (a private Slurm, no Slurm at all)."""
    return not cluster.slurm or bool(cluster.scheduler.slurm_conf) or detect() == cluster.name


def _build(kind: type, content: Any, at: str, where: str, problems: list[Problem]) -> Any:
    """Make the dataclass `kind` from YAML, noting every key and type that does not fit."""
    if not isinstance(content, dict):
        problems.append(
            Problem(field=at or "profile", got=content, limit="a mapping is needed", where=where)
        )
        return None
    types_of = typing.get_type_hints(kind)
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    values = {}
    for key, value in content.items():
        here = f"{at}.{key}" if at else str(key)
        if key not in known:
            problems.append(
                Problem(
                    field=here,
                    got=value,
                    limit=f"no such key; known: {', '.join(known)}",
                    where=where,
                )
            )
        else:
            values[key] = _convert(types_of[key], value, here, where, problems)
    needed = [
        e.name
        for e in known.values()
        if e.default is dataclasses.MISSING and e.default_factory is dataclasses.MISSING
    ]
    missing = [key for key in needed if key not in values]
    problems += [
        Problem(
            field=f"{at}.{key}" if at else key, got=None, limit="a value is needed", where=where
        )
        for key in missing
    ]
    return None if missing else kind(**values)


def _convert(kind: Any, value: Any, at: str, where: str, problems: list[Problem]) -> Any:
    """Convert one YAML value to the annotated type, noting what does not fit."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _convert(inner, value, at, where, problems)
    if origin is tuple:
        entries = value if isinstance(value, list) else [value]
        return tuple(
            _convert(arguments[0], entry, f"{at}[{i}]", where, problems)
            for i, entry in enumerate(entries)
        )
    if origin is dict:
        return {
            str(key): _convert(arguments[1], entry, f"{at}.{key}", where, problems)
            for key, entry in (value or {}).items()
        }
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast("type", kind), value, at, where, problems)
    return _scalar(kind, value, at, where, problems)


def _scalar(kind: Any, value: Any, at: str, where: str, problems: list[Problem]) -> Any:
    if kind is Launch:
        known = [launch.value for launch in Launch]
        if value in known:
            return Launch(value)
        limit = f"one of {', '.join(known)}"
        problems.append(Problem(field=at, got=value, limit=limit, where=where))
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        problems.append(
            Problem(field=at, got=value, limit=f"{kind.__name__} is needed", where=where)
        )
    return value
