"""Slurm's commands in front of the real ones: each may kill who asks it, or lie.

$FORGIA_TEST_FAULT is "<program> <how often it is asked before> <what>"; the session's leader is the submitter.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("sbatch", "squeue", "sacct", "scontrol")
KILLS = ("kill, then work", "kill, no work", "work, then kill")
REFUSAL = "sbatch: error: Batch job submission failed: {}\n"
# what sbatch does: how often it really submits, the id it tells, its words, its exit code
LIES = {
    "fails": (0, None, REFUSAL.format("Invalid account or account/partition combination"), 1),
    "times out after success": (1, None, REFUSAL.format("Socket timed out on send/recv"), 1),
    "times out": (0, None, REFUSAL.format("Socket timed out on send/recv operation"), 1),
    "is killed after success": (1, None, "", 137),
    "says nothing of its success": (1, None, "", 0),
    "says nothing": (0, None, "", 0),
    "tells a wrong id": (1, "1", "", 0),
    "invents an id": (0, "1", "", 0),
    "tells its id and fails": (1, "true", "", 1),
    "refuses after success": (1, None, REFUSAL.format("Invalid account"), 1),
    "submits twice": (2, "true", "", 0),
    "submits twice and times out": (2, None, REFUSAL.format("Socket timed out"), 1),
}


def install(folder: Path) -> None:
    """Put the programs into a folder that shall stand first on PATH."""
    folder.mkdir()
    for name in PROGRAMS:
        real = shutil.which(name)
        (folder / name).write_text(
            f"#!{sys.executable} -SI\n"
            "import sys\n"
            f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "import misled\n"
            f"sys.exit(misled.main({name!r}, {real!r}, sys.argv[1:]))\n"
        )
        (folder / name).chmod(0o755)


def main(name: str, real: str, words: list[str]) -> int:
    """Do what the fault says when its turn has come, else what is asked."""
    program, before, what = os.environ.get("FORGIA_TEST_FAULT", "- 0 -").split(" ", 2)
    if program != name or (name != "sbatch" and _asked_before() < int(before)):
        os.execv(real, [real, *words])
    if what in LIES:
        return _lie(real, words, *LIES[what])
    if not what.startswith("work"):
        os.kill(os.getsid(0), signal.SIGKILL)
    if what != "kill, no work":
        subprocess.run([real, *words], check=False)
    if what.startswith("work"):
        os.kill(os.getsid(0), signal.SIGKILL)
    return 0


def _asked_before() -> int:
    """Count this question, and return how many there were."""
    count = Path(os.environ["FORGIA_TEST_COUNT"])
    with count.open("a+") as opened:
        opened.write(".")
    return count.stat().st_size - 1


def _lie(real: str, words: list[str], times: int, said: str | None, error: str, code: int) -> int:
    for _ in range(times):
        done = subprocess.run([real, *words], capture_output=True, text=True, check=True)
    if said == "true":
        sys.stdout.write(done.stdout)
    elif said:
        sys.stdout.write(f"Submitted batch job {said}\n")
    sys.stderr.write(error)
    return code
