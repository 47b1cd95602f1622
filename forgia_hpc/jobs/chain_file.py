"""What a chain is: its members by name, from a file or a config group, and the order that their edges give."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from forgia_hpc.config.compose import compose_job
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import ChainJob, Kind, Member

MEMBER = re.compile(r"(?P<name>[A-Za-z]\w*):(?P<word>.+)")  # `train:seed=1`, a word of one member


TAKEN = re.compile(r"\brun:(?P<name>[A-Za-z]\w*)")


FILE = re.compile(r"chain=(?P<path>.*(/|\.ya?ml$).*)")


def parted(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Return the words of single members, those of all, and those that say which chain."""
    own: dict[str, list[str]] = {}
    common: list[str] = []
    shape: list[str] = []
    for word in words:
        one = MEMBER.fullmatch(word) if "=" in word else None
        if one and ":" in word.partition("=")[0]:
            own.setdefault(one["name"], []).append(one["word"])
        else:
            (shape if word.startswith("chain") else common).append(word)
    return own, common, shape


def members_asked(shape: Sequence[str]) -> dict[str, Member]:
    """Return the members of a chain file, or of an option of the config group."""
    found = [one for word in shape if (one := FILE.fullmatch(word))]
    if found:
        return _of_file(Path(found[-1]["path"]).expanduser())
    job = compose_job(Kind.chain, shape)
    return dict(job.chain.members) if isinstance(job, ChainJob) else {}


def _of_file(path: Path) -> dict[str, Member]:
    """Read a chain file: `members:` or the members themselves.

    Raises:
        InputError: no such file, or each member that is none.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        limit = f"readable YAML is needed ({_fault(error)})"
        raise InputError(Problem(field="chain", got=str(path), limit=limit)) from error
    listed = content.get("members", content) if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed:
        limit = "a mapping of member names is needed"
        raise InputError(Problem(field="chain", got=str(path), limit=limit))
    members, problems = {}, []
    for name, one in listed.items():
        problem = _shape_problem(str(name), one, path)
        if problem:
            problems.append(problem)
        else:
            members[str(name)] = Member(**{**one, "kind": Kind(one["kind"])})
    if problems:
        raise InputError(problems)
    return members


def _fault(error: Exception) -> str:
    """Return what is wrong without the lines themselves, which may hold what is not to be told."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}: {getattr(error, 'problem', None) or 'it cannot be read'}"


def _shape_problem(name: str, one: object, path: Path) -> Problem | None:
    """Return what keeps an entry of a chain file from being a member."""
    keys = ("kind", "overrides", "argv", "after")
    kinds = [kind.value for kind in Kind if kind is not Kind.chain]
    limit = ""
    if not MEMBER.fullmatch(f"{name}:x"):
        limit = "a name of letters, digits and _ is needed"
    elif not isinstance(one, dict) or {*one} - {*keys}:
        limit = f"a mapping of {', '.join(keys)} is needed"
    elif one.get("kind") not in kinds:
        limit = f"kind is one of {', '.join(kinds)}"
    elif any(not _texts(one.get(key, [])) for key in keys[1:]):
        limit = "overrides, argv and after are lists of texts"
    return (
        Problem(field=f"chain.{name}", got=_outline(one), limit=limit, where=str(path))
        if limit
        else None
    )


def _outline(one: object) -> str:
    """Return an entry of a chain file without the values that may be secret."""
    if not isinstance(one, dict):
        return type(one).__name__
    return ", ".join(f"{key}: {one[key]}" if key == "kind" else str(key) for key in one)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def no_member(name: str, members: Mapping[str, Member]) -> Problem:
    """Say that a chain has no such member."""
    return Problem(field="chain", got=name, limit=f"members are {', '.join(members)}")


def ordered(
    members: Mapping[str, Member], problems: list[Problem]
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Return the members in order with their predecessors: those named, and those whose run they take."""
    after: dict[str, tuple[str, ...]] = {}
    for name, member in members.items():
        if member.kind is Kind.chain:
            problems.append(
                Problem(field=f"chain.{name}", got="chain", limit="no chain in a chain")
            )
        taken = [
            found["name"]
            for text in (*member.overrides, *member.argv)
            for found in TAKEN.finditer(text)
        ]
        after[name] = tuple(dict.fromkeys([*member.after, *taken]))
        problems += [
            replace(no_member(one, members), field=f"chain.{name}.after")
            for one in after[name]
            if one not in members
        ]
    try:
        order = [name for name in TopologicalSorter(after).static_order() if name in members]
    except CycleError as error:
        # Slurm itself takes a circle of more than ten jobs, which then wait for ever (seen on 22.05)
        circle = " → ".join(reversed(error.args[1]))
        problems.append(Problem(field="chain", got=circle, limit="no member can wait for itself"))
        order = []
    if not members:
        problems.append(Problem(field="chain", got={}, limit="at least one member is needed"))
    return order, after
