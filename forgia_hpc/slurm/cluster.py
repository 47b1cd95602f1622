"""Cluster profiles: what a machine has, read from slurm/clusters/*.yaml.

A job can't override a profile. A value that nobody has established is null, and `unknown:` in the file says what
is assumed instead. What this person's machine has told since (overlay.py) stands above the shipped values.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import re
import socket
import types
import typing
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.schema.job import Launch
from forgia_hpc.slurm.contradictions import contradictions
from forgia_hpc.slurm.overlay import merged, overlaid, read_yaml
from forgia_hpc.slurm.profile import Cluster, Detect

_DETECT = re.compile(r"^detect:.*(?:\n[ \t#].*|\n$)*", re.MULTILINE)


def load_cluster(name: str, *, shipped: bool = False) -> Cluster:
    """Return the profile `name`, with what this person's machine has told; only the file where `shipped`.

    Raises:
        InputError: no such profile, or everything that is wrong in it.
    """
    path = _path(name)
    content = read_yaml(path)
    if not shipped and isinstance(content, dict):
        content = overlaid(name, content)
    return _checked(content, str(path))


def with_readings(name: str, limits: dict[str, Any], facts: dict[str, Any]) -> Cluster:
    """Return the shipped profile under new readings: what load_cluster will say once they are written."""
    path = _path(name)
    return _checked(merged(merged(read_yaml(path), limits), facts), str(path))


def _path(name: str) -> Path:
    profiles = sources.named("slurm", "clusters/*.yaml")
    if name not in profiles:
        known = ", ".join(sorted(profiles))
        raise InputError(
            Problem(
                field="cluster",
                got=name,
                limit=f"one of {known}",
                where="slurm/clusters",
                fix=nearest(name, sorted(profiles), "forgia cluster list"),
            )
        )
    return profiles[name]


def cluster_names() -> list[str]:
    """Return the names of all profiles."""
    return sorted(sources.named("slurm", "clusters/*.yaml"))


def read_cluster(path: Path) -> Cluster:
    """Return the profile in `path`, strictly: an unknown key is an error, and so is a contradiction."""
    return _checked(read_yaml(path), str(path))


def _checked(content: Any, where: str) -> Cluster:
    problems: list[Problem] = []
    cluster = _build(Cluster, content, "", where, problems)
    if not problems:
        problems = contradictions(cluster, where)
    if problems:
        raise InputError(problems)
    return typing.cast("Cluster", cluster)


def detect() -> str | None:
    """Return the profile of the machine we are on, by host name and environment, or None.

    A host name says more than the environment. Where two profiles share a login node, one yields to the other.
    """
    found = {}
    for name, path in sources.named("slurm", "clusters/*.yaml").items():
        told = _told_of(path)
        if told is not None and (fit := _fit(told)):
            found[name] = (fit, told)
    best = max((fit for fit, _ in found.values()), default=0)
    names = sorted(name for name, (fit, _) in found.items() if fit == best)
    return next((name for name in names if found[name][1].yields_to not in names), None)


def is_here(cluster: Cluster) -> bool:
    """Whether this machine is the cluster, or its way to it (a private Slurm, no Slurm at all)."""
    return not cluster.slurm or bool(cluster.scheduler.slurm_conf) or bool(_fit(cluster.detect))


def _told_of(path: Path) -> Detect | None:
    """Return the `detect:` block of a profile: parsing all of every file would take too long for a prompt."""
    block = _DETECT.search(path.read_text(encoding="utf-8"))
    content = (yaml.safe_load(block[0]) or {}).get("detect") if block else None
    problems: list[Problem] = []
    found = _build(Detect, content, "detect", str(path), problems) if content else None
    if problems:
        raise InputError(problems)
    return typing.cast("Detect | None", found)


def _fit(told: Detect) -> int:
    """Return 2 where the host's name fits, 1 where only the environment does, 0 where neither does."""
    host = socket.getfqdn()
    if any(
        fnmatch.fnmatch(name, pattern)
        for pattern in told.hostname
        for name in (host, host.partition(".")[0])
    ):
        return 2
    by_env = all(os.environ.get(key) == value for key, value in told.env.items())
    return int(bool(told.env) and by_env)


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
