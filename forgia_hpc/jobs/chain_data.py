"""What members of a chain share: flags, and datasets. One may read what another makes, if an edge leads to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.errors import Problem
from forgia_hpc.jobs.package import Plan


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What holds for every member beside its words."""

    dry: bool = False
    debug: bool = False
    force: bool = False


def made_by(plan: Plan) -> set[str]:
    """Return the datasets that a member makes: contributions, consortia that name them, a campaign's own."""
    if "members" in plan.data:
        return {plan.data["members"]["dataset"]}
    inputs = plan.data.get("prepare", {})
    return {*inputs.get("contributions", ()), *inputs.get("consortia", ())}


def upstream(name: str, after: Mapping[str, Sequence[str]]) -> set[str]:
    """Return all members that have completed before one starts."""
    found: set[str] = set()
    waiting = list(after[name])
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += after[one]
    return found


def makings(plans: Mapping[str, Plan], members: Collection[str]) -> dict[str, Path]:
    """Return the datasets that some members make, with the run of each."""
    makers = [plans[name] for name in plans if name in members]
    return {dataset: maker.run.path for maker in makers for dataset in made_by(maker)}


def unordered(
    plans: Mapping[str, Plan],
    refused: Mapping[str, Sequence[Problem]],
    after: Mapping[str, Sequence[str]],
) -> list[Problem]:
    """Return the members, refused ones too, that read what another one makes and do not wait for it."""
    makers = {dataset: name for name, plan in plans.items() for dataset in made_by(plan)}
    reads = {
        name: data.dataset
        for name, plan in plans.items()
        if (data := getattr(plan.job, "data", None))
    }
    # the manifest that is not there: the only word of a refused member on what it would read
    reads |= {
        name: Path(str(one.got)).name
        for name, problems in refused.items()
        for one in problems
        if one.field == "dataset"
    }
    found = []
    for name, dataset in reads.items():
        maker = makers.get(dataset)
        if maker and maker not in upstream(name, after):
            limit, fix = f"{maker} makes it, and {name} does not wait for it", f"after: [{maker}]"
            found.append(Problem(field=f"{name}: data.dataset", got=dataset, limit=limit, fix=fix))
    return found
