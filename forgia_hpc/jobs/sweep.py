"""From sweep overrides to a sealed directory of many points: all composed and checked at once."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from forgia_hpc.compact import difference
from forgia_hpc.config.expand import Asked, expand
from forgia_hpc.config.points import compose_points
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError
from forgia_hpc.jobs.code import code_sources
from forgia_hpc.jobs.package import input_texts, new_run, record_of, start_facts
from forgia_hpc.jobs.packing import allocation_of
from forgia_hpc.jobs.plan import Wish, in_debug
from forgia_hpc.jobs.sweep_checks import Checking, apart, grouped
from forgia_hpc.runtime.container import Container
from forgia_hpc.schema.job import Job, Kind, Launch
from forgia_hpc.schema.load import config_text, plain
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.accounting import Price, price
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.executor import render
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import BatchStep, sbatch_request
from forgia_hpc.sweepdir import Point, SweepDir


@dataclass(frozen=True, kw_only=True)
class SweepWish:
    """What the user asked of a sweep.

    lines: of --points. allocations: how many jobs the points are packed into; None: a job each.
    """

    kind: Kind
    overrides: Sequence[str] = ()
    argv: Sequence[str] = ()
    lines: Sequence[str] = ()
    max_running: int | None = None
    allocations: int | None = None
    dry: bool = False
    debug: bool = False
    force: bool = False

    @property
    def each(self) -> Wish:
        """What is asked of each point."""
        return Wish(
            kind=self.kind,
            verb="sweep",
            argv=self.argv,
            debug=self.debug,
            force=self.force,
            dry=self.dry,
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that says this again."""
        flags = [f"--max-running={self.max_running}"] if self.max_running else []
        flags += [f"--pack={self.allocations}"] if self.allocations else []
        flags += ["--debug"] if self.debug else []
        program = ("--", *self.argv) if self.argv else ()
        return ("forgia", "sweep", self.kind.value, *self.overrides, *flags, *program)


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """Checked points with everything that will be sealed, before anything is written.

    groups: the distinct resources of the points. inputs: their distinct input folders.
    allocation: what one packed job asks for; None: each point is a task of an array.
    """

    first: Job
    cluster: Cluster
    run: SweepDir
    points: tuple[Point, ...]
    groups: tuple[Resources, ...]
    inputs: tuple[dict[str, Any], ...]
    launch: Launch
    container: Container | None
    allocation: Resources | None
    wish: SweepWish
    unchecked: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that asks for this again."""
        return self.wish.words

    @property
    def sources(self) -> dict[str, Path]:
        """What is copied, by its place under code/."""
        return code_sources(self.first)

    @cached_property
    def _texts(self) -> dict[str, str]:
        found = {
            "config.yaml": config_text(plain(self.first)),
            "points.jsonl": "".join(f"{point.line()}\n" for point in self.points),
        }
        for number, data in enumerate(self.inputs):
            found |= input_texts(self.cluster, data, f"inputs/{number}")
        return found

    def texts(self) -> dict[str, str]:
        """Return the text files of the seal by their place: the first point's config, all points, the inputs."""
        return self._texts

    def scripts(self, digest: str) -> dict[str, str]:
        """Return one batch script for each of the distinct resources; packed, that of an allocation."""
        if not self.cluster.slurm:
            return {}
        module = "forgia_hpc.node.waves" if self.allocation else "forgia_hpc.node.point"
        groups = [self.allocation] if self.allocation else self.groups
        return {
            f"job-{number}.sbatch": self._script(resources, module, digest)
            for number, resources in enumerate(groups)
        }

    def _script(self, resources: Resources, module: str, digest: str) -> str:
        step = BatchStep(python=sys.executable, digest=digest, launch=self.launch)
        asked = sbatch_request(resources, self.cluster, step, run=self.run.path)
        argv = (sys.executable, "-m", module, str(self.run.path), "--digest", digest)
        return render(replace(asked, argv=argv, takes_arguments=True))

    def start(self) -> dict[str, Any]:
        """Return what the batch steps need to start the ranks."""
        return {
            **start_facts(self.first, self.cluster, self.launch),
            "groups": [dataclasses.asdict(resources) for resources in self.groups],
            "allocation": dataclasses.asdict(self.allocation) if self.allocation else None,
            "allocations": self.wish.allocations,
            "max_running": self.wish.max_running,
        }

    def record(self) -> dict[str, Any]:
        """Return what belongs to this one sweep: it is in no digest."""
        own = {"of": self.first.kind.value, "points": len(self.points)}
        return {**record_of(self, "sweep", self.first.label), **own}

    @property
    def jobs(self) -> int:
        """How many Slurm jobs it is: the tasks of its arrays, or its allocations."""
        return self.wish.allocations or len(self.points)

    def price(self) -> Price | None:
        """Return what all points may cost at most, each in one attempt; None where nothing is billed."""
        if self.allocation:
            found = price(self.allocation, self.cluster)
            return found.times(self.wish.allocations or 1) if found else None
        total: Price | None = None
        count = Counter(point.group for point in self.points)
        for number, resources in enumerate(self.groups):
            one = price(resources, self.cluster)
            if one is not None:
                each = one.times(count[number])
                total = each if total is None else total + each
        return total


