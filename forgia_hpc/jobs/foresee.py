"""The verdict on a plan, before anything is sealed: by Slurm itself where it can be asked, else by the profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from forgia_hpc.config.advice import debug_takes
from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs.package import Plan
from forgia_hpc.slurm.asked import Asked, asked_of
from forgia_hpc.slurm.choice import measure_of_profile
from forgia_hpc.slurm.cluster import is_here
from forgia_hpc.slurm.finding import Fate
from forgia_hpc.slurm.live import read_measure
from forgia_hpc.slurm.verdict import Verdict, judge
from forgia_hpc.stopwatch import lap

MOST_ASKED = 8  # distinct requests of one command: each takes Slurm half a second
_SAID = {Fate.never: "it would wait for ever: ", Fate.refused: "sbatch would refuse it: "}


@lap("live")
def foresee(plan: Plan, *, points: int = 1) -> Verdict | None:
    """Return what Slurm will do with a plan; None where there is no Slurm to ask for anything."""
    cluster = plan.cluster
    if not cluster.slurm:
        return None
    asked = asked_of(plan.job.resources, cluster, plan.launch, points=points)
    why = "this machine is not the cluster"
    if is_here(cluster):
        try:
            verdict = judge(*read_measure(asked, cluster.environment()))
            return _quicker(verdict, plan) if verdict.fate is Fate.waits else verdict
        except SlurmSilentError as error:
            why = " ".join(str(error).split())
    verdict = judge(asked, measure_of_profile(asked, cluster))
    return dataclasses.replace(verdict, unchecked=(f"live state: {why}",))


def _quicker(verdict: Verdict, plan: Plan) -> Verdict:
    """Name the debug QOS where a waiting job would fit it."""
    return dataclasses.replace(
        verdict, fix=debug_takes(plan.job.resources, plan.cluster) or verdict.fix
    )


def refuse_hopeless(verdict: Verdict | None, *, force: bool = False) -> None:
    """Refuse what Slurm would refuse or never start; `force` lets the second through.

    Raises:
        InputError: everything that stands in the way, each with its mend.
    """
    if verdict is None or verdict.fate not in _SAID or (force and verdict.fate is Fate.never):
        return
    raise InputError(
        [
            _with_fate(one.problem, one.fate)
            for one in verdict.findings
            if one.fate in (Fate.never, Fate.refused)
        ]
    )


def foresee_all(
    plans: Mapping[str, Plan], *, fed: bool = False, force: bool = False
) -> dict[str, Verdict]:
    """Return the verdict on each of many plans, asked once for the same request; none without Slurm.

    Args:
        plans: by the name that they have in a refusal; one without a name is the whole.
        fed: they are sent bit by bit, so that a used-up limit of queued jobs is a wait.
        force: what would wait for ever is let through.

    Raises:
        InputError: what Slurm would refuse or never start, of all of them.
    """
    asked = {
        name: asked_of(plan.job.resources, plan.cluster, plan.launch)
        for name, plan in plans.items()
    }
    known: dict[Asked, Verdict | None] = {}
    problems: list[Problem] = []
    for name, plan in plans.items():
        if asked[name] not in known and len(known) < MOST_ASKED:
            told = foresee(plan)
            known[asked[name]] = _fed(told) if fed else told
        try:
            refuse_hopeless(known.get(asked[name]), force=force)
        except InputError as error:
            problems += [_named(name, one) for one in error.problems]
    if problems:
        raise InputError(tuple(dict.fromkeys(problems)))
    return {name: told for name, one in asked.items() if (told := known.get(one))}


def _named(name: str, problem: Problem) -> Problem:
    return dataclasses.replace(problem, field=f"{name}: {problem.field}" if name else problem.field)


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the worst of many verdicts."""
    return max(verdicts, key=lambda one: list(Fate).index(one.fate), default=None)


def _fed(verdict: Verdict | None) -> Verdict | None:
    """Turn a refusal for want of room in the queue into a wait: the rest is sent as room appears."""
    if verdict is None or verdict.fate is not Fate.refused:
        return verdict
    hard = [one for one in verdict.findings if one.fate in _SAID and "Submit" not in one.reason]
    return verdict if hard else dataclasses.replace(verdict, fate=Fate.waits)


def _with_fate(problem: Problem, fate: Fate) -> Problem:
    return dataclasses.replace(problem, limit=_SAID[fate] + problem.limit)
