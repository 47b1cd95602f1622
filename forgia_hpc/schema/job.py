"""The words of a job: one dataclass a KIND."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.evaluation import Evaluate
from forgia_hpc.schema.model import Model
from forgia_hpc.schema.resources import Resources
from forgia_hpc.schema.simulation import Ensemble, Solver
from forgia_hpc.schema.training import Optimizer, Parallel, Train

STOP_SIGNALS = ("SIGTERM", "SIGUSR1", "SIGUSR2", "SIGINT")
PARTING_S = (
    30  # between a program's own seconds and the end: its ranks leave, our last word, the requeue
)
_LABEL = re.compile(r"(\w[\w.+-]*)?")


class Kind(Enum):
    """What a job does. The command line calls it KIND."""

    prepare = "prepare"
    simulate = "simulate"
    train = "train"
    evaluate = "evaluate"
    command = "command"
    chain = "chain"  # jobs with edges between them; a member is one of the others


class Launch(Enum):
    """How the batch step starts the ranks."""

    srun = "srun"  # one rank a GPU (or a core share), by Slurm
    srun_mpi = "srun_mpi"  # the same, and the ranks are MPI's: srun --mpi=… as the profile says
    mpirun = "mpirun"  # MPI's ranks, by Open MPI's own launcher
    torchrun = "torchrun"  # one torch.distributed.run a node
    processes = "processes"  # plain child processes, one node, no Slurm


@dataclass(kw_only=True)
class Image:
    """A container image that the ranks, or a command job's program, run in."""

    image: str = ""  # the path of a .sif file; empty: no container
    python: str = "python3"  # the interpreter in the image that starts a rank
    binds: list[str] = field(default_factory=list)  # directories to show inside, beside our own

    def __post_init__(self) -> None:
        """Refuse what the container's own grammar would take apart."""
        problems = [
            Problem(
                field="container",
                got=path,
                limit="a path without , and : is needed",
                where="schema/job.py",
            )
            for path in (self.image, *self.binds)
            if "," in path or ":" in path
        ]
        if problems:
            raise InputError(problems)


@dataclass(kw_only=True)
class Job:
    """What every job has."""

    kind: Kind
    cluster: str = "local"
    label: str = ""
    seed: int = 0
    launch: Launch | None = None  # None: as the cluster's profile says
    resources: Resources = field(default_factory=Resources)
    container: Image = field(default_factory=Image)

    def __post_init__(self) -> None:
        """Refuse a label that scripts and tables would take apart."""
        if not _LABEL.fullmatch(self.label):
            limit = "one word of letters, digits and . _ + -, beginning with a letter or digit"
            raise InputError(
                Problem(field="label", got=self.label, limit=limit, where="schema/job.py")
            )


@dataclass(kw_only=True)
class Prepare:
    """Which contributions are made from which raw files."""

    contributions: list[str] = field(default_factory=list)
    raw: str = ""  # the directory of the raw files; empty: $FORGIA_RAW
    overwrite: bool = False


def is_below(path: str) -> bool:
    """Whether a path, as it is written, stays below the directory that it starts in."""
    return not path.startswith("/") and ".." not in path.split("/")


@dataclass(kw_only=True)
class Command:
    """The user's own program: an argument list, never a shell line."""

    argv: list[str] = field(default_factory=list)
    source: str = ""  # directory sealed with the job; the program starts in the sealed copy
    env: dict[str, str] = field(default_factory=dict)
    resumable: bool = (
        False  # it saves when it is asked to stop, and goes on from there when started again
    )
    progress: str = (
        ""  # the file or directory that it saves to, below output/; it must change in each attempt
    )
    stop_signal: str = "SIGTERM"  # what asks it to save and leave
    save_s: int = 20  # seconds that it has for that

    def __post_init__(self) -> None:
        """Refuse an argument that could not be passed on, and a program that could not be resumed."""
        problems = [
            Problem(field=f"command.{name}", got=got, limit=limit, where="schema/job.py", fix=fix)
            for name, got, limit, fix in self._faults()
        ]
        if problems:
            raise InputError(problems)

    def _faults(self) -> Iterator[tuple[str, object, str, str]]:
        if any("\0" in word for word in self.argv):
            yield "argv", self.argv, "no NUL characters", ""
        if self.resumable and not self.progress:
            limit = "a resumable program is requeued only while what it saves changes"
            yield "progress", self.progress, limit, "command.progress=checkpoints"
        if not is_below(self.progress):
            limit = "below output/ of the run: no absolute path and no .."
            yield "progress", self.progress, limit, "command.progress=checkpoints"
        if self.progress and not self.resumable:
            fix = "command.resumable=true, or leave command.progress out"
            yield "progress", self.progress, "is looked at for a resumable program only", fix
        if self.stop_signal not in STOP_SIGNALS:
            yield "stop_signal", self.stop_signal, f"one of {', '.join(STOP_SIGNALS)}", ""
        if not 1 <= self.save_s <= 3600:
            yield "save_s", self.save_s, "1 to 3600 seconds", ""


@dataclass(kw_only=True)
class PrepareJob(Job):
    """Raw files → sealed contributions."""

    kind: Kind = Kind.prepare
    prepare: Prepare = field(default_factory=Prepare)


@dataclass(kw_only=True)
class SimulateJob(Job):
    """An ensemble of simulations → a dataset of the members that were admitted."""

    kind: Kind = Kind.simulate
    solver: Solver = field(default_factory=Solver)
    ensemble: Ensemble = field(default_factory=Ensemble)


@dataclass(kw_only=True)
class TrainJob(Job):
    """Sealed contributions → a trained model, judged."""

    kind: Kind = Kind.train
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    parallel: Parallel = field(default_factory=Parallel)
    optimizer: Optimizer = field(default_factory=Optimizer)
    train: Train = field(default_factory=Train)
    evaluate: Evaluate = field(default_factory=Evaluate)


@dataclass(kw_only=True)
class EvaluateJob(Job):
    """A trained model → figures and forecasts."""

    kind: Kind = Kind.evaluate
    data: Data = field(default_factory=Data)
    evaluate: Evaluate = field(default_factory=Evaluate)


@dataclass(kw_only=True)
class CommandJob(Job):
    """The user's own program, sealed, launched and followed like the rest."""

    kind: Kind = Kind.command
    command: Command = field(default_factory=Command)


@dataclass(kw_only=True)
class Member:
    """One job of a chain. `run:NAME` in an override or argument is the run directory of that member."""

    kind: Kind
    overrides: list[str] = field(default_factory=list)
    argv: list[str] = field(default_factory=list)  # of a command job
    after: list[str] = field(default_factory=list)  # members that must have completed before


@dataclass(kw_only=True)
class Chain:
    """Which jobs, by their names."""

    members: dict[str, Member] = field(default_factory=dict)


@dataclass(kw_only=True)
class ChainJob(Job):
    """Jobs with edges between them."""

    kind: Kind = Kind.chain
    chain: Chain = field(default_factory=Chain)


JOBS: dict[Kind, type[Job]] = {
    Kind.prepare: PrepareJob,
    Kind.simulate: SimulateJob,
    Kind.train: TrainJob,
    Kind.evaluate: EvaluateJob,
    Kind.command: CommandJob,
    Kind.chain: ChainJob,
}
