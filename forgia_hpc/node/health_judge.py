"""From what the ranks of `forgia cluster check` saw to PASSED, WARN and ERROR. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SKEW_S = 1.0  # beyond it the order of events of two nodes can't be trusted


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the job asked for, as the profile says it."""

    slurm: bool
    accelerator: str
    nodes: int
    ranks_per_node: int
    cpus_per_rank: int
    gpus_per_node: int
    gpu_model: str = ""
    container: str = ""
    places: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one rank saw. gpus, container and places: of the first rank of a node only."""

    rank: int
    first: bool
    node: str
    cpus: list[int]  # that this rank may use
    machine_cpus: int
    gpus: list[str] | None = None  # None: nobody can tell
    container: str = ""
    places: dict[str, str] = field(default_factory=dict)  # path → why it can't be written, else ""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A node's clock against that of rank 0's node; skew_s of None: no answer."""

    node: str
    skew_s: float | None
    within_s: float


@dataclass(frozen=True)
class Finding:
    """One line of the check. weight: PASSED | WARN | ERROR | NOT APPLICABLE."""

    what: str
    weight: str
    found: str


def judge(
    asked: Asked,
    reports: Sequence[Report],
    clocks: Sequence[Clock],
    unseen: Sequence[str],
    hello: str | None,
) -> list[Finding]:
    """Return a finding for each thing that was looked at."""
    firsts = [one for one in reports if one.first]
    return [
        _nodes(asked, reports),
        _gpus(asked, firsts),
        _binding(asked, reports),
        *_places(asked, firsts, unseen),
        _mpi(hello),
        _clocks(asked, clocks),
        _container(asked, firsts),
    ]


def _nodes(asked: Asked, reports: Sequence[Report]) -> Finding:
    nodes, wanted = sorted({one.node for one in reports}), asked.nodes * asked.ranks_per_node
    good = len(nodes) == asked.nodes and len(reports) == wanted
    found = f"{len(reports)} of {wanted} ranks on {len(nodes)} of {asked.nodes} node(s): {', '.join(nodes)}"
    return Finding("nodes", "PASSED" if good else "ERROR", found)


def _gpus(asked: Asked, firsts: Sequence[Report]) -> Finding:
    if asked.accelerator == "cpu" or not asked.gpus_per_node:
        return Finding("GPUs", "NOT APPLICABLE", "ranks compute on the CPU")
    silent = [one.node for one in firsts if one.gpus is None]
    if silent:
        return Finding("GPUs", "ERROR", f"no answer of the driver's tool on {', '.join(silent)}")
    short = [
        f"{one.node} has {len(one.gpus or [])}"
        for one in firsts
        if len(one.gpus or []) != asked.gpus_per_node
    ]
    if short:
        return Finding("GPUs", "ERROR", f"{asked.gpus_per_node} asked for; {', '.join(short)}")
    models = sorted({model for one in firsts for model in one.gpus or []})
    said = f"{asked.gpus_per_node} a node: {', '.join(models)}"
    alike = not asked.gpu_model or models == [asked.gpu_model]
    return Finding(
        "GPUs",
        "PASSED" if alike else "WARN",
        said if alike else f"{said}; profile: {asked.gpu_model}",
    )


def _binding(asked: Asked, reports: Sequence[Report]) -> Finding:
    if not asked.slurm:
        return Finding("CPU binding", "NOT APPLICABLE", "plain processes are not bound")
    want = asked.cpus_per_rank
    fewest = min((len(one.cpus) for one in reports), default=0)
    most = max((len(one.cpus) for one in reports), default=0)
    said = f"{fewest} to {most} CPUs a rank" if fewest != most else f"{fewest} CPUs a rank"
    if any(one.machine_cpus < want * asked.ranks_per_node for one in reports):
        return Finding(
            "CPU binding",
            "WARN",
            f"{said}, {want} asked for: this machine has fewer than Slurm says",
        )
    if fewest < want:
        return Finding(
            "CPU binding", "ERROR", f"{said}, {want} asked for: SRUN_CPUS_PER_TASK did not arrive"
        )
    if most > want:
        return Finding("CPU binding", "WARN", f"{said}, {want} asked for: ranks are not bound")
    if any(_overlap(one, two) for one in reports for two in reports if one.rank < two.rank):
        return Finding("CPU binding", "ERROR", f"{said}, but two ranks of a node share some")
    return Finding("CPU binding", "PASSED", f"{said}, as asked, none shared")


def _overlap(one: Report, two: Report) -> bool:
    return one.node == two.node and bool(set(one.cpus) & set(two.cpus))


def _places(asked: Asked, firsts: Sequence[Report], unseen: Sequence[str]) -> Iterator[Finding]:
    for path in asked.places:
        bad = [f"{one.node}: {why}" for one in firsts if (why := one.places.get(path))]
        if bad:
            yield Finding(f"writable {path}", "ERROR", "; ".join(bad))
        elif path in unseen:
            yield Finding(
                f"writable {path}", "ERROR", "written, but the nodes do not see each other's files"
            )
        else:
            shared = (
                f"from {len(firsts)} node(s), seen by all" if len(firsts) > 1 else "from one node"
            )
            yield Finding(f"writable {path}", "PASSED", shared)


def _mpi(hello: str | None) -> Finding:
    if hello is None:
        return Finding(
            "MPI", "WARN", "not tried: no mpirun on PATH (a module may bring it: software.modules)"
        )
    return Finding(
        "MPI",
        "PASSED" if hello.startswith("hello right") else "ERROR",
        hello.removeprefix("hello right: "),
    )


def _clocks(asked: Asked, clocks: Sequence[Clock]) -> Finding:
    if asked.nodes == 1:
        return Finding("clocks", "NOT APPLICABLE", "one node")
    silent = [one.node for one in clocks if one.skew_s is None]
    if silent or len(clocks) < asked.nodes - 1:
        return Finding("clocks", "ERROR", f"no answer: {', '.join(silent) or 'a node is missing'}")
    worst = max(clocks, key=lambda one: abs(one.skew_s or 0.0) - one.within_s)
    said = f"{worst.node} is {worst.skew_s or 0.0:+.2f} s off, known to {worst.within_s:.2f} s"
    # what the slowness of the file system can explain is no fault of a clock
    sure = abs(worst.skew_s or 0.0) - worst.within_s
    doubt = max(one.within_s for one in clocks) > SKEW_S
    return Finding("clocks", "ERROR" if sure > SKEW_S else "WARN" if doubt else "PASSED", said)


def _container(asked: Asked, firsts: Sequence[Report]) -> Finding:
    if not asked.container:
        return Finding("container", "NOT APPLICABLE", "the profile names no runtime")
    missing = [one.node for one in firsts if not one.container]
    if missing:
        return Finding("container", "WARN", f"no {asked.container} on {', '.join(missing)}")
    return Finding("container", "PASSED", ", ".join(sorted({one.container for one in firsts})))
