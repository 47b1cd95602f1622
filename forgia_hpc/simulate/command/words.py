"""Placeholders: `@name@` in arguments and templates. Pure, for the login wing: nothing is run or written.

The form is autoconf's, because braces, dollars, hashes and stars all mean something in solvers' files.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.program import GIVEN, WHERE, Program

Value = float | int | str
_PLACE = re.compile(r"@([A-Za-z_]\w*)@")


def modules(program: Program) -> list[str]:
    """Return the modules that a program's words name: sealed with the job, part of the solver's digest."""
    functions = (program.extractor, program.derive, program.check)
    named = [program.templates.partition(":")[0], *(one.partition(":")[0] for one in functions)]
    return list(dict.fromkeys(name for name in named if name))


def given_names(program: Program) -> set[str]:
    """Return the placeholders that stand for something without `derive`."""
    return {*GIVEN, *program.inputs, *(f"cells_{axis}" for axis in program.grid)}


def problems(program: Program, derived: set[str] | None = None) -> list[Problem]:
    """Return every placeholder that stands for nothing, and every input that nothing takes.

    derived: the names that `derive` gives; None: they are not known yet.
    """
    used = dict(_uses(program))
    known = given_names(program) | (derived or set())
    unknown = [] if program.derive and derived is None else sorted(set(used) - known)
    found = [
        _problem(used[name], f"@{name}@", f"stands for nothing; known: {', '.join(sorted(known))}")
        for name in unknown
    ]
    idle = set(program.inputs) if not program.derive else derived or set()
    found += [
        _problem(f"inputs.{name}", name, f"@{name}@ stands in no command and in no template")
        for name in sorted(idle - set(used))
    ]
    return found


def can_refine(program: Program) -> bool:
    """Whether a member of level 1 gets another mesh than one of level 0."""
    finer = {"refine", "level", *(f"cells_{axis}" for axis in program.grid)}
    return bool(program.derive) or bool(finer & set(dict(_uses(program))))


def filled(text: str, values: Mapping[str, Value]) -> str:
    """Return the text with every placeholder replaced.

    Raises:
        KeyError: one stands for nothing.
    """
    return _PLACE.sub(lambda place: str(values[place[1]]), text)


def written(value: float, number: str) -> str:
    """Return an input as a template gets it: every digit, a whole number without a point."""
    return format(value, number) if number else repr(int(value) if value == int(value) else value)


def templates(program: Program) -> dict[str, Path]:
    """Return the templates by their place in the member's directory.

    Raises:
        InputError: there is no such package, or no such folder in it.
    """
    if not program.templates:
        return {}
    package, _, name = program.templates.partition(":")
    spec = _spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0], name) if places else None
    inside = not {"..", "/"} & set(Path(name).parts)  # what lies beyond is not sealed
    if folder is None or not inside or not folder.is_dir():
        limit = (
            "'package:folder' is needed, a folder of files in a package: ours, or on $FORGIA_PATH"
        )
        raise InputError(_problem("templates", program.templates, limit))
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def text_of(path: Path) -> str | None:
    """Return a template's text; None for a file that is no text, and is copied as it is."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _uses(program: Program) -> Iterator[tuple[str, str]]:
    """Yield each placeholder and where it stands."""
    for words in program.commands:
        for word in words:
            yield from ((name, "commands") for name in _PLACE.findall(word))
    for place, path in templates(program).items():
        for name in _PLACE.findall(text_of(path) or ""):
            yield name, f"templates: {place}"


def _spec(package: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None


def _problem(field: str, got: str, limit: str) -> Problem:
    return Problem(field=f"solver.program.{field}", got=got, limit=limit, where=WHERE)
