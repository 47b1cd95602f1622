"""Campaigns for benchmarks: sealed as `forgia run simulate` does, run by batch steps, read by their journal."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import scrubbed

from forgia_hpc.jobs.package import seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Kind


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What became of a campaign: seconds of its parts."""

    run: RunDir
    members: int
    whole_s: float  # of the batch step, its start and its end included
    cpu_s: float  # of the batch step and all that it started
    campaign_s: float  # groups started, all members solved, groups ended
    conclude_s: float  # the conclusion's processes started, the dataset sealed
    rate: float  # members a second of all groups together, between each one's second begin and its last
    solver_s: float  # of all members: prepare, run, extract, check


def sealed(root: Path, options: dict[str, Any], members: int, *words: str) -> RunDir:
    """Seal a campaign of members like those of peers/member.py; its folders lie in `root`."""
    told = [
        "cluster=local",
        "solver=bench",
        "ensemble=own",
        f"ensemble.members={members}",
        "ensemble.refine_share=0",
        "ensemble.dataset=bench",
        "ensemble.inputs={initial: {low: 800, high: 950}, transfer: {low: 100, high: 1000}}",
    ]
    (root / "configs/solver").mkdir(parents=True)
    one = {"name": "bench", "kind": "builtin", "family": "heat", "options": options}
    (root / "configs/solver/bench.yaml").write_text(json.dumps(one), encoding="utf-8")
    before = dict(os.environ)
    own = {"FORGIA_PATH": root, "FORGIA_RUNS": root / "runs", "FORGIA_DATA": root / "data"}
    os.environ |= {name: str(path) for name, path in own.items()}
    try:
        return seal(make_plan(Wish(kind=Kind.simulate, overrides=[*told, *words]))).run
    finally:
        os.environ.clear()
        os.environ.update(before)


def ran(run: RunDir, members: int) -> Ran:
    """Run a sealed campaign to its end.

    Raises:
        RuntimeError: it did not end well, or has not admitted every member.
    """
    environment = scrubbed(PYTHONSAFEPATH="1", PYTHONPATH=str(run.code))
    argv = [sys.executable, "-m", "forgia_hpc.node.batch", str(run.path)]
    began, spent = time.perf_counter(), cpu_of_children()
    with (run.logs / "batch.err").open("wb") as log:
        code = subprocess.run(
            argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=run.path, env=environment,
            check=False,
        ).returncode  # fmt: skip
    whole, cpu = time.perf_counter() - began, cpu_of_children() - spent
    if code:
        said = (run.logs / "batch.err").read_text(encoding="utf-8")[-500:]
        raise RuntimeError(f"the campaign ended with {code}: {said}")
    admitted = json.loads(run.result.read_text(encoding="utf-8"))["simulate"]["admitted"]
    if admitted != members:
        raise RuntimeError(f"{admitted} of {members} members admitted")
    at = {event.what: event.time_ns / 1e9 for event in run.events()}
    rate, solver = _journaled(run)
    return Ran(
        run=run,
        members=members,
        whole_s=whole,
        cpu_s=cpu,
        campaign_s=at["campaign_ended"] - at["campaign_started"],
        conclude_s=at["batch_ended"] - at["campaign_ended"],
        rate=rate,
        solver_s=solver,
    )


def _journaled(run: RunDir) -> tuple[float, float]:
    """Return the rate at which members were begun, and the seconds that all solvers took."""
    rate, seconds = 0.0, 0.0
    for path in (run.output / "campaign" / "journal").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        begun = [one["at"] for one in lines if one["what"] == "begun"]
        seconds += sum(one["seconds"] for one in lines if one["what"] == "solved")
        if len(begun) > 2:  # probation comes after the first begin
            rate += (len(begun) - 2) / (begun[-1] - begun[1])
    return rate, seconds


def cpu_of_children() -> float:
    """Return the CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
