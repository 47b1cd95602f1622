"""Runs by name, unique prefix, path or Slurm job id."""

from __future__ import annotations

from pathlib import Path

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.submission import submitted
from forgia_hpc.rundir import RunDir


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
