"""forgia submit chain, and what other verbs do with a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forgia_hpc.cli.output import note, say, say_json

if TYPE_CHECKING:
    from forgia_hpc.jobs.chain import ChainPlan
    from forgia_hpc.rundir import RunDir


def submit_chain(words: Sequence[str], *, dry: bool, yes: bool, as_json: bool) -> None:
    """Check, seal and submit all members of a chain."""
    from forgia_hpc.cli.agree import agree_on
    from forgia_hpc.cli.foresee import as_json as as_json_of
    from forgia_hpc.cli.foresee import told_verdicts
    from forgia_hpc.jobs import chain

    plan = chain.make_chain(words, dry=dry)
    price = plan.price()
    verdicts = told_verdicts(plan.members, silent=as_json, after=plan.after)
    told = as_json_of(plan.members, verdicts)
    facts = {"run": plan.run.name, "cluster": plan.cluster.name, **told}
    if dry:
        _tell_dry(plan, price, told if as_json else None)
        return
    account = next(iter(plan.members.values())).job.resources.account
    agree_on(price, account, plan.cluster, yes=yes, silent=as_json)
    sent = chain.submit_chain(plan)
    if as_json:
        members = {
            name: {"run": one.run.name, "path": str(one.run.path), **sent[name]}
            for name, one in plan.members.items()
        }
        say_json("submit", {**facts, "path": str(plan.run.path), "members": members})
        return
    note(f"sealed {plan.run.path} and {len(plan.members)} members")
    _tell(plan.run, {name: (plan.members[name].run.name, facts) for name, facts in sent.items()})
    note(f"follow it: forgia status {plan.run.name}")


def _tell(run: RunDir, sent: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    say(run.name)
    for name, (member, facts) in sent.items():
        say(f"  {name}  {member}  job {facts['job_id']}")


def _tell_dry(plan: ChainPlan, price: Any, told: Mapping[str, Any] | None) -> None:
    if told is not None:
        members = {
            name: {"kind": one.job.kind.value, "after": list(plan.after[name]), "run": one.run.name}
            for name, one in plan.members.items()
        }
        own = {**told, "price": price.parts if price else None, "submitted": False}
        say_json("submit", {**own, "cluster": plan.cluster.name, "members": members})
        return
    note(f"{f'may cost up to {price}' if price else 'nothing is billed'}")
    for name, one in plan.members.items():
        after = f" after {', '.join(plan.after[name])}" if plan.after[name] else ""
        resources = one.job.resources
        say(f"{name}: {one.job.kind.value}{after}, {resources.nodes} node(s), {resources.walltime}")


def resume_chain(run: RunDir, *, as_json: bool) -> None:
    """Submit what is missing of a chain."""
    from forgia_hpc.jobs.chain import members_of, send_missing

    sent = send_missing(run)
    if as_json:
        say_json("resume", {"run": run.name, "members": sent})
        return
    names = {name: one["run"].rpartition("/")[2] for name, one in members_of(run).items()}
    _tell(run, {name: (names[name], facts) for name, facts in sent.items()})
