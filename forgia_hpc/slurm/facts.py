"""The fact sheet of `forgia cluster probe`: what was seen, and what follows from it for a profile."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.rundir import write_text
from forgia_hpc.slurm.overlay import FACTS, facts_path
from forgia_hpc.slurm.profile import Cluster, Fact


def fact_sheet(
    cluster: Cluster, facts: list[Fact], *, host: str, version: str, today: str
) -> dict[str, Any]:
    """Return the file of the probe: the facts, and what follows from them for a profile."""
    holds = {one.name: one.holds for one in facts}
    again = None
    if holds.get("requeue_allowed") == "yes":
        again = "requeue"
    elif holds.get("singleton_serialises") == "yes":
        again = "singleton"
    content: dict[str, Any] = {
        "format": FACTS,
        "cluster": cluster.name,
        "read": {"host": host, "slurm": version, "on": today},
        "facts": [asdict(one) for one in facts],
    }
    if again:
        source = f"forgia cluster probe on {host}, Slurm {version}"
        evidence = {"fields": ["scheduler.resubmit"], "source": source, "as_of": today}
        content |= {"scheduler": {"resubmit": again}, "evidence": [evidence]}
    return content


def write_facts(name: str, content: dict[str, Any]) -> Path:
    """Write the fact sheet, whole or not at all."""
    path = facts_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "# Written by `forgia cluster probe`. Remove it to go back to the worst case in every question.\n"
    write_text(path, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
    return path
