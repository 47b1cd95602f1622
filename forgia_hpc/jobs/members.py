"""How far a campaign is, in the words that the bar, the status table, a pipe and JSON have alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forgia_hpc.metrics import last_row
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Kind

PHASE = "simulate"
ENDINGS = ("admitted", "rejected", "poison")
REFINED = ("refined_planned", "refined", "refined_rejected", "refined_poison")


def members_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row of a campaign's metrics says of its members; empty for any other row.

    planned and the endings are those of level 0, refined ones count apart; members_per_s is the pace of the last
    half minute.
    """
    if row.get("phase") != PHASE:
        return {}
    pace, every = row.get("step_s"), row.get("of") or 0
    found: dict[str, Any] = {"planned": row.get("planned", every)}
    found |= {name: row.get(name, 0) for name in ("running", *ENDINGS, *REFINED)}
    found["members_per_s"] = round(1 / pace, 4) if pace else None
    found["left_s"] = round((every - row["step"]) * pace, 1) if pace else None
    return found


def members_so_far(run: RunDir, kind: str, *, running: bool) -> dict[str, Any]:
    """Return the newest word on a run's members; while the run rests, none of them is at work."""
    if kind != Kind.simulate.value:
        return {}
    try:
        found = members_of(last_row(run.metrics, PHASE) or {})
    except ValueError:
        return {}  # the report names what is wrong
    if found and not running:
        found |= {"running": 0, "members_per_s": None, "left_s": None}
    return found


def in_words(members: Mapping[str, Any]) -> str:
    """Return `3 running, 120 admitted, 2 rejected, 12.4 members/s`; what is none is left out, but admitted."""
    words = [
        f"{members[name]} {name}"
        for name in ("running", *ENDINGS)
        if members.get(name) or (name == "admitted" and members)
    ]
    if fine := members.get("refined_planned"):
        words.append(f"refined {members['refined']} of {fine}")
    words += [
        f"{members[f'refined_{name}']} refined {name}"
        for name in ENDINGS[1:]
        if members.get(f"refined_{name}")
    ]
    if pace := members.get("members_per_s"):
        words.append(f"{pace:.3g} members/s")
    return ", ".join(words)
