"""Fake Slurm commands at the border: what a real Slurm won't do on demand (hang, lie, stay silent)."""

from __future__ import annotations

import json
import sys
from pathlib import Path


class FakeSlurm:
    """A directory of programs to put first on PATH; each notes how it was called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        for name in ("sbatch", "squeue", "sacct", "scontrol", "scancel", "srun"):
            self.says(name, "")

    def says(
        self, name: str, out: str, *, err: str = "", code: int = 0, sleep_s: float = 0
    ) -> None:
        """Let a program answer so."""
        self._program(
            name,
            f"time.sleep({sleep_s})\n"
            f"sys.stdout.write({out!r}); sys.stderr.write({err!r})\n"
            f"sys.exit({code})\n",
        )

    def keeps_jobs(self, sbatch: str = "honest") -> None:
        """Let the programs share a list of jobs, as slurmctld would; `sbatch` is how that one treats the truth."""
        (self.directory / "jobs").mkdir(exist_ok=True)
        for name in ("sbatch", "squeue", "sacct", "scontrol", "scancel"):
            self._program(
                name,
                f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                "from slurm_controller import main\n"
                f"sys.exit(main({name!r}, {sbatch!r}, {str(self.directory)!r}, sys.argv[1:]))\n",
            )

    def _program(self, name: str, body: str) -> None:
        path = self.directory / name
        calls = self.directory / f"{name}.calls"
        path.write_text(
            f"#!{sys.executable} -SI\n"  # without site-packages it starts in half the time
            "import json, os, sys, time\n"
            f"with open({str(calls)!r}, 'a') as f:\n"
            "    f.write(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ)}) + '\\n')\n"
            f"{body}"
        )
        path.chmod(0o755)

    def calls(self, name: str) -> list[dict]:
        """Return how a program was called."""
        path = self.directory / f"{name}.calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def jobs(self) -> dict[str, dict]:
        """Return the jobs that are kept, by id."""
        found = sorted((self.directory / "jobs").glob("*.json"), key=lambda path: int(path.stem))
        return {path.stem: json.loads(path.read_text()) for path in found}

    def set_job(self, job_id: str, **facts: object) -> None:
        """Change or add a job."""
        path = self.directory / "jobs" / f"{job_id}.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**before, **facts}))

    def forget(self, job_id: str) -> None:
        """Lose a job, as a slurmctld that was killed before it saved its state."""
        (self.directory / "jobs" / f"{job_id}.json").unlink()
