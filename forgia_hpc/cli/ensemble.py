"""What a dry run tells of an ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.schema.simulation import Ensemble, Writer

if TYPE_CHECKING:
    from forgia_hpc.jobs.package import Plan


def ensemble_facts(plan: Plan) -> dict[str, Any] | None:
    """Return members, groups and memory of a simulate job, as `--json` has them; None for another KIND."""
    if not isinstance(plan.job, SimulateJob):
        return None
    from forgia_hpc.simulate.standing import held  # NumPy, which no other KIND needs here

    frozen, words = plan.data["members"], plan.job.ensemble
    levels = frozen["members"]["level"]
    return {
        "members": levels.count(0),
        "refined": levels.count(1),
        "held": held(Path(frozen["into"]), frozen["members"]["id"]),
        "split": _split(frozen["members"]),
        "design": frozen["design"]["method"],
        "groups": plan.job.resources.world_size // words.ranks_per_member,
        "ranks_per_member": words.ranks_per_member,
        "memory_bytes": frozen["memory_bytes"],
        "solver": frozen["solver"],
        "dataset": frozen["dataset"],
        "into": frozen["into"],
    }


def _split(members: dict[str, Any]) -> dict[str, int]:
    """Return how many members train, choose and judge; refined ones do none of it."""
    plain = [
        split for split, level in zip(members["split"], members["level"], strict=True) if not level
    ]
    return {name: plain.count(name) for name in ("train", "valid", "test")}


def ensemble_lines(plan: Plan) -> list[str]:
    """Return the same for a person; nothing for another KIND."""
    facts = ensemble_facts(plan)
    if facts is None or not isinstance(plan.job, SimulateJob):
        return []
    again = f", {facts['refined']} of them again on a mesh of half the width"
    members = f"{facts['members']} members ({facts['design']}){again if facts['refined'] else ''}"
    groups = f"{facts['groups']} group(s) of {facts['ranks_per_member']} rank(s)"
    solver = f"solver {plan.job.solver.name}, digest {facts['solver'][:12]}"
    split = ", ".join(f"{count} {name}" for name, count in facts["split"].items())
    has = f"; {facts['held']} of them are there already" if facts["held"] else ""
    return [
        f"{members}; {groups}{_writer(plan.job.ensemble)}; {solver}",
        f"memory: {_memory(facts['memory_bytes'])}; dataset {facts['dataset']} in {facts['into']}",
        f"split: {split}{has}",
    ]


def _writer(words: Ensemble) -> str:
    """Return who writes, where it is not the first rank of each group as ever."""
    if words.writer is Writer.gather:
        return ""
    return ", all of them writing" if words.ranks_per_member > 1 else ", which write alone"


def _memory(each: int | None) -> str:
    """Return what a rank needs, as people read it."""
    if each is None:
        return "the solver does not say"
    return (
        f"about {each / 1e9:.3g} GB a rank" if each >= 1e9 else f"about {each / 1e6:.3g} MB a rank"
    )
