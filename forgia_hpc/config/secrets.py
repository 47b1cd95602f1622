"""Secrets in a config or a script: found by their names and by their looks, refused, never repeated."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Job

NAMES = re.compile(
    r"(^|[_.-]|(?<=[a-z])(?=password))(pass(word|wd|phrase)|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)([_.-]|$)",
    re.IGNORECASE,
)
HARMLESS = re.compile(
    r"^(|<[^>]*>|\[\w+\]|null|none|true|false|\d{1,6}|\$\{?\w+\}?|/\S*|\.{1,2}/\S*)$", re.IGNORECASE
)
LOOKS = {
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    "a GitLab token": re.compile(r"\bglpat-[\w-]{16,}"),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "an OpenAI or Anthropic key": re.compile(r"\bsk-[\w-]{20,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a private key": re.compile(r"-----BEGIN (?!PUBLIC)[A-Z ]*KEY-----"),
    "a bearer token": re.compile(r"\bBearer\s+[\w.~+/-]{16,}"),
    "a password in a URL": re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@"),
}
_SETTING = re.compile(
    r"([\w.-]+)=[\"']?([^\s\"';&|]*)"
)  # NAME=VALUE, also in the line of a `bash -c`
_OPTION = re.compile(r"--?([\w-]+)(?:=(.*))?", re.DOTALL)
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
    for field, value in _flat(config, ""):
        if what := looks_secret(field.rpartition(".")[2], value):
            yield field, what
    argv = [str(word) for word in (config.get("command") or {}).get("argv", [])]
    for name, value in (found for word in argv for found in _SETTING.findall(word)):
        if not name.startswith("-") and NAMES.search(name) and not _expanded(value):
            yield "command.argv", f"a value of {name}"
    for word, after in itertools.pairwise([*argv, ""]):
        option = _OPTION.fullmatch(word)
        value = option[2] if option and option[2] is not None else after
        named = option and NAMES.search(option[1]) and not HARMLESS.match(value)
        if named and not value.startswith("-"):
            yield "command.argv", f"a value of {word.partition('=')[0]}"


def _expanded(value: str) -> bool:
    """Whether a value is harmless, or what a shell makes of a variable or a command: `$(cat key)`."""
    return bool(HARMLESS.match(value)) or value.startswith(("$", "`"))


def untold(problem: Problem) -> Problem:
    """Return a problem without its value where that looks like a secret, e.g. behind a misspelt key."""
    got = str(problem.got)
    what = looks_secret(problem.field.rpartition(".")[2], got)
    if what is None or problem.got in (None, "hidden"):
        return problem
    limit = problem.limit.replace(got, "…")
    for pattern in LOOKS.values():
        limit = pattern.sub("…", limit)
    return dataclasses.replace(problem, got="hidden", limit=limit)


def looks_secret(name: str, value: str) -> str | None:
    """Return what a value looks like; None where it is harmless."""
    for what, pattern in LOOKS.items():
        if pattern.search(value):
            return what
    if NAMES.search(name) and not HARMLESS.match(value):
        return f"a value called {name}"
    return None


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
