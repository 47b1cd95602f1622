"""The Slurm of an endurance count, and what `forgia` needs to see it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

DEV = Path(__file__).resolve().parents[2] / "slurm" / "dev"
FOREIGN = ("SLURM", "SBATCH", "SQUEUE", "SACCT")


class Bed:
    """$FORGIA_DEV_SLURM_REUSE, or a Slurm that is given, else one of our own."""

    def __init__(self, scratch: Path, given: Path | None = None) -> None:
        """Take a directory for the runs and, for a Slurm of our own, its files."""
        reuse = os.environ.get("FORGIA_DEV_SLURM_REUSE")
        self.own = given is None and not reuse
        self.directory = given or (Path(reuse) if reuse else scratch / "slurm")
        self.root = scratch / "runs"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)},
            "FORGIA_DEV_SLURM": str(self.directory),
            "SLURM_CONF": str(self.directory / "slurm.conf"),
            "FORGIA_RUNS": str(self.root),
            "XDG_CONFIG_HOME": str(scratch / "config"),
        }

    def up(self) -> None:
        """Raise it, if it is ours to raise."""
        if self.own:
            subprocess.run([DEV / "up", self.directory], check=True, stdout=subprocess.DEVNULL)
        self.root.mkdir(exist_ok=True)

    def down(self) -> None:
        """Take it down, if we raised it."""
        if self.own:
            subprocess.run([DEV / "down", self.directory], check=True)

    def ask(self, *argv: str) -> str:
        """Return what a Slurm command says."""
        done = subprocess.run(
            argv, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def queue(self, words: str) -> list[list[str]]:
        """Return every job that slurmctld knows, in squeue's letters."""
        said = self.ask("squeue", "--noheader", "--states=all", f"--format={words}")
        return [line.split("|") for line in said.splitlines()]


def of_session(leader: int) -> list[int]:
    """Return the living processes of a session: timeout(1) leaves our process group, but not this."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(words[3]) == leader and words[0] != "Z":
            found.append(int(path.parent.name))
    return found
