"""Fake Slurm commands at the border: what a real Slurm won't do on demand (hang, lie, stay silent)."""

from __future__ import annotations

import json
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
        path = self.directory / name
        calls = self.directory / f"{name}.calls"
        path.write_text(
            "#!/usr/bin/env python3\n"
            "import json, os, sys, time\n"
            f"with open({str(calls)!r}, 'a') as f:\n"
            "    f.write(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ)}) + '\\n')\n"
            f"time.sleep({sleep_s})\n"
            f"sys.stdout.write({out!r}); sys.stderr.write({err!r})\n"
            f"sys.exit({code})\n"
        )
        path.chmod(0o755)

    def calls(self, name: str) -> list[dict]:
        """Return how a program was called."""
        path = self.directory / f"{name}.calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
