"""forgia sweep, and what other verbs do with a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import complete_kind, json_option, overrides_argument, program_after
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Kind

if TYPE_CHECKING:
    from forgia_hpc.jobs.feed import Fed
    from forgia_hpc.jobs.sweep import SweepPlan
    from forgia_hpc.rundir import RunDir

# an ensemble is many members already, and two points would make one dataset
SWEPT = [kind.value for kind in Kind if kind not in (Kind.chain, Kind.simulate)]
_HELP = """\b
Examples:
  forgia sweep train optimizer.learning_rate=1e-3,3e-4 seed=range(4) cluster=dev --dry-run
  forgia sweep train data=refinery model=telemetry_1m,telemetry_5m --max-running 8
  forgia sweep command seed=range(5000) cluster=dev resources.cpus_per_rank=1 -- python try.py
  forgia sweep command --points points.txt --pack 4 cluster=dev -- python try.py
The grammar is Hydra's: a,b,c  choice(a,b)  range(10)  glob(*)  sort(…)  shuffle(…)."""


@click.command(epilog=_HELP)
@click.argument("kind", type=click.Choice(SWEPT), shell_complete=complete_kind)
@overrides_argument
@click.option(
    "--points",
    "points_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with one line of overrides a point.",
)
@click.option("--max-running", type=click.IntRange(min=1), help="So many points at once at most.")
@click.option(
    "--pack",
    "allocations",
    type=click.IntRange(min=1),
    metavar="JOBS",
    help="Run the points as steps inside so many jobs; for many short points.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Check and price all points; submit nothing.")
