"""One group of a campaign: a process tree and an MPI world of its own, so that it dies alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from forgia_hpc import process
from forgia_hpc.errors import ExitCode, JobFailedError
from forgia_hpc.node.followed import followed_argv
from forgia_hpc.node.launch import Step
from forgia_hpc.node.modes import rank_argv
from forgia_hpc.node.mpirun import group_argv, hydra_death, nodes_of_job
from forgia_hpc.node.steps import STRAYS_S, end_steps, step_name
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.container import sealed_container
from forgia_hpc.schema.job import Launch
from forgia_hpc.simulate.command.tree import end_marked

PROBE_S = 20  # srun steps that never start are what users of packed jobs report most
_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Bus error": "SIGBUS",
    "Aborted": "SIGABRT",
    "Killed": "SIGKILL",
    "Terminated": "SIGTERM",
    "Out Of Memory": "oom",
    "oom_kill": "oom",
}


@dataclass(frozen=True)
class Shape:
    """How the groups of a campaign share the allocation."""

    count: int
    ranks: int  # of one group
    launch: Launch | None  # None: one plain process a group
    step: tuple[str, ...] = ()  # what an srun step of one group asks for
    slots: tuple[str, ...] = ()  # of mpirun over several nodes: the node of each rank of all groups

    def hosts(self, number: int) -> dict[str, int]:
        """Return the nodes of one group's ranks: left to itself, each mpirun would begin at the first."""
        first = number * self.ranks
        return dict(Counter(self.slots[first : first + self.ranks]))


@dataclass
class Group:
    """One start of a group. `launch` is its name in the journal."""

    number: int
    launch: str
    campaign: str  # the run's path
    started: Step
    swept: bool = False  # what it has started has been ended

    @property
    def code(self) -> int | None:
        """The exit code once it has ended: below 0 for a signal."""
        return self.started.poll()

    def death(self) -> str:
        """Return the kind of its end: a signal's name, `oom`, or `exit N`."""
        code = self.code or 0
        told = self.started.first_death() if self.started.launch is not Launch.processes else None
        over_mpirun = self.started.launch is Launch.mpirun
        how = told.how if told else hydra_death(self.started.lines()) if over_mpirun else ""
        if how:
            return _kind(how)
        return signal.Signals(-code).name if code < 0 else f"exit {code}"

    def words(self) -> str:
        """Return what it or its launcher said last: of a crash, where in Python it was."""
        said = self.started.lines()
        at = next((n for n, line in enumerate(said) if line.startswith("Fatal Python error")), None)
        if at is None:
            return self.started.last_words() if self.started.launch is not Launch.processes else ""
        where = next((line.strip() for line in said[at:] if line.startswith("  File")), "")
        return f"{said[at]} {where}".strip()

    def end_strays(self) -> None:
        """Kill what it has left behind, once. Another run's group has the same number: two marks."""
        if self.swept:
            return
        self.swept = True
        if self.started.launch is Launch.srun_mpi and (self.code or 0) < 0:  # srun could not end it
            end_steps([step_name(self.campaign, self.launch)], STRAYS_S)
        end_marked({"FORGIA_LAUNCH": self.launch, "FORGIA_CAMPAIGN": self.campaign}, STRAYS_S)


def end_all(groups: Collection[Group]) -> None:
    """End groups with everything that they have started, here and on other nodes.

    Slurm is asked once for all of them: at a walltime's end there are seconds, and each answer may take one.
    """
    living = [one for one in groups if one.code is None]
    for one in living:
        one.started.process.kill()
    for one in living:
        one.started.process.wait()
    over_srun = [one for one in groups if one.started.launch is Launch.srun_mpi]
    if over_srun:
        end_steps([step_name(one.campaign, one.launch) for one in over_srun], STRAYS_S)
    for one in groups:
        marks = {"FORGIA_LAUNCH": one.launch, "FORGIA_CAMPAIGN": one.campaign}
        end_marked(marks, STRAYS_S)
        one.swept = True


def _kind(how: str) -> str:
    """Return srun's and mpirun's words of an end as one word."""
    found = next((name for words, name in _SIGNALS.items() if words in how), None)
    if found:
        return found
    number = re.search(r"signal (\d+)", how)
    if number:
        return signal.Signals(int(number[1])).name
    code = re.search(r"code (\d+)", how)
    return f"exit {code[1]}" if code else how


