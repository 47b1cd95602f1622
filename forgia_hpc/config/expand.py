"""From sweep overrides to points, as Hydra's basic sweeper would: the product of all choices."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from forgia_hpc.config.compose import explained, hydra_here
from forgia_hpc.config.spelling import awkward, key_of, with_plain_value
from forgia_hpc.errors import InputError, Problem

MOST = 100_000  # points of one sweep


Words = tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """The overrides of one point: all of them, and those that make it this point.

    numbers: of the sweep's words, those that set a number, as Hydra's grammar read it: it is not asked again.
    """

    words: Words
    own: Words
    numbers: Mapping[str, int | float] = field(default_factory=dict, compare=False, repr=False)


def expand(fixed: Sequence[str], lines: Sequence[str] = ()) -> list[Asked]:
    """Return the points of sweep overrides as Hydra's basic sweeper would; `lines` holds a set of overrides each.

    Raises:
        InputError: what is not in Hydra's grammar, an `interval` (it has no points), too many points.
    """
    problems: list[Problem] = []
    found: list[Asked] = []
    with hydra_here() as loader:
        parser = OverridesParser.create(config_loader=loader)
        for number, line in enumerate(lines or [""], 1):
            try:
                asked = [*fixed, *shlex.split(line, comments=True)]
                found += _points(parser, asked, len(found), plain_too=bool(lines))
            except (InputError, ValueError) as error:
                told = error.problems if isinstance(error, InputError) else [_unquoted(line, error)]
                at = f"--points, line {number}" if lines else ""
                problems += [replace(problem, where=problem.where or at) for problem in told]
    if problems:
        raise InputError(problems)
    varied = {word for word in found[0].own if any(word not in one.own for one in found)}
    keys = {key_of(word) for word in varied} | {key_of(w) for one in found for w in one.own} - {
        key_of(word) for word in found[0].own
    }
    return [
        replace(one, own=tuple(word for word in one.own if key_of(word) in keys or not lines))
        for one in found
    ]


def read_lines(path: Path) -> list[str]:
    """Return the points of a file, one line of overrides each; empty lines and comments are none.

    Raises:
        InputError: no such file, or nothing in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        limit = f"a readable file is needed ({error})"
        raise InputError(Problem(field="--points", got=str(path), limit=limit)) from error
    lines = [line for line in text.splitlines() if line.partition("#")[0].strip()]
    if not lines:
        limit = "one line of overrides a point is needed"
        raise InputError(Problem(field="--points", got=str(path), limit=limit))
    return lines


def _unquoted(line: str, error: ValueError) -> Problem:
    return Problem(field="--points", got=line, limit=f"{error}", fix="close the quote")


def _points(
    parser: OverridesParser, asked: Sequence[str], before: int, *, plain_too: bool
) -> list[Asked]:
    """Return the product of one line's sweeps; `plain_too`: a word that is no sweep may differ between lines."""
    choices: dict[str, list[str]] = {}
    swept: set[str] = set()
    numbers: dict[str, int | float] = {}
    for parsed in _parsed(parser, asked):
        key = parsed.get_key_element()
        if parsed.is_sweep_override():
            swept.add(key)
            choices[key] = [f"{key}={value}" for value in parsed.sweep_string_iterator()]
            numbers |= _numbers(key, parsed)
        else:
            choices[key] = [str(parsed.input_line)]
    count = prod(len(values) for values in choices.values())
    if before + count > MOST:
        limit = f"at most {MOST} points a sweep"
        raise InputError(
            Problem(field="sweep", got=before + count, limit=limit, where="config/points.py")
        )
    names = list(choices)
    return [
        Asked(
            words=words,
            own=tuple(
                word for name, word in zip(names, words, strict=True) if plain_too or name in swept
            ),
            numbers=numbers,
        )
        for words in itertools.product(*choices.values())
    ]


def _numbers(key: str, parsed: Override) -> dict[str, int | float]:
    """Return the words of a sweep over plain numbers with these numbers."""
    if not parsed.is_choice_sweep() and not parsed.is_range_sweep():
        return {}
    values = [one for one in parsed.sweep_iterator() if type(one) in (int, float)]
    plain = "+" not in key and "~" not in key
    return {f"{key}={one}": cast("float", one) for one in values} if plain else {}


def _read(parser: OverridesParser, word: str) -> Override:
    """Parse one override by Hydra's grammar, under a key that it can spell."""
    told = with_plain_value(word)
    text = f"side={told.partition('=')[2]}" if awkward(word) else told
    [parsed] = parser.parse_overrides([text])  # the plural alone tells it the config folders
    if awkward(word):
        parsed = replace(parsed, key_or_group=key_of(word), input_line=told)
    return parsed


def _parsed(parser: OverridesParser, words: Sequence[str]) -> list[Override]:
    """Parse overrides by Hydra's grammar, every one that fails told.

    Raises:
        InputError: as said.
    """
    found, problems = [], []
    for word in words:
        try:
            parsed = _read(parser, word)
        except HydraException as error:
            problems.append(explained(word, error, None))
            continue
        found.append(parsed)
        if parsed.is_sweep_override() and not parsed.is_discrete_sweep():
            fix = "name the values: choice(…) or range(…)"
            limit = "an interval has no points of its own"
            got = word.partition("=")[2]
            problems.append(Problem(field=key_of(word), got=got, limit=limit, fix=fix))
    if problems:
        raise InputError(problems)
    return found
