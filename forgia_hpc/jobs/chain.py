"""Jobs with edges: all members checked and sealed at once, submitted in order, each edge proved at the door.

A Slurm edge is a hint: it keeps a job from starting too early, and it is gone when Slurm forgets the predecessor.
The proof is in the run directories, and the batch step of each member looks there (node/door.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.agreement import note_agreed
from forgia_hpc.jobs.chain_data import Flags, makings, unordered, upstream
from forgia_hpc.jobs.chain_file import TAKEN, members_asked, no_member, ordered, parted
from forgia_hpc.jobs.chain_state import lives, member_runs, members_of
from forgia_hpc.jobs.held_job import release
from forgia_hpc.jobs.package import Plan, new_run, seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.jobs.roots import roots
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.submit import ask_to_stop, submit_sealed
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import FORMAT, RunDir, write_json
from forgia_hpc.schema.job import Member
from forgia_hpc.slurm.accounting import Price, price
from forgia_hpc.slurm.executor import require_slurm
from forgia_hpc.slurm.profile import Cluster


@dataclass(frozen=True, kw_only=True)
class ChainPlan:
    """Checked members in an order in which each comes after its predecessors."""

    run: RunDir
    cluster: Cluster
    members: dict[str, Plan]
    after: dict[str, tuple[str, ...]]
    words: tuple[str, ...]

    def price(self) -> Price | None:
        """Return what all members may cost together at most, each in one attempt."""
        total: Price | None = None
        for plan in self.members.values():
            one = price(plan.job.resources, plan.cluster)
            total = one if total is None or one is None else total + one
        return total


def make_chain(words: Sequence[str], flags: Flags | None = None) -> ChainPlan:
    """Return the plan of a chain; `NAME:key=value` is a word of one member, the rest goes to all.

    Raises:
        InputError: everything that is wrong with any member, and every edge that leads nowhere or round.
    """
    flags = flags or Flags()
    own, common, shape = parted(words)
    members = members_asked(shape)
    problems = [no_member(name, members) for name in own if name not in members]
    order, after = ordered(members, problems)
    if problems:
        raise InputError(problems)
    plans: dict[str, Plan] = {}
    paths: dict[str, Path] = {}
    refused: dict[str, Sequence[Problem]] = {}
    for name in order:
        try:
            wish = _wish(members[name], [*common, *own.get(name, [])], paths)
            making = makings(plans, upstream(name, after))
            plans[name] = make_plan(replace(wish, **vars(flags), making=making))
            paths[name] = plans[name].run.path
        except InputError as error:
            refused[name] = error.problems
            problems += [replace(one, field=f"{name}: {one.field}") for one in error.problems]
            paths[name] = Path("/nowhere") / name  # its successors are checked all the same
    problems += [*_apart(plans), *unordered(plans, refused, after)]
    if problems:
        raise InputError(problems)
    cluster = next(iter(plans.values())).cluster
    run = new_run("chain", roots(cluster)[0])
    told = {name: replace(plan, member_of=(run.name, name)) for name, plan in plans.items()}
    line = ("forgia", "submit", "chain", *words, *(("--debug",) if flags.debug else ()))
    return ChainPlan(run=run, cluster=cluster, members=told, after=after, words=line)


def _wish(member: Member, words: Sequence[str], paths: Mapping[str, Path]) -> Wish:
    """Return a member as a job of its own, with the run directories in place of `run:NAME`."""

    def placed(text: str) -> str:
        return TAKEN.sub(lambda found: str(paths[found["name"]]), text)

    return Wish(
        kind=member.kind,
        overrides=[placed(text) for text in (*member.overrides, *words)],
        argv=[placed(text) for text in member.argv],
        coming=frozenset(map(str, paths.values())),
    )


def _apart(plans: Mapping[str, Plan]) -> list[Problem]:
    """Return the members that no edge can join: another cluster, or one without Slurm."""
    clusters = {name: plan.cluster for name, plan in plans.items()}
    first = next(iter(clusters.values()), None)
    problems = [
        Problem(field=f"{name}: cluster", got=one.name, limit=f"a chain has one; here {first.name}")
        for name, one in clusters.items()
        if first and one.name != first.name
    ]
    if first and not first.slurm:
        limit, fix = "its edges are Slurm's", "cluster=…, or forgia run one after the other"
        problems.append(Problem(field="cluster", got=first.name, limit=limit, fix=fix))
    return problems


def submit_chain(plan: ChainPlan, *, agreed: bool = False) -> dict[str, dict[str, Any]]:
    """Seal every member, then submit them in order; return the facts of each submission.

    agreed: it may go beyond the month's share.

    Raises:
        InputError: Slurm or the budget refused one; the members before it are submitted, `resume` sends the rest.
        SlurmSilentError: no clear answer of one.
    """
    require_slurm(plan.cluster.environment())
    seal_chain(plan)
    for one in (plan.run, *member_runs(plan.run)):
        note_agreed(one, agreed=agreed)
    return send_missing(plan.run)


def seal_chain(plan: ChainPlan) -> None:
    """Seal every member and the chain itself; a failure half way leaves none of them behind."""
    sealed: dict[str, dict[str, Any]] = {}
    try:
        for name, member in plan.members.items():
            before = {one: sealed[one] for one in plan.after[name]}
            data = {**member.data, **({"before": before} if before else {})}
            done = seal(replace(member, data=data))
            sealed[name] = {"run": str(done.run.path), "digest": done.digest}
        _write(plan, sealed)
    except BaseException:  # Ctrl-C too
        for one in sealed.values():
            shutil.rmtree(one["run"], ignore_errors=True)
        shutil.rmtree(plan.run.path, ignore_errors=True)
        raise


def _write(plan: ChainPlan, sealed: dict[str, dict[str, Any]]) -> None:
    """Write the chain's own directory: who its members are, and the record that every run has."""
    plan.run.path.mkdir(parents=True, mode=0o750)
    members = {
        name: {**facts, "kind": plan.members[name].job.kind.value, "after": list(plan.after[name])}
        for name, facts in sealed.items()
    }
    write_json(plan.run.path / "chain.json", {"format": "forgia.chain/1", "members": members})
    record = {
        "format": FORMAT,
        "name": plan.run.name,
        "path": str(plan.run.path),
        "kind": "chain",
        "cluster": plan.cluster.name,
        "label": "",
        "command": list(plan.words),
        "slurm": plan.cluster.slurm,
        "slurm_environment": plan.cluster.environment(),
    }
    write_json(plan.run.job, record)
    plan.run.event("sealed", digest=digest_of(members))


