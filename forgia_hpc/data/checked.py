"""Facts that people wrote as YAML, checked key by key: every unknown, missing and wrong one at once."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from forgia_hpc.errors import Problem

Convert = Callable[[object], object]  # raises ValueError where the value does not fit
Known = dict[str, tuple[str, Convert]]  # key → what is allowed, in words, and the check of it


def checked_fields(
    content: object,
    known: Known,
    required: tuple[str, ...],
    prefix: str,
    where: str,
    problems: list[Problem],
) -> dict[str, object]:
    """Convert each known key by its rule; collect problems of unknown, missing and wrong ones."""
    if not isinstance(content, dict):
        problems.append(Problem(field=prefix, got=content, limit="a mapping", where=where))
        return {}
    for key in sorted(set(content) - set(known), key=str):
        limit = f"known: {', '.join(known)}"
        problems.append(Problem(field=f"{prefix}.{key}", got=key, limit=limit, where=where))
    for key in sorted(set(required) - set(content)):
        problems.append(
            Problem(field=f"{prefix}.{key}", got="nothing", limit="the key is needed", where=where)
        )
    found: dict[str, object] = {}
    for key in known.keys() & content.keys():
        limit, convert = known[key]
        try:
            found[key] = convert(content[key])
        except ValueError:
            problems.append(
                Problem(field=f"{prefix}.{key}", got=content[key], limit=limit, where=where)
            )
    return found


def require(truth: object, what: str) -> None:
    """Raise ValueError unless it is true: readers of small files and packed tables tell one kind of refusal."""
    if not truth:
        raise ValueError(what)


def text(value: object) -> str:
    """Return a text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def line(value: object) -> str:
    """Return a text, which may be empty."""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  # one kind of refusal; checked_fields names the field
    return value


def name(value: object) -> str:
    """Return a name of letters, digits, - and _."""
    found = text(value)
    if not found.replace("_", "").replace("-", "").isalnum() or not found.isascii():
        raise ValueError
    return found


def one_of(*words: str) -> Callable[[object], str]:
    """Return the check for one of these words."""

    def convert(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return convert


def texts(convert: Callable[[object], str]) -> Callable[[object], tuple[str, ...]]:
    """Return the check for a list of different texts."""

    def convert_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or len(set(map(str, value))) != len(value):
            raise ValueError
        return tuple(convert(one) for one in value)

    return convert_all


def day(value: object) -> str:
    """Return a date as 2030-12-31; an empty text stays one."""
    if value == "":
        return ""
    return datetime.date.fromisoformat(str(value)).isoformat()


def flag(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004
    return value


def counted(value: object) -> int:
    """Return a whole number, at least 0."""
    if type(value) is not int or value < 0:
        raise ValueError
    return value
