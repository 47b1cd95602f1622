"""A typed job as a sealed config.yaml, and back: plain YAML alone, so that every text comes back as it was."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

import yaml

from forgia_hpc.errors import SealBrokenError
from forgia_hpc.schema.job import JOBS, Job, Kind


class _Dumper(yaml.SafeDumper):
    """PyYAML's own, with the line ends of Unicode escaped: plainly quoted, U+0085 comes back as a space."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(end in text for end in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def plain(job: Job) -> dict[str, Any]:
    """Return a config as plain data, as its YAML has it: an enum by its name."""
    return cast("dict[str, Any]", _plain(job))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if dataclasses.is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in vars(value)}
    return value


def config_text(config: Mapping[str, Any]) -> str:
    """Return a config as YAML."""
    text: str = yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def load_job(config: Path) -> Job:
    """Return the job of a run's config.yaml.

    OmegaConf would read `${HOME}` in a program's words as a key of ours, and `1e-3` as 0.001.

    Raises:
        SealBrokenError: the file is gone, or is not what was sealed.
    """
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        return cast("Job", _built(JOBS[Kind[content["kind"]]], content))
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SealBrokenError(f"{config}: not a sealed config ({error})") from error


@functools.cache
def _types(section: type) -> dict[str, Any]:
    """Return the fields of a section with their types, in the order in which they were declared."""
    hints = get_type_hints(section)
    return {one.name: hints[one.name] for one in dataclasses.fields(section)}


def _built(kind: Any, value: Any) -> Any:
    """Return plain data as this type of the schema.

    Raises:
        TypeError, LookupError, AttributeError: it is none.
    """
    if dataclasses.is_dataclass(kind):
        types = _types(cast("type", kind))
        return cast("Any", kind)(**{name: _built(types[name], one) for name, one in value.items()})
    inner = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) is list:
        return [_built(inner[0], one) for one in value]
    if get_origin(kind) is dict:
        return {key: _built(inner[1], one) for key, one in value.items()}
    if inner:
        return None if value is None else _built(inner[0], value)
    return _single(kind, value)


def _single(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    if issubclass(kind, Enum):
        return kind[value]
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
