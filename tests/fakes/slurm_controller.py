"""The list of jobs behind FakeSlurm.keeps_jobs: what sbatch, squeue, sacct, scontrol and scancel do."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REFUSAL = "sbatch: error: Batch job submission failed: {}\n"
# Slurm's own words
LIMIT = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
TIME_OUT = REFUSAL.format("Socket timed out on send/recv operation")
# how an sbatch treats the truth: jobs that it queues, which of them it names, what else it says, its exit code
LIES = {
    "honest": (1, "last", "", 0),
    "refuses": (0, "", REFUSAL.format(LIMIT), 1),
    "times out": (0, "", TIME_OUT, 1),
    "times out after success": (1, "", TIME_OUT, 1),
    "says nothing": (0, "", "", 0),
    "says nothing of its success": (1, "", "", 0),
    "tells a wrong id": (1, "wrong", "", 0),
    "invents an id": (0, "wrong", "", 0),
    "tells an id and fails": (1, "last", "sbatch: error: lost the line\n", 1),
    "refuses after success": (1, "", REFUSAL.format("Invalid account"), 1),
    "is killed after success": (1, "", "", 137),
    "hangs after success": (1, "", "", 0),
    "doubles": (2, "last", "", 0),
    "doubles and times out": (2, "", TIME_OUT, 1),
}


def main(program: str, lie: str, folder: str, words: Sequence[str]) -> int:
    return PROGRAMS[program](Path(folder) / "jobs", words, lie)


def sbatch(jobs: Path, words: Sequence[str], lie: str) -> int:
    count, named, error, code = LIES[lie]
    made = [_add(jobs, words) for _ in range(count)]
    if lie.startswith("hangs"):
        time.sleep(60)
    if named:
        sys.stdout.write(f"Submitted batch job {made[-1] if named == 'last' else 999}\n")
    sys.stderr.write(error)
    return code


def _add(jobs: Path, words: Sequence[str]) -> int:
    number = 100 + len([*jobs.iterdir()])
    when = time.strftime("%Y-%m-%dT%H:%M:%S")
    content = json.dumps({"name": _option(words, "job-name"), "state": "PENDING", "submit": when})
    while True:
        try:
            with (jobs / f"{number}.json").open("x") as written:
                written.write(content)
        except FileExistsError:
            number += 1
        else:
            return number


def squeue(jobs: Path, words: Sequence[str], _lie: str) -> int:
    wanted, names = _option(words, "jobs"), _option(words, "name")
    for path in sorted(jobs.iterdir()):
        job = json.loads(path.read_text())
        if (wanted and path.stem not in wanted.split(",")) or (
            names and job["name"] not in names.split(",")
        ):
            continue
        reason = job.get("reason", "None")
        letters = {"i": path.stem, "F": path.stem, "T": job["state"], "r": reason, "N": ""}
        letters |= {"V": job["submit"], "S": "N/A", "j": job["name"]}
        line = _option(words, "format").replace("%", "\0")
        for letter, value in letters.items():
            line = line.replace(f"\0{letter}", value)
        sys.stdout.write(line + "\n")
    return 0


def sacct(_jobs: Path, _words: Sequence[str], _lie: str) -> int:
    sys.stderr.write("Slurm accounting storage is disabled\n")
    return 1


def scontrol(jobs: Path, words: Sequence[str], _lie: str) -> int:
    if "config" in words:
        sys.stdout.write("AccountingStorageType = accounting_storage/none\nAuthInfo = ttl=120\n")
        return 0
    path = jobs / f"{words[-1]}.json"
    if path.exists() and "show" in words and "reason" in (job := json.loads(path.read_text())):
        reason = job["reason"].replace(" ", "_")
        sys.stdout.write(f"JobName={job['name']} JobState={job['state']} Reason={reason}\n")
        return 0
    if path.exists() and words[0] == "release":
        path.write_text(json.dumps({**json.loads(path.read_text()), "reason": "Priority"}))
        return 0
    sys.stderr.write("slurm_load_jobs error: Invalid job id specified\n")
    return 1


def scancel(jobs: Path, words: Sequence[str], _lie: str) -> int:
    for number in words:
        job = json.loads((jobs / f"{number}.json").read_text())
        (jobs / f"{number}.json").write_text(json.dumps({**job, "state": "CANCELLED"}))
    return 0


def _option(words: Sequence[str], name: str) -> str:
    return next((word.split("=", 1)[1] for word in words if word.startswith(f"--{name}=")), "")


PROGRAMS = {
    "sbatch": sbatch,
    "squeue": squeue,
    "sacct": sacct,
    "scontrol": scontrol,
    "scancel": scancel,
}