def make_sweep(wish: SweepWish) -> SweepPlan:
    """Return the plan of a sweep.

    Raises:
        InputError: everything that does not fit, each problem once with the points that have it.
    """
    asked = expand(wish.overrides, wish.lines)
    composed = compose_points(wish.kind, asked)
    good = {index: job for index, job in enumerate(composed) if not isinstance(job, InputError)}
    wrong = {
        index: list(error.problems)
        for index, error in enumerate(composed)
        if isinstance(error, InputError)
    }
    if not good:
        raise InputError(grouped(wrong, len(asked)))
    first = next(iter(good.values()))
    cluster = load_cluster(first.cluster)
    checking = Checking(wish.each, cluster)
    for index, job in good.items():
        if wish.debug:
            job.resources = in_debug(job.resources, cluster)
        if problems := [*apart(job, first), *checking(job)]:
            wrong[index] = problems
    if wrong:
        raise InputError(grouped(wrong, len(asked)))
    return _plan(wish, asked, list(good.values()), cluster, checking)


def _plan(
    wish: SweepWish, asked: Sequence[Asked], jobs: Sequence[Job], cluster: Cluster, known: Checking
) -> SweepPlan:
    frozen = [_frozen(job.resources) for job in jobs]
    groups = {one: number for number, one in enumerate(dict.fromkeys(frozen))}
    resources = tuple(Resources(**dict(group)) for group in groups)
    base = plain(jobs[0])
    points = tuple(
        _point(index, one, job, base, (groups[shape], known.number(job)))
        for index, (one, job, shape) in enumerate(zip(asked, jobs, frozen, strict=True))
    )
    shapes = [resources[point.group] for point in points]
    allocation = allocation_of(shapes, cluster, wish.allocations) if wish.allocations else None
    checked = list(known.inputs.values())
    missing = [f"{one.field} {one.got}: {one.limit}" for each in checked for one in each.missing]
    return SweepPlan(
        first=jobs[0],
        cluster=cluster,
        run=SweepDir(new_run("sweep", known.roots[0]).path),
        points=points,
        groups=resources,
        inputs=tuple(one.inputs for one in checked),
        launch=jobs[0].launch or cluster.software.launch,
        container=checked[0].container,
        allocation=allocation,
        wish=wish,
        unchecked=tuple(dict.fromkeys(missing)),
    )


def _frozen(resources: Resources) -> tuple[tuple[str, Any], ...]:
    return tuple(vars(resources).items())


def _point(
    index: int, asked: Asked, job: Job, base: dict[str, Any], place: tuple[int, int]
) -> Point:
    """Return a point; `place` holds the numbers of its resources and of its input folder."""
    config = plain(job)
    return Point(
        index=index,
        overrides=asked.own,
        values=difference(base, config),
        digest=digest_of(config),
        group=place[0],
        inputs=place[1],
    )
