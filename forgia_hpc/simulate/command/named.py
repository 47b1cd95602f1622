"""What the words of a program name, looked up before the job is sealed: functions of a plug-in, and programs."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from forgia_hpc.errors import Problem, nearest
from forgia_hpc.schema.program import WHERE, Program

_FIELD = "solver.program"


def function_problems(program: Program) -> list[Problem]:
    """Return the functions that their modules have not. They are read, not imported: that may need a node."""
    found: list[Problem] = []
    for word in ("extractor", "derive", "check"):
        module, _, name = getattr(program, word).partition(":")
        names = _names_of(module) if module else None
        if names is None or name in names:
            continue
        limit = f"module {module} has no {name}"
        fix = nearest(name, names, "")
        field = f"{_FIELD}.{word}"
        found.append(
            Problem(field=field, got=f"{module}:{name}", limit=limit, where=WHERE, fix=fix)
        )
    return found


def missing_programs(program: Program) -> list[Problem]:
    """Return the programs that this machine has not; those of a member's own directory are not looked for."""
    path = str(program.env.get("PATH", os.environ.get("PATH", os.defpath)))
    first = {words[0] for words in (*program.commands, program.version.argv) if words}
    return [
        Problem(
            field=f"{_FIELD}.commands",
            got=name,
            limit="there is no such program on this machine",
            where=WHERE,
            fix="load its module, install it, or give its whole path",
        )
        for name in sorted(first)
        if _looked_for(name) and shutil.which(name, path=path) is None
    ]


def _looked_for(name: str) -> bool:
    return "@" not in name and ("/" not in name or Path(name).is_absolute())


def _names_of(module: str) -> set[str] | None:
    """Return the names that a module's text defines; None where the text does not tell."""
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        return None
    if spec is None or not str(spec.origin).endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(str(spec.origin)).read_bytes())
    except SyntaxError:
        return None  # the import on the node tells more of it
    names = set(_defined(tree))
    return None if names & {"*", "__getattr__"} else names


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