@click.option("--yes", is_flag=True, help="Don't ask about price and month's share.")
@click.option("--debug", is_flag=True, help="In the cluster's debug QOS, cut to its walltime.")
@click.option("--force", is_flag=True, help="Submit what would pend for ever, or leaves GPUs idle.")
@json_option
def sweep(
    kind: str,
    overrides: tuple[str, ...],
    points_file: Path | None,
    yes: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Check, seal and submit many points of one job at once.

    A point is one choice of the swept overrides. All have one sealed directory; each has its own run directory
    in it from when it starts.
    """
    from forgia_hpc.cli.agree import agree_on
    from forgia_hpc.cli.foresee import as_json as as_json_of
    from forgia_hpc.cli.foresee import told_verdicts
    from forgia_hpc.config.expand import read_lines
    from forgia_hpc.jobs.points import submit_sweep
    from forgia_hpc.jobs.sweep import SweepWish, make_sweep
    from forgia_hpc.jobs.sweep_requests import requests

    own, argv = program_after(overrides)
    plan = make_sweep(
        SweepWish(
            kind=Kind(kind),
            overrides=own,
            argv=argv,
            lines=read_lines(points_file) if points_file else (),
            **asked,
        )
    )
    plans = requests(plan)
    verdicts = told_verdicts(plans, silent=as_json, fed=True, force=plan.wish.force)
    told = as_json_of(plans, verdicts)
    if plan.wish.dry:
        _tell_dry(plan, told if as_json else None)
        return
    account = plan.first.resources.account
    payer = agree_on(plan.price(), account, plan.cluster, yes=yes, silent=as_json)
    sealed, fed = submit_sweep(plan, payer)
    told["warnings"] += [one.as_json() for one in payer.warnings]
    if as_json:
        facts = {"run": sealed.run.name, "path": str(sealed.run.path), "digest": sealed.digest}
        say_json(
            "sweep", {**facts, "cluster": plan.cluster.name, **_facts(plan), **told, **_fed(fed)}
        )
        return
    note(f"sealed {sealed.run.path}  digest {sealed.digest[:12]}")
    for path, why in sorted(sealed.left_out.items()):
        note(f"left out of the seal: {path} ({why})")
    say(f"{sealed.run.name}  {len(plan.points)} points  {_jobs(fed)}")
    note(f"follow it: forgia status {sealed.run.name}; the table: forgia results {sealed.run.name}")


def _facts(plan: SweepPlan) -> dict[str, Any]:
    price = plan.price()
    return {
        "points": len(plan.points),
        "jobs": plan.jobs if plan.cluster.slurm else 0,
        "price": price.parts if price else None,
    }


def _fed(fed: Fed) -> dict[str, Any]:
    released = {"released": fed.released} if fed.released else {}
    return {"submitted": fed.sent, "waiting": fed.left, "why": fed.why, **released}


def _again(fed: Fed) -> str:
    """Return how many points are sent again, and by which jobs."""
    count = sum(one["points"] for one in fed.sent) + fed.left
    return f"{count} {'point' if count == 1 else 'points'} again  {_jobs(fed)}"


def _jobs(fed: Fed) -> str:
    """Return what was submitted, and what waits, in one phrase."""
    sent = [
        f"job {one['job_id']}" if "job_id" in one else f"process {one['pid']}" for one in fed.sent
    ]
    kept = (
        [f"{'1 point waits' if fed.left == 1 else f'{fed.left} points wait'} ({fed.why})"]
        if fed.left
        else []
    )
    released = [f"job {one['job_id']} released" for one in fed.released]
    return ", ".join([*released, *sent, *kept]) or "nothing submitted"


def _price_line(plan: SweepPlan) -> str | None:
    price = plan.price()
    return None if price is None else f"may cost up to {price} for {len(plan.points)} points"


def _tell_dry(plan: SweepPlan, told: Mapping[str, Any] | None) -> None:
    """Print price, points and the very scripts that would be submitted."""
    from forgia_hpc.cli.agree import tell_balance_on
    from forgia_hpc.jobs.package import job_digest

    digest = job_digest(plan)
    scripts = plan.scripts(digest)
    if told is not None:
        own = {**told, "digest": digest, "scripts": scripts, "submitted": False}
        own |= {"cluster": plan.cluster.name, "run": plan.run.name}
        points = [list(point.overrides) for point in plan.points]
        say_json("sweep", {**_facts(plan), **own, "overrides": points})
        return
    note(f"{len(plan.points)} points of {plan.first.kind.value} on {plan.cluster.title}")
    note(f"{_price_line(plan) or 'nothing is billed'}; job digest {digest[:12]}")
    tell_balance_on(plan.price(), plan.first.resources.account, plan.cluster)
    for line in plan.unchecked:
        note(f"not checked here: {line}")
    for point in _ends(plan.points):
        note(f"  {point}")
    for text in scripts.values():
        say(text)
    if not scripts:
        say("no script: the points start as processes of this machine")


def _ends(points: Sequence[Any]) -> list[str]:
    """Return the first and the last points as a person reads them."""
    lines = [f"{point.index}: {' '.join(point.overrides)}" for point in points]
    return lines if len(lines) <= 8 else [*lines[:5], f"… {len(lines) - 7} more", *lines[-2:]]


def resume_whole(run: RunDir, *, as_json: bool) -> None:
    """Send again what is missing of a sweep or a chain."""
    from forgia_hpc.jobs.points import resume_sweep
    from forgia_hpc.jobs.submission import sealed_record
    from forgia_hpc.sweepdir import SweepDir

    if sealed_record(run)["kind"] == "chain":
        from forgia_hpc.cli.chain import resume_chain

        resume_chain(run, as_json=as_json)
        return
    fed = resume_sweep(SweepDir(run.path))
    if as_json:
        say_json("resume", {"run": run.name, **_fed(fed)})
    else:
        say(f"{run.name}  {_again(fed)}")


def stop_whole(run: RunDir) -> None:
    """Cancel a sweep or a chain."""
    from forgia_hpc.jobs.chain import cancel_chain
    from forgia_hpc.jobs.points import cancel_sweep
    from forgia_hpc.jobs.submission import sealed_record
    from forgia_hpc.sweepdir import SweepDir

    if sealed_record(run)["kind"] == "chain":
        cancel_chain(run)
    else:
        cancel_sweep(SweepDir(run.path))


def tell_points(runs: Sequence[RunDir], *, as_json: bool) -> None:
    """Print a line a point of each sweep among the runs."""
    from forgia_hpc.jobs.point_states import point_states
    from forgia_hpc.jobs.submission import sealed_record
    from forgia_hpc.sweepdir import SweepDir

    sweeps = [SweepDir(run.path) for run in runs if sealed_record(run)["kind"] == "sweep"]
    if not sweeps:
        limit = "a sweep is needed"
        raise InputError(Problem(field="--points", got=None, limit=limit, fix="forgia status RUN"))
    told: list[dict[str, Any]] = [
        {
            "sweep": sweep.name,
            "point": one.index,
            "state": one.state.value,
            "job": one.job,
            "why": one.why,
            "overrides": list(sweep.points[one.index].overrides),
        }
        for sweep in sweeps
        for one in point_states(sweep)
    ]
    if as_json:
        say_json("status", {"points": told})
        return
    for row in told:
        words = (row["point"], row["state"], row["job"], " ".join(row["overrides"]), row["why"])
        say("  ".join(str(word) for word in words if word != ""))
