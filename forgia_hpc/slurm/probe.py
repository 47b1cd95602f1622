"""A bench for questions to a real Slurm: tiny jobs of a plain user, each removed again, and what was seen."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forgia_hpc import process
from forgia_hpc.errors import ForgiaError, InputError, Problem, SlurmSilentError
from forgia_hpc.slurm.offer import Partition
from forgia_hpc.slurm.profile import Cluster, Fact

TIMEOUT_S = 30
POLL_S = 0.5
ENDED = frozenset(
    {
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "TIMEOUT",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "DEADLINE",
        "BOOT_FAIL",
    }
)

Row = Generator[None, None, list[Fact]]  # first step: submit. Second step: look
_FULL = re.compile(
    "submit limit|MaxSubmit|SubmitJob", re.IGNORECASE
)  # says nothing about the question


class RefusedError(ForgiaError):
    """Slurm said no, in its own words: that is an answer, too."""


class NotSeenError(ForgiaError):
    """What was waited for did not come in time, so the question stays open."""


@dataclass
class Bench:
    """Submits tiny jobs and looks at them; `clear` removes what is left."""

    environment: Mapping[str, str]
    folder: Path
    options: tuple[str, ...]  # of every job: account, partition …
    today: str
    patience_s: float = 600
    asked_mem: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(3))
    jobs: list[str] = field(default_factory=list)

    def submit(self, name: str, script: str, *options: str, memory: bool = True) -> str:
        """Submit a job and return its id.

        Raises:
            RefusedError: sbatch refused it.
        """
        path = self.folder / f"{name}.sh"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        argv = [
            *("sbatch", "--parsable", f"--job-name=forgia-probe-{self.token}-{name}"),
            *("--nodes=1", "--ntasks=1", f"--output={self.folder}/{name}.out"),
            *(self.asked_mem if memory else ()),
            *self.options,
            *(() if any(one.startswith("--time") for one in options) else ("--time=00:02:00",)),
            *(() if any(one.startswith("--cpus") for one in options) else ("--cpus-per-task=1",)),
            *options,
            str(path),
        ]
        job = self.ask(*argv).strip().partition(";")[0]
        if job.isdecimal():
            self.jobs.append(job)
        return job

    def try_plain(self) -> None:
        """Submit a plain held job: were it refused, every refusal below would be for the wrong reason.

        Raises:
            InputError: it was, in Slurm's own words.
        """
        try:
            self.submit("plain", "sleep 1", "--hold")
        except RefusedError as error:
            limit, fix = f"a plain job is refused: {error}", "--account, --partition or --qos"
            where = "Slurm's own words"
            problem = Problem(
                field="sbatch", got=" ".join(self.options), limit=limit, where=where, fix=fix
            )
            raise InputError(problem) from error

    def ask(self, *argv: str) -> str:
        """Run a Slurm command and return what it said.

        Raises:
            RefusedError: it said no.
            SlurmSilentError: it gave no answer.
        """
        try:
            answer = process.run(argv, timeout_s=TIMEOUT_S, env=self.environment)
        except process.ProgramSilentError as error:
            raise SlurmSilentError(f"Slurm did not answer: {error}") from error
        except process.ProgramMissingError as error:
            limit = "Slurm's commands are needed"
            raise InputError(
                Problem(field="cluster", got=f"no {argv[0]} here", limit=limit)
            ) from error
        words = " ".join(answer.stderr.split())
        if answer.returncode and "Unable to contact" in words:
            raise SlurmSilentError(f"Slurm did not answer: {words}")
        if answer.returncode and _FULL.search(words):
            raise NotSeenError(f"too many jobs at once: {words}")
        if answer.returncode:
            raise RefusedError(words or f"{argv[0]} ended with {answer.returncode}")
        return answer.stdout or (words if "--test-only" in argv else "")

    def said(self, name: str) -> str:
        """Return what a job of ours has written."""
        path = self.folder / f"{name}.out"
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""

    def shown(self, job: str) -> dict[str, str]:
        """Return `scontrol show job` as a mapping."""
        told = self.ask("scontrol", "--oneliner", "show", "job", job)
        return dict(word.split("=", 1) for word in told.split() if "=" in word)

    def until(self, job: str, true: Callable[[dict[str, str]], bool], what: str) -> dict[str, str]:
        """Look at a job until something is true of it.

        Raises:
            NotSeenError: it did not become true within our patience.
        """
        deadline = time.monotonic() + self.patience_s
        while not true(facts := self.shown(job)):
            if time.monotonic() > deadline:
                state = f"{facts['JobState']} ({facts.get('Reason', '')})"
                raise NotSeenError(f"{what}: not within {self.patience_s:.0f} s; it is {state}")
            time.sleep(POLL_S)
        return facts

    def ended(self, job: str) -> dict[str, str]:
        """Wait until a job has ended."""
        return self.until(job, lambda facts: facts["JobState"] in ENDED, f"end of job {job}")

    def running(self, job: str) -> dict[str, str]:
        """Wait until a job runs."""
        return self.until(job, lambda facts: facts["JobState"] == "RUNNING", f"start of job {job}")

    def fact(self, name: str, question: str, holds: bool | None, observed: str) -> Fact:
        """Return what was established."""
        word = {True: "yes", False: "no", None: "unclear"}[holds]
        return Fact(name=name, question=question, holds=word, observed=observed, as_of=self.today)

    def clear(self) -> None:
        """Take away every job of ours that is still there."""
        if self.jobs:
            with contextlib.suppress(
                RefusedError
            ):  # ended jobs are no longer known: nothing is left of them
                self.ask("scancel", "--quiet", *self.jobs)


def cheapest(cluster: Cluster) -> Partition | None:
    """Return where tiny jobs cost least: a free partition, one without GPUs, else the default."""
    usual = cluster.partition(cluster.default_partition or "")
    known = [one for one in cluster.partitions if not one.gone and one.max_nodes != 0]
    return next(
        (one for one in known if one.free), next((one for one in known if not one.gpus), usual)
    )


def request(
    cluster: Cluster, account: str | None, partition: Partition | None, qos: str | None
) -> tuple[str, ...]:
    """Return the options of every job of the probe."""
    found = {
        "account": account,
        "partition": partition.name if partition else None,
        "qos": qos,
        "constraint": cluster.scheduler.constraint,
    }
    return tuple(f"--{key}={value}" for key, value in found.items() if value)


def observe(bench: Bench, rows: Mapping[str, Callable[[Bench], Row]]) -> Iterator[Fact]:
    """Submit the jobs of all rows, then look at each; a row that fails stays an open question.

    Raises:
        SlurmSilentError: Slurm stopped answering, so nothing more may be concluded.
    """
    begun: dict[str, Row] = {}
    for name, row in rows.items():
        begun[name] = row(bench)
        try:
            next(begun[name])
        except (RefusedError, NotSeenError) as error:
            del begun[name]
            yield bench.fact(name, _question(row), None, str(error))
        except StopIteration as told:
            del begun[name]
            yield from told.value
    for name, going in begun.items():
        try:
            next(going)
        except (RefusedError, NotSeenError) as error:
            yield bench.fact(name, _question(rows[name]), None, str(error))
        except StopIteration as told:
            yield from told.value


def _question(row: Callable[[Bench], Row]) -> str:
    return (row.__doc__ or "").strip().rstrip(".")
