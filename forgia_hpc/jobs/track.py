"""The state of a run: our own record, squeue and sacct together, never one alone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from forgia_hpc.errors import ExitCode, InputError, Problem, SealBrokenError, SlurmSilentError
from forgia_hpc.jobs.submission import alive, reconcile, sealed_record, submitted
from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import Event, RunDir
from forgia_hpc.slurm.state import GOING, WAITING, SlurmState, states

NO_ROOM = 2**20  # bytes; a file system with less takes no last word
ARRIVES_S = 300  # a request that sbatch gave up may still reach slurmctld so much later


class State(Enum):
    """Where a run stands."""

    sealed = "sealed"  # never submitted
    pending = "pending"
    running = "running"
    completed = "completed"
    failed = "failed"
    stopped = "stopped"  # everything saved; can go on
    cancelled = "cancelled"
    timeout = "timeout"
    vanished = "vanished"  # Slurm no longer knows it, and it left no last word
    unknown = "unknown"  # Slurm did not answer
    broken = "broken"  # its own record can't be read


ENDED = frozenset(State) - {State.sealed, State.pending, State.running, State.unknown}
_SLURM_ENDINGS = {
    "CANCELLED": State.cancelled,
    "TIMEOUT": State.timeout,
    "DEADLINE": State.timeout,
}


@dataclass(frozen=True, kw_only=True)
class Status:
    """One run as `forgia status` shows it."""

    run: RunDir
    kind: str
    cluster: str
    job_id: str
    state: State
    why: str = ""
    step: int | None = None
    steps: int | None = None
    nodes: str = ""

    @property
    def ended(self) -> bool:
        """No more will happen by itself."""
        return self.state in ENDED

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that tells this state."""
        if self.state is State.unknown:
            return ExitCode.SLURM_SILENT
        if self.state is State.broken:
            return ExitCode.SEAL_BROKEN
        word = last_word(self.run) if self.state is State.failed else None
        if word and word.facts["exit_code"] in (ExitCode.INPUT, ExitCode.SEAL_BROKEN):
            return ExitCode(word.facts["exit_code"])
        return {State.completed: ExitCode.OK, State.stopped: ExitCode.STOPPED}.get(
            self.state, ExitCode.JOB_FAILED
        )

    def as_json(self) -> dict[str, Any]:
        """Return the status for `--json`."""
        plain = asdict(self)
        return {
            **plain,
            "run": self.run.name,
            "path": str(self.run.path),
            "state": self.state.value,
        }


def find_run(text: str, root: Path) -> RunDir:
    """Return the run of a name, a unique prefix, a path or a Slurm job id.

    Raises:
        InputError: none, or more than one.
    """
    path = Path(text).expanduser()
    if (path / "job.json").is_file():
        return RunDir(path.resolve())
    found = [entry for entry in list_runs(root) if entry.name.startswith(text)]
    if not found and text.isdigit():
        found = [entry for entry in list_runs(root) if submitted(entry).get("job_id") == text]
    if len(found) == 1:
        return found[0]
    limit = (
        "no such run"
        if not found
        else f"{len(found)} runs begin so: {', '.join(r.name for r in found[:5])}"
    )
    raise InputError(
        Problem(field="RUN", got=text, limit=limit, where=str(root), fix="forgia status")
    )


def list_runs(root: Path) -> list[RunDir]:
    """Return every run of a root, oldest first."""
    if not root.is_dir():
        return []
    return [
        RunDir(path)
        for path in sorted(root.iterdir())
        if path.name[0] != "." and (path / "job.json").is_file()
    ]


def status_of(runs: Sequence[RunDir], *, strict: bool = False) -> list[Status]:
    """Return the status of each run, with one question to each Slurm; a broken run hides no other.

    Raises:
        InputError: `strict`, and this machine has no way to ask: waiting for an answer would never end.
    """
    facts: dict[RunDir, Facts] = {}
    found: dict[RunDir, Status] = {}
    for run in runs:
        try:
            facts[run] = (sealed_record(run), submitted(run))
        except SealBrokenError as error:
            found[run] = Status(
                run=run, kind="", cluster="", job_id="", state=State.broken, why=str(error)
            )
    answers = _ask_each(facts.values(), strict=strict)
    for run, (job, told) in facts.items():
        if not job["slurm"]:
            state = _local(run, told)
        elif told:
            state = _slurm(run, told, answers[str(job["slurm_environment"])])
        else:
            state = _lost(run, job["slurm_environment"])
        found[run] = _status(run, job, told or submitted(run), state)
    return [found[run] for run in runs]


Facts = tuple[dict[str, Any], dict[str, Any]]  # the sealed record, and the newest submission
Answer = dict[str, SlurmState] | str  # what Slurm says of its jobs, or why it said nothing


def _ask_each(facts: Collection[Facts], *, strict: bool) -> dict[str, Answer]:
    """Ask each Slurm once for all its jobs."""
    under_slurm = [(job["slurm_environment"], told) for job, told in facts if job["slurm"]]
    asked: dict[str, Answer] = {}
    for key, environment in {str(where): where for where, _ in under_slurm}.items():
        ids = [told["job_id"] for where, told in under_slurm if told and str(where) == key]
        try:
            asked[key] = states(ids, environment) if ids else {}
        except SlurmSilentError:
            asked[key] = "Slurm did not answer"
        except InputError as error:  # no squeue here: no reason to hide the other runs
            if strict:
                raise
            asked[key] = f"Slurm can't be asked: {error.problems[0].got}"
    return asked