def send_missing(run: RunDir) -> dict[str, dict[str, Any]]:
    """Submit every member that neither has completed nor is queued or running, behind its predecessors.

    A member that Slurm holds is released.

    Raises:
        InputError: nothing is missing, or Slurm or the budget refuses one.
        SlurmSilentError: a state is not known, or no clear answer.
    """
    members = members_of(run)
    states = dict(zip(members, status_of(member_runs(run)), strict=True))
    jobs = {name: one.job_id for name, one in states.items() if lives(one)}
    missing = [
        n for n, one in states.items() if not lives(one) and one.state is not State.completed
    ]
    if doubtful := [name for name in members if states[name].state is State.unknown]:
        limit = f"of {', '.join(doubtful)} the state is not known: {states[doubtful[0]].why}"
        raise InputError(
            Problem(field="RUN", got=run.name, limit=limit, fix=f"forgia status {run.name}")
        )
    held = [one for one in states.values() if one.state is State.held]
    if not missing and not held:
        limit = "its members have completed, or are queued or running"
        raise InputError(Problem(field="RUN", got=run.name, limit=limit, fix="nothing to resume"))
    sent = {name: release(one.run, one.job_id) for name, one in states.items() if one in held}
    for name in missing:
        edges = [jobs[one] for one in members[name]["after"] if one in jobs]
        after = f"afterok:{':'.join(edges)}" if edges else None
        sent[name] = submit_sealed(RunDir(Path(members[name]["run"])), after=after)
        jobs[name] = sent[name]["job_id"]
    return sent


def cancel_chain(run: RunDir) -> None:
    """Cancel the members that are queued or running, the last first: no edge is met by a cancel."""
    for one in reversed(status_of(member_runs(run))):
        if lives(one):
            ask_to_stop(one.run)
