"""The journal of a run's submissions: on disk before sbatch is asked, so that none is lost and none doubled.

A submission claims its number by `submissions/<number>.json`, a file that only one can make, and its token is the
name of its Slurm job. An event tells what became of it: submitted, submission_refused, submission_unknown or
submission_lost. Until one does, the submission is open, and nothing more is sent before Slurm was asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs.submission import alive, start_ticks, token
from forgia_hpc.rundir import RunDir, make_once, read_json, sync_directory
from forgia_hpc.slurm.named import NamedJob, credential_life_s, jobs_named
from forgia_hpc.slurm.request import KILL_AFTER_S, SBATCH_TIMEOUT_S
from forgia_hpc.slurm.state import cancel

CLOCKS_DIFFER_S = 60  # between a login node, a compute node and slurmctld
EARLIER_S = 600  # the same where jobs are searched: a name is unique, so this may be generous
# outcome → its event; a later row overrules an earlier one: a job that was found is there
WORDS = {
    "unknown": "submission_unknown",
    "lost": "submission_lost",
    "refused": "submission_refused",
    "accepted": "submitted",
}
_CLAIMED = ("name", "time_ns", "holder", "after")  # of submissions/<number>.json


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One submission: its token, who claimed it and when, and what became of it."""

    number: int
    name: str
    time_ns: int
    holder: Mapping[str, Any] = field(default_factory=dict)  # host, pid, start_ticks
    after: str = ""  # the dependency that was asked for
    outcome: str = "intended"
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the outcome's event

    @property
    def open(self) -> bool:
        """Whether it is not known what became of it."""
        return self.outcome in ("intended", "unknown")

    @property
    def job_id(self) -> str:
        """The job, once it is known."""
        return str(self.facts.get("job_id", ""))

    @property
    def until_s(self) -> float:
        """When sbatch must have ended, in s since 1970."""
        return self.time_ns / 1e9 + SBATCH_TIMEOUT_S

    def of_job(self, job_id: str) -> dict[str, Any]:
        """Return the facts of the event `submitted`."""
        after = {"after": self.after} if self.after else {}
        return {"job_id": job_id, "name": self.name, "number": self.number, **after}


def entries(run: RunDir) -> list[Entry]:
    """Return every submission of a run, the newest last."""
    outcomes = {
        event.facts.get("name"): (outcome, event.facts)
        for outcome, word in WORDS.items()
        for event in run.events(word)
    }
    claims = {number: read_json(_folder(run) / f"{number}.json") for number in _numbers(run)}
    for event in run.events("submitting"):
        if "number" not in event.facts:  # of a run from before there were claims
            claims[1] = {"name": token(run, 1), "time_ns": event.time_ns}
    found = []
    for number, claimed in sorted(claims.items()):
        outcome, facts = outcomes.get(claimed["name"], ("intended", {}))
        known = {key: claimed[key] for key in _CLAIMED if key in claimed}
        found.append(Entry(number=number, **known, outcome=outcome, facts=facts))
    return found


def next_number(run: RunDir) -> int:
    """Return the number that nobody has claimed yet; ask for it before the state that is decided on."""
    return max((entry.number for entry in entries(run)), default=0) + 1


def in_doubt(run: RunDir, told: Mapping[str, Any]) -> bool:
    """Whether a submission newer than the one that is known is open. Cheap where there is none."""
    return max(_numbers(run), default=0) > told.get("number", 1) and entries(run)[-1].open


def claim(run: RunDir, number: int, after: str = "") -> Entry:
    """Write down that this submission is about to be sent; an InputError where somebody else has done so."""
    holder = {"host": os.uname().nodename, "pid": os.getpid()}
    entry = Entry(
        number=number,
        name=token(run, number),
        time_ns=time.time_ns(),
        holder={**holder, "start_ticks": start_ticks(os.getpid())},
        after=after,
    )
    path = _folder(run) / f"{number}.json"
    path.parent.mkdir(exist_ok=True)
    if not make_once(path, {key: getattr(entry, key) for key in _CLAIMED}):
        raise _taken(path)
    sync_directory(run.path)
    run.event("submitting", name=entry.name, number=number)
    return entry


def _taken(path: Path) -> InputError:
    holder = read_json(path)["holder"]
    limit = f"process {holder['pid']} on {holder['host']} has submitted it at the same moment"
    name = path.parent.parent.name
    return InputError(Problem(field="RUN", got=name, limit=limit, fix=f"forgia status {name}"))


