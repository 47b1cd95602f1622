"""How the batch step starts the ranks: one argument list a launch mode, and who died first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.place import Place
from forgia_hpc.runtime.rendezvous import bind_port, own_address
from forgia_hpc.schema.job import Launch

GRACE_S = 20  # between asking the surviving ranks to end and killing them
_SRUN_ERROR = re.compile(r"error: (?P<node>[\w.-]+): tasks? (?P<rank>[\d,-]+): (?P<what>.+)")


@dataclass(frozen=True)
class Death:
    """The rank that ended badly first; the others were ended because of it."""

    rank: int
    node: str
    how: str


class Ranks(Protocol):
    """The ranks of one attempt."""

    def poll(self) -> int | None:
        """Return the exit code once all have ended, else None."""

    def terminate(self) -> None:
        """Ask all to end, and kill what stays."""

    def first_death(self) -> Death | None:
        """Return which rank died first and how, where that is known."""

    def last_words(self) -> str:
        """Return the last line that the launcher said."""


def rank_argv(run: RunDir) -> list[str]:
    """Return the command of one rank."""
    return [sys.executable, "-m", "forgia_hpc.node.entry", str(run.path)]


def start(run: RunDir, job: Mapping[str, Any], environment: Mapping[str, str]) -> Ranks:
    """Start the ranks as the sealed launch mode says."""
    launch, resources = Launch(job["launch"]), job["resources"]
    if launch is Launch.processes:
        return Processes.start(run, resources["ranks_per_node"], environment)
    argv = {
        Launch.srun: srun_argv,
        Launch.mpirun: mpirun_argv,
        Launch.torchrun: torchrun_argv,
    }[launch](run, job)
    return Step.start(run, argv, environment)


def srun_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """One rank a GPU (or a share of the cores) under srun."""
    resources, software = job["resources"], job["software"]
    return [
        "srun",
        "--kill-on-bad-exit=1",
        "--wait=30",
        "--unbuffered",
        f"--nodes={resources['nodes']}",
        # both: SLURM_NTASKS of the allocation would override the second alone
        f"--ntasks={resources['nodes'] * resources['ranks_per_node']}",
        f"--ntasks-per-node={resources['ranks_per_node']}",
        f"--cpus-per-task={resources['cpus_per_rank']}",
        f"--mpi={software['mpi'] or 'none'}",
        f"--output={run.logs}/rank-%t.log",
        "--open-mode=append",
        *job["srun_args"],
        *rank_argv(run),
    ]


def mpirun_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """MPI ranks under Open MPI's own launcher, which reads the allocation from Slurm."""
    resources = job["resources"]
    per_node, cpus = resources["ranks_per_node"], resources["cpus_per_rank"]
    return [
        "mpirun",
        *("-np", str(resources["nodes"] * per_node)),
        *(
            "--map-by",
            f"ppr:{per_node}:node:pe={cpus}",
            "--bind-to",
            "core" if job["slurm"] else "none",
        ),
        *rank_argv(run),
    ]


def torchrun_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """One torch.distributed.run a node; `torchrun` on PATH may be a module's other interpreter."""
    resources = job["resources"]
    # the launcher's own meeting point; the ranks themselves meet as always, through the run directory
    address = own_address(Place(size=resources["nodes"] * resources["ranks_per_node"]))
    with bind_port(address, run.name) as bound:
        meeting = f"{address}:{bound.getsockname()[1]}"
    here = [sys.executable, "-m", "forgia_hpc.node.torchrun", str(run.path), meeting]
    if not job["slurm"]:
        return here
    one_a_node = {**job, "resources": {**resources, "ranks_per_node": 1}}
    return [*srun_argv(run, one_a_node)[: -len(rank_argv(run))], *here]


@dataclass
class Step:
    """Ranks started by one launcher process: srun, mpirun, torch.distributed.run."""

    process: subprocess.Popen[bytes]
    log: Path
    begin: int  # earlier attempts wrote into the same file

    @classmethod
    def start(cls, run: RunDir, argv: list[str], environment: Mapping[str, str]) -> Step:
        """Start `argv`; what the launcher itself says goes to logs/launcher.log."""
        path = run.logs / "launcher.log"
        with path.open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=dict(environment)
            )
        return cls(process, path, begin)

    def poll(self) -> int | None:
        """Return the launcher's exit code once it has ended."""
        return self.process.poll()

    def terminate(self) -> None:
        """Ask the launcher to end its ranks; kill it if it does not."""
        _end([self.process])

    def first_death(self) -> Death | None:
        """Return the rank of srun's first complaint; mpirun and torchrun name theirs in other words."""
        for line in self._lines():
            if found := _SRUN_ERROR.search(line):
                return Death(int(re.split("[,-]", found["rank"])[0]), found["node"], found["what"])
        return None

    def last_words(self) -> str:
        """Return the last line of this attempt that holds words; mpirun frames its own with dashes."""
        said = (line.strip() for line in reversed(self._lines()))
        return next((line for line in said if any(map(str.isalpha, line))), "")

    def _lines(self) -> list[str]:
        with self.log.open("rb") as opened:
            opened.seek(self.begin)
            return opened.read().decode(errors="replace").splitlines()


@dataclass
class Processes:
    """Ranks as plain child processes on this node."""

    ranks: list[subprocess.Popen[bytes]]
    _death: Death | None = field(default=None, init=False)
    _code: int = field(default=0, init=False)  # of the first rank that ended badly

    @classmethod
    def start(cls, run: RunDir, count: int, environment: Mapping[str, str]) -> Processes:
        """Start `count` ranks, each with its own log."""
        ranks = []
        for rank in range(count):
            own = {
                "RANK": str(rank),
                "WORLD_SIZE": str(count),
                "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": str(count),
                "FORGIA_FOLLOW_PARENT": str(os.getpid()),
            }
            with (run.logs / f"rank-{rank}.log").open("ab") as log:
                ranks.append(
                    subprocess.Popen(
                        rank_argv(run),
                        stdout=log,
                        stderr=log,
                        stdin=subprocess.DEVNULL,
                        env={**environment, **own},
                    )
                )
        return cls(ranks)

    def poll(self) -> int | None:
        """End all once one has failed; return the first failure's code, else 0, when all have ended."""
        codes = [process.poll() for process in self.ranks]
        bad = [(rank, code) for rank, code in enumerate(codes) if code not in (None, 0)]
        if bad and self._death is None:
            rank, code = min(bad, key=lambda one: one[1] or 0)  # killed (below 0) before collateral
            self._code = code or 0
            self._death = Death(rank, os.uname().nodename, spoken(code or 0))
            if code != 6:
                self.terminate()
                codes = [process.poll() for process in self.ranks]
        if any(code is None for code in codes):
            return None
        return _plain(self._code)

    def terminate(self) -> None:
        """Ask all to end; kill what stays."""
        _end(self.ranks)

    def first_death(self) -> Death | None:
        """Return the first rank that ended badly."""
        return self._death

    def last_words(self) -> str:
        """Return nothing: there is no launcher between the ranks and us."""
        return ""


def spoken(code: int) -> str:
    """Return an exit code as Slurm would say it."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"


def _plain(code: int) -> int:
    return 128 - code if code < 0 else code


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    living = [process for process in processes if process.poll() is None]
    for process in living:
        process.terminate()
    deadline = time.monotonic() + GRACE_S
    while any(process.poll() is None for process in living) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in living:
        if process.poll() is None:
            process.kill()
            process.wait()
