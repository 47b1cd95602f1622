"""forgia run, forgia submit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import complete_run, json_option, kind_argument, overrides_argument
from forgia_hpc.schema.job import Kind

if TYPE_CHECKING:
    from forgia_hpc.jobs.package import Plan, Sealed
    from forgia_hpc.jobs.plan import Wish

_RUN_HELP = """\b
Examples:
  forgia run train                                   the demo: two ranks need
  forgia run train resources.ranks_per_node=2        this
  forgia run train data=refinery model=telemetry_1m train.steps=500
  forgia run evaluate evaluate.run=20261122 data=demo
  forgia run command -- python -c 'print("hello")'"""

_SUBMIT_HELP = """\b
Examples:
  forgia submit train cluster=leonardo_booster resources.nodes=4 --dry-run
  forgia submit train cluster=dev data=consortium resources.nodes=2 --wait
  forgia submit evaluate evaluate.run=RUN cluster=dev
  forgia submit train data=refinery --after RUN
  forgia submit command command.source=. -- python train.py --lr 1e-3"""


def _split(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Part the overrides from the program after `--`."""
    raw = sys.argv[1:]
    if "--" not in raw:
        return list(words), []
    program = raw[raw.index("--") + 1 :]
    return list(words[: len(words) - len(program)]), program


@click.command(epilog=_RUN_HELP)
@kind_argument
@overrides_argument
@json_option
def run(kind: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Run a job here and watch it to its end: progress, then a table and a page.

    Ctrl-C asks it to stop at the next step, with everything saved; a second one ends it.
    """
    from forgia_hpc.cli.watch import finish, watch
    from forgia_hpc.jobs.plan import Wish
    from forgia_hpc.jobs.submit import submit_job

    own, argv = _split(overrides)
    plan = _plan(Wish(kind=Kind(kind), verb="run", overrides=own, argv=argv))
    sealed, _ = submit_job(plan, detached=False)
    _tell_sealed(sealed)
    status = watch(sealed.run)
    finish(status, "run", as_json=as_json)


@click.command(epilog=_SUBMIT_HELP)
@kind_argument
@overrides_argument
@click.option("--dry-run", is_flag=True, help="Check, price and print the script; submit nothing.")
@click.option("--yes", is_flag=True, help="Don't ask about the price.")
@click.option("--wait", "waits", is_flag=True, help="Watch it to its end, as `run` does.")
@click.option(
    "--after", metavar="RUN", shell_complete=complete_run, help="Start when RUN has completed."
)
@click.option("--debug", is_flag=True, help="In the cluster's debug QOS, cut to its walltime.")
@json_option
def submit(
    kind: str,
    overrides: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    waits: bool,
    after: str | None,
    debug: bool,
    as_json: bool,
) -> None:
    """Check, seal and submit a job."""
    from forgia_hpc.jobs.plan import Wish
    from forgia_hpc.jobs.submit import submit_job

    own, argv = _split(overrides)
    plan = _plan(
        Wish(kind=Kind(kind), overrides=own, argv=argv, after=after, debug=debug, dry=dry_run)
    )
    if dry_run:
        _tell_dry(plan, as_json=as_json)
        return
    _agree(plan, yes=yes or as_json)
    sealed, facts = submit_job(plan)
    _tell_sealed(sealed)
    if waits:
        from forgia_hpc.cli.watch import finish, watch

        finish(watch(sealed.run), "submit", as_json=as_json)
        return
    number = facts.get("job_id") or facts.get("pid")
    if as_json:
        say_json(
            "submit",
            {
                "run": sealed.run.name,
                "path": str(sealed.run.path),
                "digest": sealed.digest,
                "cluster": plan.cluster.name,
                **facts,
            },
        )
    else:
        say(f"{sealed.run.name}  {'job' if 'job_id' in facts else 'process'} {number}")
        note(f"follow it: forgia logs -f {sealed.run.name}")


def _plan(wish: Wish) -> Plan:
    from forgia_hpc.jobs.plan import make_plan

    return make_plan(wish)


def _price_line(plan: Plan) -> str | None:
    from forgia_hpc.jobs.plan import price

    parts = price(plan.job, plan.cluster)
    if parts is None:
        return None
    first, *rest = (f"{amount:g} {unit}" for unit, amount in parts.items())
    return f"may cost up to {first} ({', '.join(rest)})"


def _tell_dry(plan: Plan, *, as_json: bool) -> None:
    """Print the verdict, the price and the very text that would be submitted."""
    from forgia_hpc.jobs.package import job_digest
    from forgia_hpc.jobs.plan import price
    from forgia_hpc.slurm.cluster import is_here
    from forgia_hpc.slurm.executor import render

    digest = job_digest(plan)
    text = render(plan.request(digest)) if plan.cluster.slurm else ""
    if as_json:
        content: dict[str, Any] = {
            "verdict": "accepted",
            "digest": digest,
            "price": price(plan.job, plan.cluster),
            "sbatch": text,
        }
        say_json(
            "submit",
            {**content, "cluster": plan.cluster.name, "run": plan.run.name, "submitted": False},
        )
        return
    resources = plan.job.resources
    shape = f"{resources.nodes} node(s), {resources.world_size} rank(s), {resources.walltime}"
    note(f"{plan.job.kind.value} on {plan.cluster.title}: {shape}")
    note(f"accepted; {_price_line(plan) or 'nothing is billed'}; job digest {digest[:12]}")
    if not is_here(plan.cluster):
        note("not checked here: live limits, balance and account; this machine is not the cluster")
        for line in plan.unchecked:
            note(f"not checked here: {line}")
    say(text or "no script: the batch step starts as a process of this machine")


def _agree(plan: Plan, *, yes: bool) -> None:
    line = _price_line(plan)
    if line is None:
        return
    if not yes and sys.stdin.isatty():
        click.confirm(f"{line}. Submit?", abort=True, err=True)
    else:
        note(line)


def _tell_sealed(sealed: Sealed) -> None:
    note(f"sealed {sealed.run.path}  digest {sealed.digest[:12]}")
    for path, why in sorted(sealed.left_out.items()):
        note(f"left out of the seal: {path} ({why})")
