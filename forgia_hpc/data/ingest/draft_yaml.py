"""A draft as YAML for a person: one line a column, what was guessed is marked `# check`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from forgia_hpc.data.ingest.draft import Draft

_PLAIN = re.compile(r"[A-Za-z]\w*", re.ASCII)
_WORDS = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")  # of YAML


def as_yaml(found: Draft) -> str:
    """Return the recipe as YAML."""
    recipe = found.recipe()
    (table,) = recipe["tables"]
    lines = [
        "# Drafted from the files; nothing is decided. What is marked `# check` was guessed: look at it, mend it,",
        "# and take the mark away. `expect` is what each column was like: a file that departs is flagged.",
        *(f"# - {note}" for note in found.notes()),
        *(f"{key}: {_flow(recipe[key])}" for key in ("format", "name")),
        f"contributor: {_flow(recipe['contributor'])}  # check",
        f"licence: {_flow(recipe['licence'])}  # check",
        f"source: {_flow(recipe['source'])}  # check",
        "files:",
        *(f"  - {_flow(one)}" for one in recipe["files"]),
        "tables:",
        f"  - group: {_flow(table['group'])}  # check: what the channels are measured on",
        *_table_lines(table),
        "    columns:",
        *_column_lines(table["columns"], found),
        f"split: {_flow(recipe['split'])}  # check",
        f"season_steps: {_flow(recipe['season_steps'])}  # check: steps of a day, a shift, a cycle",
    ]
    return "\n".join(lines) + "\n"


def _table_lines(table: dict[str, Any]) -> Iterator[str]:
    marked = {"clock", "mends", "assets", "left_out", "decimal", "defaults"}
    for key, value in table.items():
        if key in ("group", "columns"):
            continue
        mark = "  # check" if key in marked and value else ""
        if key == "files":
            yield "    files:"
            yield from (f"      - {_flow(one)}" for one in value)
        else:
            yield f"    {key}: {_flow(value)}{mark}"


def _column_lines(columns: Sequence[dict[str, Any]], found: Draft) -> Iterator[str]:
    why = {one.column: one.why for one in found.columns}
    constant = {one.column for one in found.columns if one.constant}
    for one in columns:
        more = "; constant" if one["column"] in constant else ""
        yield f"      - {_flow(one)}  # check: {why[one['column']]}{more}"


def _flow(value: Any) -> str:
    """Return a value on one line; JSON is YAML."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_flow(key)}: {_flow(one)}" for key, one in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
