"""Tells verdict, choice and warnings of a plan."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgia_hpc.cli.output import note

if TYPE_CHECKING:
    from forgia_hpc.jobs.package import Plan
    from forgia_hpc.slurm.verdict import Verdict


def ask_ahead(overrides: Sequence[str]) -> None:
    """Ask the cluster that the words name, while everything else is still being imported.

    Whatever is wrong with the words is told later, with all the rest.
    """
    from forgia_hpc.config.defaults import user_defaults
    from forgia_hpc.errors import InputError
    from forgia_hpc.slurm.cluster import is_here, load_cluster
    from forgia_hpc.slurm.live import begin

    named = [word.partition("=")[2] for word in overrides if word.startswith("cluster=")]
    with contextlib.suppress(InputError):
        cluster = load_cluster(named[-1] if named else user_defaults().get("cluster", "local"))
        if cluster.slurm and is_here(cluster):
            begin(cluster.environment())


def told_verdict(plan: Plan, *, force: bool, silent: bool) -> dict[str, Any] | None:
    """Ask for the verdict, tell it with choice and warnings, and return it for `--json`.

    Raises:
        InputError: Slurm would refuse the job, or never start it.
    """
    from forgia_hpc.jobs.foresee import foresee, refuse_hopeless

    verdict = foresee(plan)
    refuse_hopeless(verdict, force=force)
    if not silent:
        _tell(plan, verdict)
    return verdict.as_json() if verdict else None


def told_verdicts(
    plans: Mapping[str, Plan],
    *,
    silent: bool,
    fed: bool = False,
    force: bool = False,
    after: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Verdict]:
    """Ask for the verdicts on many plans, tell them by their names with warnings, and return them.

    Args:
        plans: by their names; one without a name is the whole.
        silent: tell nothing.
        fed: they are sent bit by bit, as room appears.
        force: what would wait for ever is let through.
        after: the names of those that one waits for.

    Raises:
        InputError: Slurm would refuse one, or never start it.
    """
    from forgia_hpc.jobs.foresee import foresee_all
    from forgia_hpc.slurm.health import excluded_lines

    found = foresee_all(plans, fed=fed, force=force)
    if silent:
        return found
    told = {problem: None for plan in plans.values() for problem in plan.warnings}
    for line in {plan.chosen: None for plan in plans.values() if plan.chosen}:
        note(line)
    kept_off = {line: None for plan in plans.values() for line in excluded_lines(plan.cluster)}
    for line in kept_off:
        note(line)
    for problem in told:
        note(f"warning: {problem}")
    for name, verdict in found.items():
        own = f" on {name}" if name else ""
        waits = ", ".join((after or {}).get(name, ()))
        note(f"verdict{own}{f', once {waits} has completed' if waits else ''}: {verdict.line}")
    if found and len(found) < len(plans):
        note(f"not checked here: the verdicts on {len(plans) - len(found)} more requests")
    for line in {line: None for one in found.values() for line in one.unchecked}:
        note(f"not checked here: {line}")
    return found


def as_json(plans: Mapping[str, Plan], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return what `--json` has of many plans: the worst verdict, each one, and the warnings."""
    from forgia_hpc.jobs.foresee import worst

    whole = worst(verdicts.values())
    warnings = {problem: None for plan in plans.values() for problem in plan.warnings}
    return {
        "verdict": whole.as_json() if whole else None,
        "verdicts": {name: one.as_json() for name, one in verdicts.items()},
        "warnings": [one.as_json() for one in warnings],
    }


def _tell(plan: Plan, verdict: Verdict | None) -> None:
    from forgia_hpc.slurm.health import excluded_lines

    if plan.chosen:
        note(plan.chosen)
    for line in excluded_lines(plan.cluster):
        note(line)
    for problem in plan.warnings:
        note(f"warning: {problem}")
    if verdict is None:
        return
    waits = ", once the run before it has completed" if plan.dependency else ""
    note(f"verdict{waits}: {verdict.line}")
    for line in verdict.unchecked:
        note(f"not checked here: {line}")


def tell_old_limits_once(plan: Plan) -> None:
    """Say once, for one reading of a cluster's limits, that they are old; `cluster show` says it always."""
    from forgia_hpc.slurm.age import age_line

    line = age_line(plan.cluster)
    if line is None:
        return
    cluster = plan.cluster
    stamp = (
        _state() / "told" / f"{cluster.name}-limits-{cluster.limits_as_of or cluster.verified_on}"
    )
    if not stamp.exists():
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        note(f"warning: {line}")


def _state() -> Path:
    """Return where this person's forgia keeps what it must remember (XDG_STATE_HOME)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "forgia"
