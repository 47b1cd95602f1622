"""What a job's owner may ask of slurmctld about one job: what it is doing, requeue it, let it start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from forgia_hpc import process
from forgia_hpc.errors import ForgiaError, SlurmSilentError
from forgia_hpc.slurm.conf import require_conf

TIMEOUT_S = 10
HOLD_S = 150  # a requeued job waits 121 s for the old credential to expire (seen on Slurm 22.05)
# slurmd takes no new credential of the second in which it revoked the old one, and slurmctld then ends the
# job for good: "Killing non-startable batch JobId=5: Job credential revoked" (8 of 30 on Slurm 22.05)
RENEWED_S = 2
_UTC = {"TZ": "UTC"}  # scontrol writes local time without its offset


class SlurmRefusedError(ForgiaError):
    """Slurm answered, and said no."""


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """One job as slurmctld holds it now. Times are seconds since 1970; None: unknown or unlimited."""

    state: str
    name: str = ""  # one with a blank is cut, and is none of ours
    reason: str = ""
    restarts: int = 0
    end_time: float | None = None
    start_time: float | None = None
    preempted: bool = False
    excluded: str = ""
    gpus: int = 0  # of all its nodes


def job_facts(job: str, environment: Mapping[str, str]) -> JobFacts:
    """Return what slurmctld holds of a job; an array's member as ARRAY_TASK.

    Raises:
        SlurmSilentError: no answer.
        SlurmRefusedError: it knows no such job.
    """
    said = _scontrol(["--oneliner", "show", "job", job], environment)
    return parse_facts(said)


def parse_facts(said: str) -> JobFacts:
    """Read the words of `scontrol --oneliner show job`."""
    words = dict(word.split("=", 1) for word in said.split() if "=" in word)
    excluded = words.get("ExcNodeList", "")
    return JobFacts(
        state=words.get("JobState", ""),
        name=words.get("JobName", ""),
        reason=words.get("Reason", ""),
        restarts=int(words.get("Restarts", "0")),
        end_time=_seconds(words.get("EndTime", "")),
        start_time=_seconds(words.get("StartTime", "")),
        preempted=_seconds(words.get("PreemptTime", "")) is not None,
        excluded="" if excluded == "(null)" else excluded,
        gpus=_gpus(words.get("AllocTRES") or words.get("TRES", "")),
    )


def _gpus(tres: str) -> int:
    counts = dict(one.split("=", 1) for one in tres.split(",") if "=" in one)
    return int(counts.get("gres/gpu", "0"))


def node_words(nodes: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return state and reason of each node of a list as Slurm writes it, `n[1-2]`.

    Raises:
        SlurmSilentError: no answer.
        SlurmRefusedError: it knows no such node.
    """
    said = _scontrol(["--oneliner", "show", "node", nodes], environment).splitlines()
    found = {}
    for line in said:
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        reason = line.partition(" Reason=")[2].partition(" [")[0]
        if "NodeName" in words:
            found[words["NodeName"]] = f"{words.get('State', '')} {reason}".strip()
    return found


def is_gone(words: str) -> bool:
    """Whether slurmctld has lost a node, by its state as Slurm writes it."""
    state = words.partition(" ")[0]
    # POWERED_DOWN and the like are no failures
    return state.endswith("*") or not {"DOWN", "FAIL", "NOT_RESPONDING"}.isdisjoint(
        state.split("+")
    )


def requeue(job: str, environment: Mapping[str, str]) -> None:
    """Put a running job back into the queue; its batch step is told to end.

    Raises:
        SlurmSilentError: no answer.
        SlurmRefusedError: it may not be requeued, or it ends already.
    """
    _scontrol(["requeue", job], environment)


def release(job: str, environment: Mapping[str, str]) -> None:
    """Let a job start that is held; one that is not held is left as it is.

    Raises:
        SlurmSilentError: no answer.
        SlurmRefusedError: an operator holds it, it is another user's, or it has ended.
    """
    _scontrol(["release", job], environment)


def exclude(job: str, nodes: str, environment: Mapping[str, str]) -> None:
    """Keep a job off some nodes from its next start on.

    Raises:
        SlurmSilentError: no answer.
        SlurmRefusedError: this Slurm does not let the owner.
    """
    _scontrol(["update", f"JobId={job}", f"ExcNodeList={nodes}"], environment)


def clear_hold(job: str, environment: Mapping[str, str], *, now: float) -> bool:
    """Let a requeued job start in two seconds; False where it waits for something else, or Slurm would not.

    The batch step can't do this itself: slurmctld sets the hold when the last process of the old start is
    gone, and an update that came before is lost (seen on 22.05).
    """
    try:
        facts = job_facts(job, environment)
        begin = facts.start_time
        held = facts.reason == "BeginTime" and facts.restarts > 0
        if not held or begin is None or begin - now > HOLD_S:
            return False
        if begin - now > RENEWED_S + 1:  # who asks every second must not put it off every second
            _scontrol(["update", f"JobId={job}", f"StartTime=now+{RENEWED_S}"], environment)
    except (SlurmSilentError, SlurmRefusedError, process.ProgramMissingError):
        return (
            False  # it starts by itself in two minutes; who asks for a status need not own the job
        )
    return True


def _scontrol(words: list[str], environment: Mapping[str, str]) -> str:
    try:
        require_conf(environment)
        answer = process.run(["scontrol", *words], timeout_s=TIMEOUT_S, env={**environment, **_UTC})
    except process.ProgramSilentError as error:
        raise SlurmSilentError(f"Slurm did not answer: {error}") from error
    said = (answer.stderr or answer.stdout).strip()
    if answer.returncode and ("Unable to contact" in said or "timed out" in said):
        raise SlurmSilentError(f"Slurm did not answer: scontrol: {said}")
    if answer.returncode:
        raise SlurmRefusedError(f"scontrol {' '.join(words)}: {said}")
    return answer.stdout


def _seconds(text: str) -> float | None:
    """Return a time as Slurm writes it, in UTC; None for Unknown, None and N/A."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
