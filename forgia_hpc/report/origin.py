"""Where a result comes from: digests, versions, seed, cluster and the command to make it again."""

from __future__ import annotations

import shlex
from typing import Any

from forgia_hpc.digest import digest_of
from forgia_hpc.report.facts import RunFacts, at
from forgia_hpc.report.figures import number
from forgia_hpc.report.verdict import dataset_name

MOST_ROWS = 60
_RESOURCES = (
    "ranks_per_node",
    "gpus_per_node",
    "cpus_per_rank",
    "mem_gb",
    "walltime",
    "partition",
    "account",
    "qos",
)
_PACKAGES = ("torch", "deepspeed", "chronos-forecasting", "h5py", "numpy")


def command(facts: RunFacts) -> str:
    """Return the command that was given, or an empty string where none was recorded."""
    given = facts.job.get("command")
    if isinstance(given, list):
        return shlex.join(str(word) for word in given)
    return given if isinstance(given, str) else ""


def origin(facts: RunFacts) -> list[tuple[str, str]]:
    """Return (name, value) of what the run is made of; only what is recorded."""
    rows: list[tuple[str, Any]] = [
        ("Run", facts.name),
        ("Job digest", facts.seal.get("digest")),
        ("Code digest", _digest(facts.seal.get("code"))),
        ("Environment digest", _digest(facts.seal.get("environment"))),
        ("Dataset", dataset_name(facts) if facts.asked("data.dataset") else None),
        *_contributions(facts),
        ("Seed", facts.asked("seed")),
        ("Cluster", facts.asked("cluster")),
        ("Nodes", facts.asked("resources.nodes")),
        *(
            (name.replace("_", " ").capitalize(), facts.asked(f"resources.{name}"))
            for name in _RESOURCES
        ),
        ("Ranks in all", facts.result.get("world_size")),
        ("Launched by", facts.job.get("launch")),
        ("Slurm job", _last(facts, "job_id")),
        ("Node of the batch step", _last(facts, "node")),
        ("forgia_hpc", facts.job.get("version")),
        ("Python", at(facts.seal, "environment.python")),
        *_versions(facts),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


def _digest(content: Any) -> str:
    return digest_of(content) if isinstance(content, dict) and content else ""


def _last(facts: RunFacts, key: str) -> Any:
    started = [event for event in facts.events if event.what == "batch_started"]
    return started[-1].facts.get(key) if started else None


def _contributions(facts: RunFacts) -> list[tuple[str, str]]:
    entries = at(facts.grant, "contributions")
    if not isinstance(entries, list):
        return []
    return [
        ("Reads", f"{entry.get('contribution')}@{str(entry.get('version', ''))[:12]}")
        for entry in entries
        if isinstance(entry, dict) and entry.get("contribution")
    ]


def _versions(facts: RunFacts) -> list[tuple[str, Any]]:
    packages = at(facts.seal, "environment.packages")
    known = packages if isinstance(packages, dict) else {}
    return [(name, at(known.get(name), "version")) for name in _PACKAGES if name in known]


def flat(document: Any, prefix: str = "", depth: int = 3) -> list[tuple[str, str]]:
    """Return the short scalars of a document by their dotted names; long lists are left to the file."""
    rows: list[tuple[str, str]] = []
    for key, value in document.items() if isinstance(document, dict) else ():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and depth > 1:
            rows += flat(value, f"{name}.", depth - 1)
        elif isinstance(value, str) and value and len(value) <= 400:
            rows.append((name, value))
        elif isinstance(value, bool):
            rows.append((name, "yes" if value else "no"))
        elif number(value) is not None:
            rows.append((name, f"{value:.6g}" if isinstance(value, float) else str(value)))
    return rows[:MOST_ROWS]
