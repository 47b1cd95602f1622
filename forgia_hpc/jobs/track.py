"""The state of a run: our own record, squeue and sacct together, never one alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from forgia_hpc.errors import ExitCode, InputError, Problem, SlurmSilentError
from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import Event, RunDir, read_json
from forgia_hpc.slurm.state import GOING, WAITING, SlurmState, states


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


ENDED = frozenset(
    {State.completed, State.failed, State.stopped, State.cancelled, State.timeout, State.vanished}
)
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
        if self.state is State.failed and "seal" in self.why.split(":")[0]:
            return ExitCode.SEAL_BROKEN
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


def submitted(run: RunDir) -> dict[str, Any]:
    """Return the facts of the newest submission, or nothing."""
    events = run.events("submitted")
    return events[-1].facts if events else {}


def status_of(runs: Sequence[RunDir]) -> list[Status]:
    """Return the status of each run, with one question to each Slurm."""
    facts = {run: (read_json(run.job), submitted(run)) for run in runs}
    asked: dict[str, dict[str, SlurmState] | None] = {}
    found = []
    for run, (job, told) in facts.items():
        if not job["slurm"]:
            found.append(_status(run, job, told, _local(run, told)))
            continue
        key = str(job["slurm_environment"])
        if key not in asked and told:
            same = [
                t["job_id"]
                for j, t in facts.values()
                if t and j["slurm"] and str(j["slurm_environment"]) == key
            ]
            asked[key] = _ask(same, job["slurm_environment"])
        found.append(_status(run, job, told, _slurm(run, told, asked.get(key, {}))))
    return found


def _ask(job_ids: list[str], environment: Mapping[str, str]) -> dict[str, SlurmState] | None:
    try:
        return states(job_ids, environment)
    except SlurmSilentError:
        return None


def _status(
    run: RunDir, job: Mapping[str, Any], told: Mapping[str, Any], state: tuple[State, str, str]
) -> Status:
    rows = read_metrics(run.metrics)
    last = rows[-1] if rows else {}
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


def _local(run: RunDir, told: Mapping[str, Any]) -> tuple[State, str, str]:
    """A run of plain processes on one machine."""
    if not told:
        return State.sealed, "", ""
    own = _own(run)
    alive = _alive(told)
    if own and not alive:
        return own
    if told.get("host") != os.uname().nodename:
        return own or (State.unknown, f"it was started on {told.get('host')}; ask there", "")
    if alive:
        return State.running, "", told["host"]
    return (
        State.failed,
        "its batch step is gone and left no last word: killed, or the machine went down",
        "",
    )


def _alive(told: Mapping[str, Any]) -> bool:
    """The process of the submission still lives, and is not another one with its number."""
    try:
        stat = Path(f"/proc/{told['pid']}/stat").read_text()
    except (OSError, KeyError):
        return False
    after_name = stat.rpartition(")")[2].split()
    return after_name[0] != "Z" and after_name[19] == told.get("start_ticks")


def start_ticks(pid: int) -> str:
    """Return when a process started, in clock ticks since boot: with the pid, its identity."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _slurm(
    run: RunDir, told: Mapping[str, Any], answer: Mapping[str, SlurmState] | None
) -> tuple[State, str, str]:
    """A run under Slurm."""
    if not told:
        lost = run.events("submitting")
        return (
            (State.unknown, "a submission began and left no job id: forgia status --reconcile", "")
            if lost
            else (State.sealed, "", "")
        )
    own = _own(run)
    if answer is None:
        return State.unknown, "Slurm did not answer", ""
    job = answer.get(told["job_id"])
    if job is None:
        return own or (
            State.vanished,
            "Slurm no longer knows this job, and it left no last word",
            "",
        )
    if job.state in WAITING:
        return State.pending, job.reason, ""
    if job.state in GOING:
        return State.running, "", job.nodes
    return _ending(job, own)


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