def _lost(run: RunDir, environment: Mapping[str, str]) -> tuple[State, str, str]:
    """A run under Slurm without a job id: never submitted, refused, or interrupted on the way."""
    begun, refused = run.events("submitting"), run.events("submission_refused")
    if len(begun) <= len(refused):
        return State.sealed, str(refused[-1].facts["why"]).splitlines()[0] if refused else "", ""
    try:
        told = reconcile(run, environment)
        if told:
            return _slurm(run, told, states([told["job_id"]], environment))
    except (SlurmSilentError, InputError) as error:
        return State.unknown, f"a submission began and left no job id; {error}", ""
    if time.time_ns() - begun[-1].time_ns < ARRIVES_S * 10**9:
        return State.unknown, "a submission began; Slurm knows no job of this name yet", ""
    why = "Slurm knows no job of this name: the submission did not arrive; forgia resume sends it"
    return State.sealed, why, ""


def _status(
    run: RunDir, job: Mapping[str, Any], told: Mapping[str, Any], state: tuple[State, str, str]
) -> Status:
    try:
        last = (read_metrics(run.metrics) or [{}])[-1]
    except ValueError:
        last = {}  # the report names what is wrong; the state is told all the same
    return Status(
        run=run,
        kind=job["kind"],
        cluster=job["cluster"],
        job_id=str(told.get("job_id") or told.get("pid") or ""),
        state=state[0],
        why=state[1],
        nodes=state[2],
        step=last.get("step"),
        steps=last.get("of"),
    )


def last_word(run: RunDir) -> Event | None:
    """Return the end of the newest attempt as the batch step told it, or None while there is none."""
    started, ended = run.events("batch_started"), run.events("batch_ended")
    if not ended or (started and started[-1].facts["attempt"] != ended[-1].facts["attempt"]):
        return None
    return ended[-1]


def _own(run: RunDir) -> tuple[State, str, str] | None:
    """What our own record says of the newest attempt."""
    ended = last_word(run)
    if ended is None:
        return None
    code, why = ended.facts["exit_code"], ended.facts.get("why") or ""
    if code == ExitCode.OK and run.result.exists():
        return State.completed, "", ""
    if code == ExitCode.STOPPED:
        return State.stopped, why, ""
    if code == ExitCode.SEAL_BROKEN:
        return State.failed, f"seal broken: {why}", ""
    return State.failed, why or f"exit code {code}", ""


def _saved(run: RunDir) -> tuple[State, str, str] | None:
    """What the ranks said, where Slurm ended the batch step before its last word: KillWait can be 5 s."""
    started = run.events("batch_started")
    attempt = started[-1].facts["attempt"] if started else None
    told = {
        what: [event for event in run.events(what) if event.facts.get("attempt") == attempt]
        for what in ("rank_stopped", "rank_failed")
    }
    if not told["rank_stopped"] or told["rank_failed"]:
        return None
    return (
        State.stopped,
        f"its ranks stopped and said so; it can go on: forgia resume {run.name}",
        "",
    )


def _local(run: RunDir, told: Mapping[str, Any]) -> tuple[State, str, str]:
    """A run of plain processes on one machine."""
    if not told:
        return State.sealed, "", ""
    own = _own(run)
    living = alive(told)
    if own and not living:
        return own
    if told.get("host") != os.uname().nodename:
        return own or (State.unknown, f"it was started on {told.get('host')}; ask there", "")
    if living:
        return State.running, "", told["host"]
    why = "its batch step is gone and left no last word: killed, or the machine went down"
    if shutil.disk_usage(run.path).free < NO_ROOM:
        why = (
            f"its batch step is gone, and could leave no last word: the disk of {run.path} is full"
        )
    return State.failed, why, ""


def _slurm(run: RunDir, told: Mapping[str, Any], answer: Answer) -> tuple[State, str, str]:
    """A run under Slurm."""
    own = _own(run)
    if isinstance(answer, str):
        return State.unknown, answer, ""
    job = answer.get(told["job_id"])
    if job is None:
        return own or (
            State.vanished,
            "Slurm no longer knows this job, and it left no last word",
            "",
        )
    if job.state in WAITING:
        return State.pending, "" if job.reason == "None" else job.reason, ""
    if job.state in GOING:
        return State.running, "", job.nodes
    return _ending(job, own or _saved(run))


def _ending(job: SlurmState, own: tuple[State, str, str] | None) -> tuple[State, str, str]:
    """Slurm says it is over; our own word must agree before it counts as completed."""
    if job.state == "COMPLETED":
        if own and own[0] is State.completed:
            return State.completed, "", job.nodes
        return (
            State.failed,
            own[1] if own else "COMPLETED for Slurm, but it left no result",
            job.nodes,
        )
    if own and own[0] is not State.completed:
        return own[0], own[1], job.nodes
    state = _SLURM_ENDINGS.get(job.state, State.failed)
    return state, f"Slurm: {job.state} {job.exit_code}:{job.signal}", job.nodes