def find(
    run: RunDir, names: Collection[str], environment: Mapping[str, str], *, accounting: bool = True
) -> list[NamedJob]:
    """Return the jobs that Slurm has of these tokens, the first submitted first.

    Raises:
        SlurmSilentError: Slurm gave no answer, so nothing may be concluded.
    """
    since = min((entry.time_ns for entry in entries(run)), default=0) / 1e9 - EARLIER_S
    owner = run.path.stat().st_uid  # of the run: a name is a proof only together with its user
    since = max(since, 0)
    return jobs_named(names, environment, uid=owner, since_s=since, accounting=accounting)


def settle(run: RunDir, environment: Mapping[str, str]) -> list[NamedJob]:
    """Find out what became of every open submission, and return all jobs of the run.

    Raises:
        SlurmSilentError: Slurm gave no answer, or a request may still be on its way.
    """
    listed = entries(run)
    jobs = find(run, [entry.name for entry in listed], environment) if listed else []
    for entry in listed:
        same = [job for job in jobs if job.name == entry.name]
        if same:
            accept(run, entry, same, environment, reconciled=True)
        elif entry.open:
            _conclude(run, entry, listed, environment)
    return jobs


def settled(run: RunDir, environment: Mapping[str, str]) -> str:
    """Settle, and say why the newest submission has no job; nothing where it has one, or there is none.

    Raises:
        SlurmSilentError: as settle.
    """
    settle(run, environment)
    newest = next(reversed(entries(run)), None)
    if newest is None or newest.outcome == "accepted":
        return ""
    if newest.outcome == "refused":
        return str(newest.facts["why"]).splitlines()[0]
    return "Slurm knows no job of this name: the submission did not arrive; forgia resume sends it"


def accept(
    run: RunDir,
    entry: Entry,
    jobs: Collection[NamedJob],
    environment: Mapping[str, str],
    **more: object,
) -> dict[str, Any]:
    """Note the job of a submission. Where one token has several, the first stays and the others are cancelled."""
    first, *others = jobs
    facts = {**entry.of_job(first.job_id), **more}
    if entry.job_id != first.job_id:
        run.event("submitted", **facts)
    doubles = [job.job_id for job in others if job.live]
    if doubles:
        cancel(doubles, environment)
        run.event("double_cancelled", name=entry.name, kept=first.job_id, job_ids=doubles)
    return facts


def _conclude(
    run: RunDir, entry: Entry, listed: Collection[Entry], environment: Mapping[str, str]
) -> None:
    """Slurm knows no job of an open submission: it has left a trace in the run, it may come yet, or it is lost."""
    others = {each.job_id for each in listed if each is not entry}
    since_ns = entry.time_ns - CLOCKS_DIFFER_S * 10**9
    for event in run.events("batch_started"):
        job = event.facts.get("job_id")
        if job and job not in others and event.time_ns > since_ns:
            run.event("submitted", **entry.of_job(job), reconciled=True)
            return
    here = entry.holder.get("host") == os.uname().nodename
    if entry.outcome == "intended" and here and alive(entry.holder):
        raise SlurmSilentError(f"process {entry.holder['pid']} is submitting {run.name} just now")
    known_s = entry.time_ns / 1e9 + arrives_s(environment)
    if time.time_ns() / 1e9 < known_s:
        when = time.strftime("%H:%M:%S", time.localtime(known_s))
        raise SlurmSilentError(
            f"a submission of {run.name} began, and Slurm knows no job of its name yet; "
            f"whether it is lost is certain at {when}"
        )
    run.event("submission_lost", name=entry.name, number=entry.number)


def arrives_s(environment: Mapping[str, str]) -> float:
    """Return after how many seconds no request of a submission can arrive any more.

    An sbatch that is dead may have sent its request, and a slurmctld that was away reads it later. Seen on 22.05:
    it then makes the job, or refuses it where the credential has expired.
    """
    return SBATCH_TIMEOUT_S + KILL_AFTER_S + credential_life_s(environment) + CLOCKS_DIFFER_S


def _folder(run: RunDir) -> Path:
    return run.path / "submissions"


def _numbers(run: RunDir) -> list[int]:
    try:
        names = os.listdir(_folder(run))  # noqa: PTH208  asked for each of a thousand runs
    except FileNotFoundError:
        return []
    return [int(name[:-5]) for name in names if name.endswith(".json") and name[0] != "."]
