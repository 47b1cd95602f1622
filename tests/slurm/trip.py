"""`forgia` against one dev Slurm, as its user sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from forgia_hpc.rundir import RunDir

PARTITION = "boost_usr_prod"
SLEEP = (sys.executable, "-uc", "import time; print('started'); time.sleep(300)")


class Trip:
    """`forgia` against one dev Slurm, with roots of its own."""

    def __init__(self, slurm, directory: Path, python: str = sys.executable) -> None:
        self.slurm = slurm
        self.python = python
        self.runs = directory / "runs"
        self.environment = {**slurm.env, "FORGIA_RUNS": str(self.runs)}

    def __call__(
        self, *words: str, code: int | None = 0, cwd: Path | None = None, **environment: str
    ):
        done = subprocess.run(
            [self.python, "-P", "-m", "forgia_hpc.cli.main", *words],
            capture_output=True,
            text=True,
            timeout=400,
            env={**self.environment, **environment},
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=cwd or self.runs.parent,
        )
        assert code is None or done.returncode == code, (
            f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def submit(self, *words: str, **options) -> tuple[RunDir, str]:
        said = json.loads(self("submit", *_with_cluster(words), **options).stdout)
        return RunDir(Path(said["path"])), said["job_id"]

    def shown(self, job_id: str) -> dict[str, str]:
        out = self.slurm.run(["scontrol", "--oneliner", "show", "job", job_id]).stdout
        return dict(part.split("=", 1) for part in out.split() if "=" in part)

    def until(self, job_id: str, *states: str, seconds: float = 120) -> dict[str, str]:
        deadline = time.monotonic() + seconds
        while (facts := self.shown(job_id))["JobState"] not in states:
            assert time.monotonic() < deadline, f"job {job_id} is {facts['JobState']}, not {states}"
            time.sleep(0.3)
        return facts

    def started(self, run: RunDir, ranks: int = 1, seconds: float = 60) -> None:
        """Wait until the ranks' own program runs: it has said so in its log."""
        deadline = time.monotonic() + seconds
        while sum(path.stat().st_size > 0 for path in run.logs.glob("rank-*.log")) < ranks:
            assert time.monotonic() < deadline, f"ranks of {run.name} did not start"
            time.sleep(0.2)

    def hold_the_door(self) -> None:
        """Let every new job wait."""
        self.slurm.run(["scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN"])

    def open_the_door(self) -> None:
        self.slurm.run(["scontrol", "update", f"PartitionName={PARTITION}", "State=UP"])


def _with_cluster(words: tuple[str, ...]) -> list[str]:
    kind, *rest = words
    return [kind, "--json", "cluster=dev", *rest]


def living_of(run: RunDir) -> list[str]:
    """Return the command lines that hold the run's path, of this machine and of every bed on it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if any(str(run.path) in word for word in words):
            found.append(" ".join(words))
    return found
