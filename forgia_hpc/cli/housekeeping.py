"""forgia rm, prune, rerun."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import (
    json_option,
    overrides_argument,
    run_argument,
    runs_argument,
    runs_root,
)
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.jobs.housekeeping import Holding
    from forgia_hpc.jobs.package import Plan
    from forgia_hpc.slurm.site import Area


@click.command(epilog="\b\nExamples:\n  forgia rm RUN\n  forgia rm RUN RUN --yes")
@runs_argument
@click.option("--force", is_flag=True, help="Also what can go on, or what others were made from.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def rm(runs: tuple[str, ...], force: bool, yes: bool, as_json: bool) -> None:
    """Remove ended runs whole. One that can still go on stays, unless forced."""
    from forgia_hpc.jobs.find import find_run, list_runs
    from forgia_hpc.jobs.housekeeping import drop, refusals, room_of
    from forgia_hpc.jobs.track import status_of
    from forgia_hpc.report.figures import size

    root = runs_root()
    found = status_of([find_run(text, root) for text in _some(runs)])
    if problems := refusals(found, list_runs(root), force=force):
        raise InputError(problems)
    rooms = [room_of(one.run.path)[0] for one in found]
    whole = f"{size(sum(r.size for r in rooms))}, {sum(r.inodes for r in rooms)} files"
    _agree(f"remove {', '.join(one.run.name for one in found)} ({whole})?", yes=yes or as_json)
    drop(one.run.path for one in found)
    names = [one.run.name for one in found]
    if as_json:
        say_json("rm", {"removed": names, "bytes": sum(r.size for r in rooms)})
    for name in () if as_json else names:
        say(f"removed: {name}")


@click.command(
    epilog="\b\nExamples:\n  forgia prune --dry-run\n  forgia prune RUN\n  forgia prune --yes --json"
)
@runs_argument
@click.option("--dry-run", is_flag=True, help="Tell what would go; delete nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def prune(runs: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> None:
    """Free room: old checkpoints and leftovers of ended runs. The last good checkpoint always stays."""
    from forgia_hpc.jobs.find import find_run, list_runs
    from forgia_hpc.jobs.housekeeping import drop, holdings
    from forgia_hpc.jobs.track import status_of

    root = runs_root()
    chosen = [find_run(text, root) for text in runs] or list_runs(root)
    found: list[Holding] = []
    with click.progressbar(
        holdings(status_of(chosen)),
        length=len(chosen),
        label="looking",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as looked:
        found += looked
    areas = [_area(one) for one in found]
    spare = [path for one in found for path in one.spare]
    if not as_json:
        _table(found, areas)
    if spare and not dry_run:
        _agree(f"delete {len(spare)} checkpoints and leftovers?", yes=yes or as_json)
        drop(spare)
    if as_json:
        rows = [_facts(one, area) for one, area in zip(found, areas, strict=True)]
        say_json("prune", {"runs": rows, "deleted": not dry_run})
    elif not spare:
        say("nothing to free")
    elif not dry_run:
        say(f"deleted: {len(spare)}")


def _area(one: Holding) -> Area | None:
    from forgia_hpc.jobs.housekeeping import area_of
    from forgia_hpc.slurm.cluster import load_cluster

    try:
        return area_of(one.status.run.path, load_cluster(one.status.cluster))
    except InputError:
        return None  # a profile that is no longer there knows no purge date


def _facts(one: Holding, area: Area | None) -> dict[str, object]:
    return {
        "run": one.status.run.name,
        "state": one.status.state.value,
        "bytes": one.room.size,
        "inodes": one.room.inodes,
        "freed_bytes": one.freed.size,
        "freed_inodes": one.freed.inodes,
        "kept_step": one.kept_step,
        "purged_on": one.purged_on(area),
        "spare": [str(path) for path in one.spare],
        "note": one.note,
    }


def _table(found: list[Holding], areas: list[Area | None]) -> None:
    from rich.table import Table

    from forgia_hpc.jobs.housekeeping import NOTHING
    from forgia_hpc.report.figures import size

    table = Table(box=None, pad_edge=False)
    for name in ("run", "state", "size", "files", "may go", "stays", "purged from", ""):
        table.add_column(name, justify="right" if name in ("size", "files", "may go") else "left")
    for one, area in zip(found, areas, strict=True):
        table.add_row(
            one.status.run.name,
            one.status.state.value,
            size(one.room.size),
            str(one.room.inodes),
            size(one.freed.size) if one.spare else "",
            "" if one.kept_step is None else f"step {one.kept_step}",
            one.purged_on(area) or "",
            one.note,
        )
    console().print(table)
    whole = sum((one.room for one in found), NOTHING)
    freed = sum((one.freed for one in found), NOTHING)
    note(
        f"{len(found)} runs: {size(whole.size)} in {whole.inodes} files; "
        f"{size(freed.size)} in {freed.inodes} files may go"
    )


@click.command(
    epilog="\b\nExamples:\n  forgia rerun RUN\n  forgia rerun RUN train.steps=500\n  forgia rerun RUN --dry-run"
)
@run_argument
@overrides_argument
@click.option("--dry-run", is_flag=True, help="Check and price it; start nothing.")
@click.option("--yes", is_flag=True, help="Don't ask about price and month's share.")
@click.option("--force", is_flag=True, help="Submit what would pend for ever, or leaves GPUs idle.")
@json_option
def rerun(
    run: str, overrides: tuple[str, ...], dry_run: bool, yes: bool, force: bool, as_json: bool
) -> None:
    """The same job once more, in a new run: the sealed code, config and data of RUN, the same digest.

    With KEY=VALUE: its command line with these added, composed and sealed anew, with today's code.
    """
    from forgia_hpc.cli.agree import agree
    from forgia_hpc.cli.foresee import told_verdict
    from forgia_hpc.jobs import submit
    from forgia_hpc.jobs.agreement import note_agreed
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.plan import make_plan
    from forgia_hpc.jobs.rerun import check_still_sealed, seal_again, sealed_plan, wish_again

    old = find_run(run, runs_root())
    if overrides:
        plan = make_plan(replace(wish_again(old, overrides), force=force, dry=dry_run))
    else:
        check_still_sealed(old)
        plan = sealed_plan(old)
    verdict = told_verdict(plan, force=force, silent=as_json)
    if dry_run:
        _tell_dry(plan, verdict, old.name, anew=bool(overrides), as_json=as_json)
        return
    payer = agree(plan, yes=yes, silent=as_json)
    if overrides:
        sealed, facts = submit.submit_job(plan, payer=payer)
    else:
        sealed = seal_again(old)
        note_agreed(sealed.run, agreed=payer.agreed)
        facts = submit.resume(sealed.run)  # which holds its price itself
    number = facts.get("job_id") or facts.get("pid")
    if as_json:
        told = {"run": sealed.run.name, "digest": sealed.digest, "of": old.name}
        warnings = [one.as_json() for one in plan.warnings]
        say_json("rerun", {**told, "verdict": verdict, "warnings": warnings, **facts})
    else:
        say(f"{sealed.run.name}  {'job' if 'job_id' in facts else 'process'} {number}")


def _tell_dry(
    plan: Plan, verdict: dict[str, Any] | None, of: str, *, anew: bool, as_json: bool
) -> None:
    """Print what a rerun may cost, and that it can be."""
    from forgia_hpc.cli.agree import tell_balance
    from forgia_hpc.slurm.accounting import price

    cost = price(plan.job.resources, plan.cluster)
    if as_json:
        warnings = [one.as_json() for one in plan.warnings]
        told = {"of": of, "verdict": verdict, "warnings": warnings, "submitted": False}
        say_json("rerun", {**told, "price": cost.parts if cost else None})
        return
    note(f"may cost up to {cost}" if cost else "nothing is billed")
    tell_balance(plan)
    say(f"{of} can be run again{' with these values' if anew else ' as it was sealed'}")


def _agree(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        limit = "nobody can be asked here"
        raise InputError(Problem(field="--yes", got=False, limit=limit, fix="--yes"))
    click.confirm(question, abort=True, err=True)


def _some(runs: tuple[str, ...]) -> tuple[str, ...]:
    if not runs:
        limit = "at least one is needed"
        raise InputError(Problem(field="RUN", got=None, limit=limit, fix="forgia status"))
    return runs