def start_group(
    run: RunDir, job: Mapping[str, Any], shape: Shape, name: tuple[int, str], own: Mapping[str, str]
) -> Group:
    """Start one group; `name` is its number and the name of this start."""
    number, launch = name
    environment = {**own, "FORGIA_GROUP": f"{number}/{shape.count}", "FORGIA_LAUNCH": launch}
    environment["FORGIA_STEP"] = "1" if shape.launch is Launch.srun_mpi else ""
    argv = _argv(run, job, shape, name)
    container = sealed_container(job)
    if shape.launch is None:
        environment |= _alone(followed=container is None)
    if shape.launch is Launch.mpirun:
        environment |= _over_mpirun(shape)
    if container:
        environment = container.passed(environment)
    path = run.logs / f"group-{number}.log"
    with path.open("ab") as log:
        begin = log.tell()
        started = subprocess.Popen(
            argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment
        )
    step = Step(started, path, begin, shape.launch or Launch.processes)
    return Group(number, launch, own["FORGIA_CAMPAIGN"], step)


def _alone(*, followed: bool) -> dict[str, str]:
    """Return the variables of a group of one rank: no launcher stands between it and us."""
    own = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    return own | ({"FORGIA_FOLLOW_PARENT": str(os.getpid())} if followed else {})


def _over_mpirun(shape: Shape) -> dict[str, str]:
    # what mpirun starts on other nodes is a step, and one without this word takes the nodes for itself
    own = {"SLURM_OVERLAP": "1"} if shape.slots else {}
    if os.geteuid() == 0:
        own |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    if shape.count * shape.ranks > len(os.sched_getaffinity(0)):
        own["OMPI_MCA_mpi_yield_when_idle"] = (
            "1"  # ranks that share a core would wait at full speed
        )
    return own


def _argv(run: RunDir, job: Mapping[str, Any], shape: Shape, name: tuple[int, str]) -> list[str]:
    number, launch = name
    ranks = rank_argv(run, job)
    if shape.launch is None:
        return ranks
    if shape.launch is Launch.mpirun:
        return followed_argv([*group_argv(shape.ranks, shape.hosts(number)), *ranks])
    return [*shape.step, f"--job-name={step_name(str(run.path), launch)}", *ranks]


def shape_of(job: Mapping[str, Any], ranks: int) -> Shape:
    """Return how many groups there are, and how each is started.

    Raises:
        JobFailedError: Slurm starts no step within its time.
    """
    resources = job["resources"]
    count = max(1, resources["nodes"] * resources["ranks_per_node"] // ranks)
    if ranks == 1 and (not job["slurm"] or resources["nodes"] == 1):
        return Shape(count, ranks, None)
    if not job["slurm"] or Launch(job["launch"]) is Launch.mpirun:
        slots = _slots(resources) if job["slurm"] and resources["nodes"] > 1 else ()
        return Shape(count, ranks, Launch.mpirun, slots=slots)
    return Shape(count, ranks, Launch.srun_mpi, _step(job, ranks))


def _slots(resources: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(node for node in nodes_of_job() for _ in range(resources["ranks_per_node"]))


def _step(job: Mapping[str, Any], ranks: int) -> tuple[str, ...]:
    """Return the srun of one group: the first way in which a step starts here at all."""
    said = []
    for own in _ways(job, ranks):
        argv = [*_srun(job, ranks), *own]
        try:
            answer = process.run([*argv, "--mpi=none", "true"], timeout_s=PROBE_S)
        except process.ProgramSilentError as error:
            said.append(str(error))
            continue
        if answer.returncode == 0:
            mpi = job["cluster"]["software"]["mpi"] or ("pmix" if ranks > 1 else "none")
            return (*argv, f"--mpi={mpi}")
        said.append(answer.stderr.strip())
    raise JobFailedError(f"Slurm starts no step for a group: {'; '.join(said)}")


def _srun(job: Mapping[str, Any], ranks: int) -> list[str]:
    resources = job["resources"]
    nodes = -(-ranks // resources["ranks_per_node"])
    return [
        "srun",
        "--kill-on-bad-exit=1",
        "--unbuffered",
        f"--nodes={nodes}",
        f"--ntasks={ranks}",
        f"--ntasks-per-node={-(-ranks // nodes)}",
        f"--cpus-per-task={resources['cpus_per_rank']}",
        *job["srun_args"],
    ]


def _ways(job: Mapping[str, Any], ranks: int) -> Iterator[list[str]]:
    """Yield what makes steps share a node: a part each; or, where a part is refused, the whole for all."""
    resources = job["resources"]
    per_node = max(1, resources["ranks_per_node"] // ranks)
    if resources["mem_gb"]:
        gpus = resources["gpus_per_node"] if job["accelerator"] != "cpu" else 0
        own = [f"--gres=gpu:{gpus // per_node}"] if gpus else []
        yield ["--exact", f"--mem={resources['mem_gb'] * 1024 // per_node}M", *own]
    yield ["--exact", "--overlap", "--mem=0"]
    yield ["--overlap", "--mem=0"]


def ended_well(code: int | None) -> bool:
    """Whether a group has ended as it should: nothing left to take, or it was asked to stop."""
    return code in (ExitCode.OK, ExitCode.STOPPED)
