"""The checks of a sweep: each point's own, what one seal can have only once, and one line for many points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from forgia_hpc.compact import spans
from forgia_hpc.errors import Problem
from forgia_hpc.jobs.plan import Checked, Wish, check_job
from forgia_hpc.jobs.roots import roots
from forgia_hpc.schema.job import CommandJob, EvaluateJob, Job, SimulateJob, TrainJob
from forgia_hpc.slurm.profile import Cluster

UNREAD = ("seed", "optimizer")  # no check reads their numbers, and sweeps are made of them


def apart(job: Job, first: Job) -> list[Problem]:
    """Return what can't differ inside of one sweep: it has one seal, on one machine."""
    found = [
        Problem(
            field=name,
            got=getattr(job, name),
            limit=f"one sweep has one; its first has {getattr(first, name)}",
            fix="make a sweep of each",
        )
        for name in ("cluster", "launch", "container")
        if getattr(job, name) != getattr(first, name)
    ]
    if isinstance(job, CommandJob) and isinstance(first, CommandJob):
        source = job.command.source
        if source != first.command.source:
            limit = "one sweep seals one source"
            found.append(
                Problem(field="command.source", got=source, limit=limit, fix="a sweep of each")
            )
    return found


class Checking:
    """The checks of one job, with what many points share read from disk once."""

    def __init__(self, wish: Wish, cluster: Cluster) -> None:
        self.wish = wish
        self.inputs: dict[str, Checked] = {}  # in the order of the input folders
        self._cluster, self.roots = cluster, roots(cluster)
        self._numbers: dict[int, int] = {}
        self._done: dict[str, tuple[Job, int, list[Problem]]] = {}

    def __call__(self, job: Job) -> list[Problem]:
        """Complete the job in place and return what is wrong with it; its input folder is noted.

        A point that differs from an earlier one in nothing that a check reads takes over what was found of that.
        """
        like = _checked(job)
        if like not in self._done:
            self._done[like] = (job, *self._check(job))
        first, number, problems = self._done[like]
        for name in () if first is job else _completed(job):
            setattr(job, name, getattr(first, name))
        self._numbers[id(job)] = number
        return problems

    def _check(self, job: Job) -> tuple[int, list[Problem]]:
        """Return the number of the job's input folder, and what is wrong with the job."""
        key = _reads(job)
        found = check_job(job, self._cluster, self.wish, self.roots, self.inputs.get(key))
        self.inputs.setdefault(key, found)
        return list(self.inputs).index(key), found.told(self.wish, self._cluster)

    def number(self, job: Job) -> int:
        """Return the number of a checked job's input folder."""
        return self._numbers[id(job)]


def _completed(job: Job) -> list[str]:
    """Return the sections that a check may complete."""
    return [each.name for each in fields(job) if each.name not in UNREAD]


def _checked(job: Job) -> str:
    """Return what the checks read of a job; of what they don't read, the texts: each may be a secret."""
    read = [getattr(job, name) for name in _completed(job)]
    optimizer = vars(job.optimizer).values() if isinstance(job, TrainJob) else ()
    texts = [value for value in optimizer if isinstance(value, str)]
    return repr((read, texts))


def _reads(job: Job) -> str:
    """Return what decides which inputs a job gets."""
    if isinstance(job, CommandJob):
        return "nothing"
    if isinstance(job, SimulateJob):
        return repr((job.solver, job.ensemble))
    run = job.evaluate.run if isinstance(job, EvaluateJob) else ""
    own = getattr(job, "data", None) or getattr(job, "prepare", None)
    return repr((own, run, job.resources.walltime_seconds))


def grouped(wrong: dict[int, list[Problem]], total: int) -> list[Problem]:
    """Return each problem once, with the points that have it; what all have needs no list."""
    having: dict[str, list[int]] = {}
    problems: dict[str, Problem] = {}
    for index, found in sorted(wrong.items()):
        for text, problem in {str(problem): problem for problem in found}.items():
            having.setdefault(text, []).append(index)
            problems[text] = problem
    return [
        problem
        if len(having[text]) == total
        else replace(problem, field=f"{_named(having[text])}: {problem.field}")
        for text, problem in problems.items()
    ]


def _named(indices: Iterable[int]) -> str:
    text = spans(indices).replace(",", ", ")
    return f"point{'s' if not text.isdigit() else ''} {text}"
