"""The slurm.conf that a profile names: where it is gone, Slurm's commands look for it for a minute each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from forgia_hpc.process import ProgramSilentError


def missing_conf(environment: Mapping[str, str]) -> str | None:
    """Return the file that `SLURM_CONF` names, if it is not there; `configless` and other words are no file."""
    path = environment.get("SLURM_CONF", "")
    return path if path.startswith("/") and not Path(path).exists() else None


def require_conf(environment: Mapping[str, str]) -> None:
    """Raise a ProgramSilentError at once where every command would say nothing for a minute."""
    if path := missing_conf(environment):
        raise ProgramSilentError(f"there is no {path}")
