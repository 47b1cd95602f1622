"""Which code is sealed with a job: ours, that of $FORGIA_PATH, and a command job's source."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import forgia_hpc
from forgia_hpc import provenance, sources
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import CommandJob, Job


def code_sources(job: Job) -> dict[str, Path]:
    """Return what is copied: place under code/ → where it is now.

    Our own package, the Python code of every root in $FORGIA_PATH, and a command job's source.
    """
    own = {"forgia_hpc": Path(forgia_hpc.__file__).resolve().parent}
    for root in os.environ.get("FORGIA_PATH", "").split(os.pathsep):
        if root:
            own |= _python_of(Path(root).resolve())
    if isinstance(job, CommandJob) and job.command.source:
        own["source"] = Path(job.command.source).expanduser().resolve()
    return own


def _python_of(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise InputError(
            Problem(field="FORGIA_PATH", got=str(root), limit="an existing directory is needed")
        )
    found = {}
    for path in sorted(root.iterdir()):
        package = path.is_dir() and (path / "__init__.py").exists()
        if (package and path.name not in sources.FOLDERS) or path.suffix == ".py":
            found[path.name] = path
    return found


def gather_code(origins: dict[str, Path]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return each file of the seal by its place under code/, and what stays out and why.

    Raises:
        InputError: a source that is no directory.
    """
    files: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for name, origin in origins.items():
        if origin.is_file() and origin.name == name:  # a module in a root of $FORGIA_PATH
            files[name] = origin
            continue
        if not origin.is_dir():
            limit = "an existing directory is needed"
            raise InputError(Problem(field="command.source", got=str(origin), limit=limit))
        kept, missed = provenance.files_to_seal(origin)
        files |= {f"{name}/{path.relative_to(origin)}": path for path in kept}
        left_out |= {f"{name}/{path}": why for path, why in missed.items()}
    return files, left_out


def copy_code(origins: dict[str, Path], into: Path) -> dict[str, str]:
    """Copy every source under `into`; return what was left out and why."""
    files, left_out = gather_code(origins)
    for place, origin in files.items():
        copy = into / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, copy)
        copy.chmod((origin.stat().st_mode & 0o750) | 0o600)
    return left_out
