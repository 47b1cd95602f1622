"""One member's argument lists and files: templates with its values in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.program import WHERE, Program
from forgia_hpc.simulate.command.extract import function
from forgia_hpc.simulate.command.words import (
    Value,
    can_refine,
    filled,
    problems,
    templates,
    text_of,
    written,
)
from forgia_hpc.simulate.member import Member, MemberError


def values_of(program: Program, member: Member, ranks: int) -> dict[str, Value]:
    """Return what the placeholders of a member stand for.

    Raises:
        MemberError: `derive` refuses its inputs.
        InputError: no mesh for its level, or `derive` gives what nothing takes.
    """
    if member.level and not can_refine(program):
        limit = "no template takes @refine@ or @cells_…@: the mesh can't be made finer"
        raise refused("templates", f"level {member.level}", limit, "ensemble.refine_share=0")
    given: dict[str, Value] = {
        "refine": 1 << member.level,
        "level": member.level,
        "seed": member.seed,
        "member": member.id,
        "ranks": ranks,
        "node": os.environ.get("SLURMD_NODENAME") or os.uname().nodename,
    }
    cells = {f"cells_{name}": axis.cells << member.level for name, axis in program.grid.items()}
    inputs = {name: written(value, program.number) for name, value in member.inputs.items()}
    return {**given, **cells, **inputs, **_derived(program, member)}


def filled_commands(program: Program, values: Mapping[str, Value]) -> list[list[str]]:
    """Return the argument lists of a member."""
    return [[_fill(word, values, "commands") for word in words] for words in program.commands]


def write_templates(program: Program, into: Path, values: Mapping[str, Value]) -> None:
    """Write the files of a member; what is no text is copied."""
    into.mkdir(parents=True)
    for place, path in templates(program).items():
        copy, text = into / place, text_of(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            shutil.copyfile(path, copy)
        else:
            copy.write_text(_fill(text, values, f"templates: {place}"), encoding="utf-8")
        copy.chmod((path.stat().st_mode & 0o750) | 0o600)


def refused(name: str, got: str, limit: str, fix: str = "") -> InputError:
    """Return the error of a word that can't be used."""
    field = f"solver.program.{name}"
    return InputError(Problem(field=field, got=got, limit=limit, where=WHERE, fix=fix))


def _derived(program: Program, member: Member) -> dict[str, Value]:
    if not program.derive:
        return {}
    try:
        found: Mapping[str, Value] = function(program.derive)(member.inputs, member.level)
    except ValueError as error:
        raise MemberError("input", f"{program.derive}: {error}") from error
    if wrong := problems(program, set(found)):
        raise InputError(wrong)
    return {
        name: written(value, program.number) if isinstance(value, float) else value
        for name, value in found.items()
    }


def _fill(text: str, values: Mapping[str, Value], where: str) -> str:
    try:
        return filled(text, values)
    except KeyError as error:
        raise refused(where, f"@{error.args[0]}@", "stands for nothing") from error
