"""Which allocation has taken which point of a packed sweep: files that only one can make.

A claim is over when its allocation said so, or when Slurm shows that the allocation has ended. It is never over by
time alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.rundir import make_once, read_json
from forgia_hpc.sweepdir import SweepDir


@dataclass(frozen=True, kw_only=True)
class Holder:
    """An allocation: a Slurm job in one of its starts, or a process of one machine."""

    chunk: int  # the submission that it belongs to
    job: str = ""  # as scontrol names it; empty without Slurm
    restart: int = 0
    host: str = ""
    pid: int = 0
    start_ticks: str = ""

    @classmethod
    def here(cls, chunk: int, environment: Mapping[str, str]) -> Holder:
        """Return this process as a holder."""
        array = environment.get("SLURM_ARRAY_JOB_ID")
        task = f"{array}_{environment.get('SLURM_ARRAY_TASK_ID')}"
        words = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return cls(
            chunk=chunk,
            job=task if array else "",
            restart=int(environment.get("SLURM_RESTART_COUNT") or 0),
            host=os.uname().nodename,
            pid=os.getpid(),
            start_ticks=words[19],
        )


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One taking of a point. ended: what its allocation said of the end, or None."""

    point: int
    number: int
    holder: Holder
    ended: Mapping[str, Any] | None = None


def claims(sweep: SweepDir) -> dict[int, list[Claim]]:
    """Return the claims of each point, the newest last."""
    found: dict[int, list[Claim]] = {}
    names = {path.name for path in _folder(sweep).glob("*.json")}
    for name in sorted(name for name in names if ".ended" not in name):
        point, number = (int(part) for part in name.removesuffix(".json").split("-"))
        over = f"{name.removesuffix('.json')}.ended.json"
        claim = Claim(
            point=point,
            number=number,
            holder=Holder(**read_json(_folder(sweep) / name)),
            ended=read_json(_folder(sweep) / over) if over in names else None,
        )
        found.setdefault(point, []).append(claim)
    return found


def take(sweep: SweepDir, point: int, number: int, holder: Holder) -> Claim | None:
    """Claim a point, or return None where another allocation was first."""
    _folder(sweep).mkdir(exist_ok=True)
    if not make_once(_folder(sweep) / f"{point:05d}-{number:03d}.json", holder.__dict__):
        return None
    return Claim(point=point, number=number, holder=holder)


def end(sweep: SweepDir, claim: Claim, **facts: object) -> None:
    """Say that a claim is over, and how; said once, the first word counts."""
    name = f"{claim.point:05d}-{claim.number:03d}.ended.json"
    make_once(_folder(sweep) / name, facts)


def _folder(sweep: SweepDir) -> Path:
    return sweep.path / "claims"
