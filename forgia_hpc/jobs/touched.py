"""What an offline check has seen: one line a file or host, who saw it, and the stack that led there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Touch:
    """One undeclared thing. what: host | open | list | load | write."""

    what: str
    target: str
    seen_by: str  # python | names (our name server) | strace
    stack: tuple[str, ...] = ()  # outermost first; empty where only strace saw it
    program: str = ""


ORDER = ("host", "write", "open", "load", "list")


def read_notes(folder: Path) -> list[Touch]:
    """Return what the ranks and their Python programs noted."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        seen_by = "names" if path.name.startswith("names-") else "python"
        for line in path.read_text(encoding="utf-8").splitlines():
            note = json.loads(line)
            stack = tuple(note["stack"])
            found.append(
                Touch(what=note["what"], target=note["target"], seen_by=seen_by, stack=stack)
            )
    return found


def merge(notes: Iterable[Touch], traced: Iterable[Touch]) -> list[Touch]:
    """Return each thing once, the one with a stack first; hosts before files."""
    found: dict[tuple[str, str], Touch] = {}
    known: set[str] = set()
    for touch in sorted(notes, key=lambda one: one.seen_by == "names"):
        if touch.seen_by == "names" and touch.target in known:
            continue  # Python has told it, with its stack
        found.setdefault((touch.what, touch.target), touch)
        known |= {touch.target, touch.target.rpartition(":")[0]}
    for touch in traced:
        if touch.target not in known:
            found.setdefault((touch.what, touch.target), touch)
    return sorted(found.values(), key=lambda one: (ORDER.index(one.what), one.target))
