"""A submission that is killed at every step, or whose sbatch fails or lies: one job, none lost, none doubled.

What is submitted is a sealed run again and again (`forgia resume`), while its partition is down: the job waits and
is cancelled after it was counted. tests/endurance/submit_kills.py does whole `forgia submit`s whose jobs run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from endurance.bed import Bed, of_session
from fakes import misled

from forgia_hpc.cli import follow, main, output, words  # noqa: F401  a forked child need not import them
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.standing import Status
from forgia_hpc.jobs.submission import is_ours
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir

PARTITION = "boost_usr_prod"
EACH_RUN = 25  # submissions of one run, then a new one: events are read again and again
LIMIT_S = 180
# program, which of its calls, and from the submitter's end how a kill meets it
STEPS = [
    *(("sbatch", 0, how) for how in misled.KILLS),
    *((name, 0, how) for name in ("squeue", "sacct") for how in misled.KILLS[1:]),
    *(("squeue", 1, how) for how in misled.KILLS[1:]),
    *(("squeue", 2, how) for how in misled.KILLS[1:]),
]


class ResumeKills:
    """Trials against one Slurm: SIGKILL at a random moment, or exactly at a step."""

    def __init__(self, scratch: Path, bed: Path | None = None) -> None:
        """Take a directory for the runs, and a Slurm or none."""
        self._bed = Bed(scratch, bed)
        self._scratch = scratch
        self._before = dict(os.environ)
        self._span_s = 1.0
        self._used = EACH_RUN
        self._newest: RunDir | None = None

    def __enter__(self) -> ResumeKills:
        """Raise the Slurm, close its door, and see how long a submission takes."""
        self._bed.up()
        try:
            self._prepare()
        except BaseException:
            self._bed.down()
            raise
        return self

    def _prepare(self) -> None:
        misled.install(self._scratch / "misled")
        os.environ.clear()
        os.environ.update(self._bed.environment)
        self._bed.ask("scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN")
        run = self._run()
        began = time.monotonic()
        self._await(self._resume(run))
        self._span_s = time.monotonic() - began
        self._cancel(run)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Open the door, and take our own Slurm down."""
        self._bed.ask("scontrol", "update", f"PartitionName={PARTITION}", "State=UP")
        self._bed.down()
        os.environ.clear()
        os.environ.update(self._before)

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Submit and kill; then go on as a user would, and count."""
        run = self._run()
        began = journal.next_number(run)
        if chance.random() < 0.6:
            how = self._kill_at_random(run, chance)
        else:
            program, before, what = chance.choice(STEPS)
            how = f"{program} {before + 1}: {what}"
            self._await(self._resume(run, f"{program} {before} {what}"))
        return self._judged(run, began, how)

    def _kill_at_random(self, run: RunDir, chance: random.Random) -> str:
        """Kill after a while, counted from the start or from the claim, which begins the part that matters."""
        everyone, from_claim = chance.random() < 0.5, chance.random() < 0.7
        claim = run.path / "submissions" / f"{journal.next_number(run)}.json"
        child = self._resume(run)
        deadline = time.monotonic() + LIMIT_S
        while from_claim and not claim.exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, self._span_s * (0.6 if from_claim else 1.1)))
        for process in of_session(child) if everyone else [child]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._await(child)
        return "a random moment, " + ("with its children" if everyone else "alone")

    def _judged(self, run: RunDir, began: int, how: str) -> dict[str, Any]:
        """Return the line of a trial: what happened, and what is wrong with what is left."""
        entry = journal.entries(run)[-1]
        stage = "before the claim" if entry.number < began else f"outcome {entry.outcome}"
        live, faults = self._live(run), []
        found = self._status(run)
        if live and (found.state.value, [found.job_id]) != ("pending", live):
            faults.append(f"jobs {live}, and status says {found.state.value} {found.job_id}")
        if not live and found.state.value not in ("unknown", "cancelled", "sealed"):
            faults.append(f"no job, and status says {found.state.value} {found.job_id}")
        faults += self._gone_on(run, live)
        self._cancel(run)
        self._used += 1
        return {"what": f"{how}; {stage}, {len(live)} job(s)", "run": run.name, "faults": faults}

    def _gone_on(self, run: RunDir, live: list[str]) -> list[str]:
        """Resume as a user would until a job waits; return what is wrong with that."""
        codes = [self._await(self._resume(run))]
        if codes == [
            4
        ]:  # it may still arrive: instead of seven minutes we wait till no sbatch lives
            _set_back(run)
            codes.append(self._await(self._resume(run)))
        now = self._live(run)
        wanted = ([2],) if live else ([0], [4, 0])
        faults = [] if codes in wanted else [f"jobs {live}, and resume ended with {codes}"]
        if len(now) != 1 or (live and now != live):
            faults.append(f"jobs {live}, after another resume {now}")
        found = self._status(run)
        if [found.job_id] != now:
            faults.append(f"jobs {now}, and status says {found.state.value} {found.job_id}")
        return faults

    def _run(self) -> RunDir:
        """Return the sealed run that is in use; every now and then a new one."""
        if self._newest is None or self._used >= EACH_RUN:
            argv = [sys.executable, "-P", "-m", "forgia_hpc.cli.main", "submit", "command"]
            argv += ["cluster=dev", "--json", "--", "true"]
            done = subprocess.run(argv, capture_output=True, check=True, stdin=subprocess.DEVNULL)
            self._newest = RunDir(Path(json.loads(done.stdout)["path"]))
            self._cancel(self._newest)
            self._used = 0
        return self._newest

    def _resume(self, run: RunDir, fault: str = "") -> int:
        """Start `forgia resume` in a child that need not import anything first; return its pid."""
        count = self._scratch / "count"
        count.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            os.setsid()
            for number in (0, 1, 2):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            path = f"{self._scratch / 'misled'}{os.pathsep}{os.environ['PATH']}"
            os.environ |= {"FORGIA_TEST_FAULT": fault, "FORGIA_TEST_COUNT": str(count)}
            os.environ |= {"PATH": path} if fault else {}
            sys.argv = ["forgia", "resume", run.name]
            try:
                main.main()
            except SystemExit as ended:
                os._exit(int(ended.code or 0))
            finally:
                os._exit(1)
        return child

    def _await(self, child: int) -> int:
        """Wait for a child and all that it left; return its exit code, -9 where it was killed."""
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        deadline = time.monotonic() + LIMIT_S
        while of_session(child) and time.monotonic() < deadline:
            time.sleep(0.02)
        return code

    def _status(self, run: RunDir) -> Status:
        return status_of([run])[0]

    def _live(self, run: RunDir) -> list[str]:
        """Return the jobs of a run that wait."""
        return [
            job
            for job, name, state in self._bed.queue("%i|%j|%T")
            if is_ours(name, run) and state != "CANCELLED"
        ]

    def _cancel(self, run: RunDir) -> None:
        """Make room for the next submission."""
        if live := self._live(run):
            self._bed.ask("scancel", *live)
        deadline = time.monotonic() + LIMIT_S
        while self._live(run) and time.monotonic() < deadline:
            time.sleep(0.05)


class SubmitLies(ResumeKills):
    """Trials of an sbatch that times out after success, fails, or lies."""

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Submit through it; then go on as a user would, and count."""
        run = self._run()
        began, lie = journal.next_number(run), chance.choice([*misled.LIES])
        self._await(self._resume(run, f"sbatch 0 {lie}"))
        return self._judged(run, began, f"sbatch {lie}")


def _set_back(run: RunDir) -> None:
    """Let the newest claim be older than any request lives; its sbatch is dead, and slurmctld is idle."""
    path = run.path / "submissions" / f"{journal.entries(run)[-1].number}.json"
    claimed = json.loads(path.read_text())
    path.write_text(json.dumps({**claimed, "time_ns": claimed["time_ns"] - 1000 * 10**9}))
