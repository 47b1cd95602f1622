"""What a person sets once: ~/.config/forgia/config.yaml. Read without Hydra, so that `status` starts at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem

TEXTS = ("cluster", "account", "runs", "data", "keys", "ledger", "mail")
KNOWN = (*TEXTS, "notify")  # notify: a program that is called when a job has ended


def user_defaults() -> dict[str, Any]:
    """Return ~/.config/forgia/config.yaml: cluster, account and the roots of this person.

    Raises:
        InputError: the file can't be read, or every key that is unknown or no text.
    """
    path = sources.settings() / "config.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(_settings_problem("config.yaml", reason, "readable YAML", path)) from error
    if not isinstance(content, dict):
        raise InputError(_settings_problem("config.yaml", content, "a mapping is needed", path))
    problems = [
        _settings_problem(str(key), value, f"known are {', '.join(KNOWN)}", path)
        for key, value in content.items()
        if key not in KNOWN
    ]
    problems += [
        _settings_problem(key, content[key], "a text is needed", path)
        for key in TEXTS
        if not isinstance(content.get(key, ""), str)
    ]
    told = content.get("notify", [])
    if not isinstance(told, list) or not all(isinstance(word, str) for word in told):
        limit = "a program and its arguments, as a list"
        problems.append(_settings_problem("notify", told, limit, path))
    if problems:
        raise InputError(problems)
    return content


def _settings_problem(field: str, got: object, limit: str, path: Path) -> Problem:
    return Problem(field=field, got=got, limit=limit, where=str(path), fix="mend this file")
