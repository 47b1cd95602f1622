"""forgia submit chain, and what other verbs do with a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.follow import wait
from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.cli.submit import Asked
    from forgia_hpc.jobs.chain import ChainPlan
    from forgia_hpc.rundir import RunDir


def submit_chain(words: Sequence[str], argv: Sequence[str], asked: Asked) -> None:
    """Check, seal and submit all members of a chain.

    Raises:
        InputError: everything that is wrong with any member, or a flag that a chain has no use for.
    """
    from forgia_hpc.cli.agree import agree_on
    from forgia_hpc.cli.foresee import as_json as as_json_of
    from forgia_hpc.cli.foresee import told_verdicts
    from forgia_hpc.jobs import chain
    from forgia_hpc.jobs.chain_data import Flags
    from forgia_hpc.jobs.next_link import link_price

    _refuse_foreign(argv, asked)
    as_json = asked.as_json
    flags = Flags(dry=asked.dry_run, debug=asked.debug, force=asked.force)
    plan = chain.make_chain(words, flags)
    price = plan.price()
    verdicts = told_verdicts(plan.members, silent=as_json, force=asked.force, after=plan.after)
    told = as_json_of(plan.members, verdicts)
    facts = {"run": plan.run.name, "cluster": plan.cluster.name, **told}
    if asked.dry_run:
        _tell_dry(plan, price, told if as_json else None)
        return
    account = next(iter(plan.members.values())).job.resources.account
    link = link_price(plan.members.values())
    payer = agree_on(price, account, plan.cluster, yes=asked.yes, silent=as_json, link=link)
    sent = chain.submit_chain(plan, agreed=payer.agreed)
    facts["warnings"] = [*facts["warnings"], *(one.as_json() for one in payer.warnings)]
    if as_json and not asked.waits:
        members = {
            name: {"run": one.run.name, "path": str(one.run.path), **sent[name]}
            for name, one in plan.members.items()
        }
        say_json("submit", {**facts, "path": str(plan.run.path), "members": members})
    elif not as_json:
        note(f"sealed {plan.run.path} and {len(plan.members)} members")
        _tell(plan.run, {name: (plan.members[name].run.name, one) for name, one in sent.items()})
        note(f"follow it: forgia status {plan.run.name}")
    if asked.waits:
        click.get_current_context().invoke(wait, runs=(plan.run.name,), as_json=as_json)


def _refuse_foreign(argv: Sequence[str], asked: Asked) -> None:
    """Refuse what would be ignored otherwise."""
    problems = []
    if asked.after:
        limit, fix = "a chain's edges are its members'", "submit it when that run has completed"
        problems.append(Problem(field="--after", got=asked.after, limit=limit, fix=fix))
    if argv:
        limit = "a chain's programs stand in its file"
        problems.append(
            Problem(field="--", got=" ".join(argv), limit=limit, fix="argv: of a member")
        )
    if problems:
        raise InputError(problems)


def _tell(run: RunDir, sent: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    say(run.name)
    for name, (member, facts) in sent.items():
        say(f"  {name}  {member}  job {facts['job_id']}")


def _tell_dry(plan: ChainPlan, price: Any, told: Mapping[str, Any] | None) -> None:
    """Print price, members and the very scripts that would be submitted."""
    from forgia_hpc.cli.agree import tell_balance_on
    from forgia_hpc.jobs.next_link import link_price
    from forgia_hpc.jobs.package import job_digest

    digests = {name: job_digest(one) for name, one in plan.members.items()}
    scripts = {name: one.scripts(digests[name])["job.sbatch"] for name, one in plan.members.items()}
    if told is not None:
        members = {
            name: {
                "kind": one.job.kind.value,
                "after": list(plan.after[name]),
                "run": one.run.name,
                "digest": digests[name],
                "sbatch": scripts[name],
            }
            for name, one in plan.members.items()
        }
        own = {**told, "price": price.parts if price else None, "submitted": False}
        facts = {"run": plan.run.name, "cluster": plan.cluster.name}
        say_json("submit", {**own, **facts, "members": members})
        return
    note(f"{len(plan.members)} members on {plan.cluster.title}")
    note(f"{f'may cost up to {price}' if price else 'nothing is billed'}")
    account = next(iter(plan.members.values())).job.resources.account
    tell_balance_on(price, account, plan.cluster, link_price(plan.members.values()))
    for name, one in plan.members.items():
        after = f" after {', '.join(plan.after[name])}" if plan.after[name] else ""
        resources = one.job.resources
        shape = f"{resources.nodes} node(s), {resources.walltime}"
        note(f"{name}: {one.job.kind.value}{after}, {shape}; job digest {digests[name][:12]}")
        say(scripts[name])


def resume_chain(run: RunDir, *, as_json: bool) -> None:
    """Submit what is missing of a chain."""
    from forgia_hpc.jobs.chain import send_missing
    from forgia_hpc.jobs.chain_state import members_of

    sent = send_missing(run)
    if as_json:
        say_json("resume", {"run": run.name, "members": sent})
        return
    names = {name: one["run"].rpartition("/")[2] for name, one in members_of(run).items()}
    _tell(run, {name: (names[name], facts) for name, facts in sent.items()})
