"""What this person's machine has told: limits of `cluster refresh` and facts of `cluster probe`.

Both lie beside the person's config, `clusters/<name>.yaml` and `clusters/<name>.facts.yaml`, and overwrite what
the shipped profile says. Taking a file away goes back to the shipped values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem

LIMITS = "forgia.limits/1"
FACTS = "forgia.facts/1"
_NAMED = ("partitions", "qos", "node_types")  # lists whose entries have a name
_ABOUT = ("format", "cluster", "read")  # of the reading itself
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads ten times as fast


def folder() -> Path:
    """Return where this person's readings lie."""
    return sources.settings() / "clusters"


def limits_path(name: str) -> Path:
    """Return the file of `cluster refresh`."""
    return folder() / f"{name}.yaml"


def facts_path(name: str) -> Path:
    """Return the file of `cluster probe`."""
    return folder() / f"{name}.facts.yaml"


def read_yaml(path: Path) -> Any:
    """Return a YAML file's content.

    Raises:
        InputError: it is no YAML, or can't be read.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        problem = Problem(field=path.name, got=reason, limit="readable YAML", where=str(path))
        raise InputError(problem) from error


def overlaid(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the profile's content with this person's readings in place.

    Raises:
        InputError: a reading that is of another cluster or format.
    """
    return merged(merged(content, limits_of(name)), facts_of(name))


def limits_of(name: str) -> dict[str, Any]:
    """Return what the last refresh wrote; nothing where there was none."""
    return _reading(limits_path(name), name, LIMITS)


def facts_of(name: str) -> dict[str, Any]:
    """Return what the last probe wrote; nothing where there was none."""
    return _reading(facts_path(name), name, FACTS)


def _reading(path: Path, name: str, form: str) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = read_yaml(path)
    told = content if isinstance(content, dict) else {}
    if told.get("format") != form or told.get("cluster") != name:
        got = f"{told.get('format')} of {told.get('cluster')}"
        fix = f"remove it, then forgia cluster refresh {name}"
        limit = f"{form} of {name} is needed"
        raise InputError(Problem(field=path.name, got=got, limit=limit, where=str(path), fix=fix))
    return told


def merged(content: dict[str, Any], reading: dict[str, Any]) -> dict[str, Any]:
    """Return the content with the reading's values on top; entries of lists are found by their name."""
    found = dict(content)
    for key, value in reading.items():
        mine = content.get(key)
        if key in _ABOUT:
            continue
        if key in _NAMED:
            found[key] = _by_name(mine or [], value)
        elif key == "evidence":
            found[key] = [*(mine or []), *value]
        elif isinstance(mine, dict) and isinstance(value, dict):
            found[key] = {**mine, **value}
        else:
            found[key] = value
    return found


def _by_name(mine: list[dict[str, Any]], told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    news = {entry["name"]: entry for entry in told}
    known = [{**entry, **news.pop(entry.get("name"), {})} for entry in mine]
    return [*known, *news.values()]
