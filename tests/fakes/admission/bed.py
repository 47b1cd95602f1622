"""A small campaign of the built-in solver from a copy of forgia_hpc in which something was changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.rundir import RunDir, read_json

CHECKOUT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
SEAL = """
import sys
from forgia_hpc.jobs.package import seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.schema.job import Kind
print(seal(make_plan(Wish(kind=Kind.simulate, overrides=sys.argv[1:]))).run.path)
"""
LIMIT_S = 400


@dataclass(frozen=True)
class Ended:
    """How a campaign of changed code ended."""

    code: int
    why: str
    left_out: dict[int, list[str]]  # member → checks that it failed
    sealed: bool

    @property
    def stopped(self) -> bool:
        """Whether nothing of it came into a dataset."""
        return not self.sealed


def copied(root: Path, changes: Sequence[tuple[str, str, str]]) -> Path:
    """Make a checkout whose forgia_hpc is changed; the other folders are ours."""
    shutil.copytree(
        CHECKOUT / "forgia_hpc", root / "forgia_hpc", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("configs", "slurm", "datasets", "benchmarks"):
        (root / name).symlink_to(CHECKOUT / name)
    for file, old, new in changes:
        path = root / "forgia_hpc" / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise LookupError(f"{file} holds {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new), encoding="utf-8")
    return root


def campaign(
    root: Path, bed: str, changes: Sequence[tuple[str, str, str]], words: Sequence[str] = ()
) -> Ended:
    """Seal and run a campaign of four members, one of them refined, from a changed copy."""
    checkout = copied(root / "checkout", changes)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "FORGIA", "OMPI"))},
        "PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "FORGIA_PATH": str(HERE), "FORGIA_RUNS": str(root / "runs"), "FORGIA_DATA": str(root / "data"),
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    own = [
        "cluster=local",
        f"solver={bed}",
        f"ensemble={bed}",
        "resources.ranks_per_node=1",
        *words,
    ]
    argv = [sys.executable, "-c", SEAL, *own]
    sealed = subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if sealed.returncode:
        return Ended(2, f"not sealed: {sealed.stderr.strip().splitlines()[-1]}", {}, sealed=False)
    run = RunDir(Path(sealed.stdout.strip().splitlines()[-1]))
    environment["PYTHONPATH"] = str(run.code)
    argv = [sys.executable, "-m", "forgia_hpc.node.batch", str(run.path)]
    with (root / "batch.log").open("wb") as log:
        done = subprocess.run(
            argv,
            env=environment,
            stdout=log,
            stderr=log,
            timeout=LIMIT_S,
            check=False,
            cwd=run.path,
        )
    return Ended(
        done.returncode,
        _why(run),
        _left_out(run),
        sealed=any((root / "data").glob("*/manifest.json")),
    )


def _why(run: RunDir) -> str:
    ends = run.events("batch_ended")
    return str(ends[-1].facts["why"]) if ends else "no end"


def _left_out(run: RunDir) -> dict[int, list[str]]:
    found = {}
    for path in sorted((run.output / "campaign" / "rejected").glob("*/reason.json")):
        told = read_json(path)
        failed = [one["check"] for one in told.get("findings", ()) if not one["passed"]]
        found[int(told["number"])] = failed or [str(told.get("failures"))]
    return found
