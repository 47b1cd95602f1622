"""forgia run, forgia submit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.agree import agree, tell_balance
from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.timing import timing_option
from forgia_hpc.cli.words import (
    complete_run,
    json_option,
    kind_argument,
    one_kind_argument,
    overrides_argument,
    program_after,
)
from forgia_hpc.schema.job import Kind
from forgia_hpc.stopwatch import lap

if TYPE_CHECKING:
    from forgia_hpc.jobs.package import Plan, Sealed
    from forgia_hpc.jobs.plan import Wish


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `forgia submit`."""

    dry_run: bool
    yes: bool
    waits: bool
    after: str | None
    debug: bool
    force: bool
    as_json: bool


_RUN_HELP = """\b
Examples:
  forgia run train                                   the demo: two ranks need
  forgia run train resources.ranks_per_node=2        this
  forgia run train data=refinery model=telemetry_1m train.steps=500
  forgia run simulate resources.ranks_per_node=2     the demo's ensemble of simulations
  forgia run evaluate evaluate.run=20261122          on what it was trained on
  forgia run command -- python -c 'print("hello")'"""

_SUBMIT_HELP = """\b
Examples:
  forgia submit train cluster=leonardo_booster resources.nodes=4 --debug --dry-run
  forgia submit train cluster=dev data=consortium resources.nodes=2 --wait
  forgia submit simulate solver=heat_quench ensemble=demo cluster=dev --dry-run
  forgia submit evaluate evaluate.run=RUN cluster=dev
  forgia submit train data=refinery --after RUN
  forgia submit chain chain=nightly.yaml cluster=dev train:train.steps=500
  forgia submit command command.source=. -- python train.py --lr 1e-3"""


@click.command(epilog=_RUN_HELP)
@one_kind_argument
@overrides_argument
@json_option
def run(kind: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Run a job here and watch it to its end: progress, then a table and a page.

    Ctrl-C asks it to stop at the next step, with everything saved; a second one ends it.
    """
    from forgia_hpc.cli.watch import finish, watch
    from forgia_hpc.data.access.granting import left_out
    from forgia_hpc.jobs.plan import Wish
    from forgia_hpc.jobs.submit import submit_job

    own, argv = program_after(overrides)
    plan = _plan(Wish(kind=Kind(kind), verb="run", overrides=own, argv=argv))
    for problem in left_out(plan.data.get("grant", {})):
        note(f"warning: {problem}")
    sealed, _ = submit_job(plan, detached=False)
    _tell_sealed(sealed)
    status = watch(sealed.run)
    finish(status, "run", as_json=as_json)


@click.command(epilog=_SUBMIT_HELP)
@kind_argument
@overrides_argument
@click.option("--dry-run", is_flag=True, help="Check, price and print the script; submit nothing.")
@click.option("--yes", is_flag=True, help="Don't ask about price and month's share.")
@click.option("--wait", "waits", is_flag=True, help="Watch it to its end, as `run` does.")
@click.option(
    "--after", metavar="RUN", shell_complete=complete_run, help="Start when RUN has completed."
)
@click.option("--debug", is_flag=True, help="In the cluster's debug QOS, cut to its walltime.")
@click.option("--force", is_flag=True, help="Submit what would pend for ever, or leaves GPUs idle.")
@timing_option
@json_option
def submit(kind: str, overrides: tuple[str, ...], **flags: Any) -> None:
    """Check, seal and submit a job."""
    asked = Asked(**flags)
    own, argv = program_after(overrides)
    if kind == Kind.chain.value:
        from forgia_hpc.cli.chain import submit_chain

        submit_chain(own, argv, asked)
        return
    from forgia_hpc.cli.foresee import ask_ahead, tell_old_limits_once, told_verdict

    with lap("import"):
        ask_ahead(own)
        from forgia_hpc.jobs.plan import Wish
        from forgia_hpc.jobs.submit import submit_job

    wish = Wish(
        kind=Kind(kind),
        overrides=own,
        argv=argv,
        after=asked.after,
        debug=asked.debug,
        force=asked.force,
        dry=asked.dry_run,
    )
    plan = _plan(wish)
    verdict = told_verdict(plan, force=asked.force, silent=asked.as_json)
    if asked.dry_run:
        _tell_dry(plan, verdict, as_json=asked.as_json)
        return
    tell_old_limits_once(plan)
    payer = agree(plan, yes=asked.yes, silent=asked.as_json)
    sealed, facts = submit_job(plan, payer=payer)
    _tell_sealed(sealed)
    if asked.waits:
        from forgia_hpc.cli.watch import finish, watch

        finish(watch(sealed.run), "submit", as_json=asked.as_json)
    elif asked.as_json:
        plan = replace(plan, warnings=(*plan.warnings, *payer.warnings))
        _say_submitted(plan, sealed, {"verdict": verdict, **facts})
    else:
        number = facts.get("job_id") or facts.get("pid")
        say(f"{sealed.run.name}  {'job' if 'job_id' in facts else 'process'} {number}")
        note(f"follow it: forgia logs -f {sealed.run.name}")


def _say_submitted(plan: Plan, sealed: Sealed, facts: dict[str, Any]) -> None:
    told = {
        "run": sealed.run.name,
        "path": str(sealed.run.path),
        "digest": sealed.digest,
        "cluster": plan.cluster.name,
        "warnings": [one.as_json() for one in plan.warnings],
    }
    say_json("submit", {**told, **facts})


def _plan(wish: Wish) -> Plan:
    from forgia_hpc.jobs.plan import make_plan

    return make_plan(wish)


def _price_line(plan: Plan) -> str | None:
    from forgia_hpc.slurm.accounting import price

    asked = price(plan.job.resources, plan.cluster)
    return None if asked is None else f"may cost up to {asked}"


def _tell_dry(plan: Plan, verdict: dict[str, Any] | None, *, as_json: bool) -> None:
    """Print the price and the very text that would be submitted."""
    from forgia_hpc.cli.ensemble import ensemble_facts, ensemble_lines
    from forgia_hpc.jobs.package import job_digest
    from forgia_hpc.slurm.accounting import price
    from forgia_hpc.slurm.executor import render

    digest, ensemble = job_digest(plan), ensemble_facts(plan)
    text = render(plan.request(digest)) if plan.cluster.slurm else ""
    if as_json:
        content: dict[str, Any] = {
            "verdict": verdict,
            "warnings": [one.as_json() for one in plan.warnings],
            "digest": digest,
            "price": asked.parts if (asked := price(plan.job.resources, plan.cluster)) else None,
            "sbatch": text,
            **({"ensemble": ensemble} if ensemble else {}),
        }
        say_json(
            "submit",
            {**content, "cluster": plan.cluster.name, "run": plan.run.name, "submitted": False},
        )
        return
    resources = plan.job.resources
    shape = f"{resources.nodes} node(s), {resources.world_size} rank(s), {resources.walltime}"
    note(f"{plan.job.kind.value} on {plan.cluster.title}: {shape}")
    note(f"{_price_line(plan) or 'nothing is billed'}; job digest {digest[:12]}")
    for line in ensemble_lines(plan):
        note(line)
    tell_balance(plan)
    for line in plan.unchecked:
        note(f"not checked here: {line}")
    say(text or "no script: the batch step starts as a process of this machine")


def _tell_sealed(sealed: Sealed) -> None:
    note(f"sealed {sealed.run.path}  digest {sealed.digest[:12]}")
    for path, why in sorted(sealed.left_out.items()):
        note(f"left out of the seal: {path} ({why})")
