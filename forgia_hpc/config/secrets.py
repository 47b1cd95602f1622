"""Secrets in a config or a script: found by their names and by their looks, refused, never repeated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from forgia_hpc.config.secret_words import LOOKS, in_text, is_secret, options, settings, shapes
from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Job

_FIX = "keep it in a file that only you can read, and let the program open it on the node"


def secret_problems(job: Job) -> list[Problem]:
    """Return where the config holds what looks like a secret; what it holds is not told."""
    return [
        Problem(
            field=field, got="hidden", limit=f"{what} would be sealed for others to read", fix=_FIX
        )
        for field, what in find_secrets(dataclasses.asdict(job))
    ]


def find_secrets(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (field, what it looks like) of a nested config, once a field."""
    found = {
        (field, what): None
        for field, value in _flat(config, "")
        if (what := looks_secret(field.rpartition(".")[2], value))
    }
    yield from found
    # as one line: a word may hold blanks (that of a `bash -c`), and a header may be two words
    line = " ".join(str(word) for word in (config.get("command") or {}).get("argv", []))
    named = [f"a value of {name}" for name in (*settings(line), *options(line.split()))]
    if not any(field == "command.argv" for field, _ in found):
        named += shapes(line)
    for what in dict.fromkeys(named):
        yield "command.argv", what


def untold(problem: Problem) -> Problem:
    """Return a problem without its value where that looks like a secret, e.g. behind a misspelt key."""
    got = str(problem.got)
    what = looks_secret(problem.field.rpartition(".")[2], got) or in_text(got)
    if what is None or problem.got in (None, "hidden"):
        return problem
    limit = problem.limit.replace(got, "…")
    for pattern in LOOKS.values():
        limit = pattern.sub("…", limit)
    return dataclasses.replace(problem, got="hidden", limit=limit)


def looks_secret(name: str, value: str) -> str | None:
    """Return what a value looks like; None where it is harmless."""
    what = next(shapes(value), None)
    return what or (f"a value called {name}" if is_secret(name, value) else None)


def _flat(value: object, at: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a nested config with its dotted place; the index of a list is left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _flat(inner, at)
    elif isinstance(value, str):
        yield at, value
