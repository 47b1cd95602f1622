"""How the batch step starts the ranks and watches them, and which of them died first."""

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

from forgia_hpc.node.followed import followed_argv
from forgia_hpc.node.modes import ARGV, rank_argv, rank_variables
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.container import sealed_container
from forgia_hpc.schema.job import Launch

GRACE_S = 20  # between asking the surviving ranks to end and killing them
_SRUN_ERROR = re.compile(r"error: (?P<node>[\w.-]+): tasks? (?P<rank>[\d,-]+): (?P<what>.+)")
_MPIRUN_KILLED = re.compile(
    r"process rank (?P<rank>\d+) with PID \d+ on node (?P<node>\S+) (?P<what>exited on .+?)\.$",
    re.M,
)
_MPIRUN_CODE = re.compile(
    r"Process name: \[\[\d+,\d+\],(?P<rank>\d+)\]\s+Exit code: +(?P<code>\d+)"
)
_TORCHRUN = re.compile(
    r"Root Cause \(first observed failure\):.+?rank +: (?P<rank>\d+).+?exitcode +: (?P<code>-?\d+)",
    re.S,
)


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


def start(run: RunDir, job: Mapping[str, Any], environment: Mapping[str, str]) -> Ranks:
    """Start the ranks as the sealed launch mode says.

    Raises:
        SealBrokenError: the container's image is not the sealed one.
    """
    launch, container = Launch(job["launch"]), sealed_container(job)
    own = {**environment, **rank_variables(launch, job)}
    if container:
        container.check()
        own = container.passed(own)
    if launch is Launch.processes:
        return Processes.start(run, rank_argv(run, job), job["resources"]["ranks_per_node"], own)
    return Step.start(run, ARGV[launch](run, job), own, launch)


@dataclass
class Step:
    """Ranks started by one launcher process: srun, mpirun, torch.distributed.run."""

    process: subprocess.Popen[bytes]
    log: Path
    begin: int  # earlier attempts wrote into the same file
    launch: Launch

    @classmethod
    def start(
        cls, run: RunDir, argv: list[str], environment: Mapping[str, str], launch: Launch
    ) -> Step:
        """Start `argv`; what the launcher itself says goes to logs/launcher.log."""
        path = run.logs / "launcher.log"
        with path.open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                _followed(argv),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=dict(environment),
            )
        return cls(process, path, begin, launch)

    def poll(self) -> int | None:
        """Return the launcher's exit code once it has ended."""
        return self.process.poll()

    def terminate(self) -> None:
        """Ask the launcher to end its ranks; kill it if it does not."""
        _end([self.process])

    def first_death(self) -> Death | None:
        """Return the rank that the launcher complains of first, each in its own words."""
        text = "\n".join(self.lines())
        if self.launch is Launch.torchrun:
            return _by_torchrun(text)
        return _by_mpirun(text) if self.launch is Launch.mpirun else _by_srun(text)

    def last_words(self) -> str:
        """Return the last line of this attempt that holds words; mpirun frames its own with dashes."""
        said = (line.strip() for line in reversed(self.lines()))
        return next((line for line in said if any(map(str.isalpha, line))), "")

    def lines(self) -> list[str]:
        """Return what was said in this attempt."""
        with self.log.open("rb") as opened:
            opened.seek(self.begin)
            return opened.read().decode(errors="replace").splitlines()


def _followed(argv: list[str]) -> list[str]:
    """Return a launcher's words so that it ends with us; of an srun Slurm takes care at the job's end."""
    return argv if argv[0] == "srun" else followed_argv(argv)


def _by_srun(text: str) -> Death | None:
    found = _SRUN_ERROR.search(text)
    if found is None:
        return None
    return Death(int(re.split("[,-]", found["rank"])[0]), found["node"], found["what"])


def _by_mpirun(text: str) -> Death | None:
    if found := _MPIRUN_KILLED.search(text):
        return Death(int(found["rank"]), found["node"], found["what"])
    found = _MPIRUN_CODE.search(text)  # without its node
    return found and Death(int(found["rank"]), "a node", spoken(int(found["code"])))


def _by_torchrun(text: str) -> Death | None:
    """Torchrun names the rank, and srun the node: torchrun's own name of it may be localhost."""
    found, node = _TORCHRUN.search(text), _SRUN_ERROR.search(text)
    where = node["node"] if node else os.uname().nodename
    return found and Death(int(found["rank"]), where, spoken(int(found["code"])))


@dataclass
class Processes:
    """Ranks as plain child processes on this node."""

    ranks: list[subprocess.Popen[bytes]]
    _death: Death | None = field(default=None, init=False)
    _code: int = field(default=0, init=False)  # of the first rank that ended badly

    @classmethod
    def start(
        cls, run: RunDir, argv: list[str], count: int, environment: Mapping[str, str]
    ) -> Processes:
        """Start `count` ranks, each with its own log."""
        # a container's runtime stands between a rank and us, and would be taken for a dead parent
        follow = {"FORGIA_FOLLOW_PARENT": str(os.getpid())} if argv[0] == sys.executable else {}
        ranks = []
        for rank in range(count):
            own = {
                "RANK": str(rank),
                "WORLD_SIZE": str(count),
                "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": str(count),
                **follow,
            }
            with (run.logs / f"rank-{rank}.log").open("ab") as log:
                ranks.append(
                    subprocess.Popen(
                        argv,
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
