"""Run directories as a campaign leaves them: members, journal, dataset; concluded or still at work."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from fakes.simulated import field_card, simulated

from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.simulate.journal import Journal, file_of

START_S = 1_763_800_000.0
CONFIG: dict[str, Any] = {
    "kind": "simulate",
    "cluster": "local",
    "label": "",
    "seed": 0,
    "resources": {"nodes": 1, "ranks_per_node": 4, "cpus_per_rank": 1, "walltime": "01:00:00"},
    "solver": {"name": "heat_quench", "kind": "builtin", "family": "heat"},
    "ensemble": {"dataset": "quench", "ranks_per_member": 2},
}


def campaign_run(
    root: Path,
    count: int = 40,
    *,
    rejected: tuple[int, ...] = (3, 17),
    poison: tuple[int, ...] = (8,),
    shape: tuple[int, ...] = (6, 10),
    concluded: bool = True,
) -> RunDir:
    """A campaign of two groups; the last member is a refined one. Not `concluded`: half of it is solved."""
    run = RunDir(root / "20251122-081500-simulate-3fa9c1")
    for folder in (run.path, run.inputs, run.output):
        folder.mkdir(parents=True)
    run.config.write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    ids = [f"{number:016x}" for number in range(count + 1)]
    write_json(run.inputs / "members.json", members(ids, root / "data" / "quench"))
    done = count + 1 if concluded else count // 2
    for group in (0, 1):
        with Journal(file_of(run, f"{group:03d}-0.0.{group}")) as journal:
            for number in range(group, done, 2):
                journal.write(*lines(number, rejected, poison))
    for number in rejected if concluded else ():
        leave_rejected(run.output / "campaign" / "rejected" / ids[number], shape)
    left = {*rejected, *poison}
    rows = {"running": 0 if concluded else 2, "admitted": min(done, count) - len(left)}
    rows |= {"rejected": 2, "planned": count, "refined_planned": 1, "refined": int(concluded)}
    with MetricsFile(run.metrics) as metrics:
        metrics.append(done, phase="simulate", of=count + 1, step_s=0.25, poison=1, **rows)
        if concluded:
            metrics.append(1, phase="seal", of=1)
    if concluded:
        seal([ids[n] for n in range(count) if n not in left], shape, root / "data" / "quench")
        conclude(run, count, rejected, poison)
    return run


def members(ids: list[str], into: Path) -> dict[str, Any]:
    """Return the frozen list: radius and transfer vary, the bath does not."""
    noise = random.Random(1)
    radius = [noise.uniform(0.03, 0.06) for _ in ids]
    transfer = [10 ** noise.uniform(2.5, 3.7) for _ in ids]
    names = (("radius", "m"), ("transfer", "W/(m2.K)"), ("bath", "Cel"))
    return {
        "format": "forgia.members/1",
        "dataset": "quench",
        "solver": "5a" * 32,
        "into": str(into),
        "memory_bytes": None,
        "design": {
            "method": "sobol",
            "seed": 3,
            "constraints": ["radius < 0.07"],
            "inputs": {"transfer": {"low": 300.0, "high": 5000.0, "scale": "log"}},
        },
        "inputs": [{"name": name, "ucum": ucum, "quantity": ""} for name, ucum in names],
        "members": {
            "id": ids,
            "split": ["train"] * (len(ids) - 1) + ["test"],
            "level": [0] * (len(ids) - 1) + [1],
            "values": {"radius": radius, "transfer": transfer, "bath": [60.0] * len(ids)},
        },
    }


def lines(number: int, rejected: tuple[int, ...], poison: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return what a group journals of one member."""
    at = {"what": "begun", "member": number, "at": START_S + 0.5 * number}
    if number in poison:
        failed = {"what": "failed", "member": number, "kind": "ValueError", "why": "no root"}
        why = {"failures": "2 times ValueError", "why": "no root"}
        return [at, failed, at, failed, {"what": "poison", "member": number, **why}]
    residual = 2.0 if number in rejected else 1e-14 * (1 + number % 7)
    findings = [
        {"check": "energy_balance", "value": residual, "limit": "below 1e-12", "note": ""},
        {"check": "finite", "value": 0.0, "limit": "0 values that are not", "note": ""},
    ]
    solved = {
        "what": "solved",
        "member": number,
        "ending": "rejected" if number in rejected else "admitted",
        "findings": [{**one, "passed": one["value"] < 1} for one in findings],
        "facts": {"steps": 100.0},
        "seconds": round(0.4 + 0.01 * (number % 13), 6),
        "sums": {},
    }
    return [at, solved]


def leave_rejected(folder: Path, shape: tuple[int, ...]) -> None:
    """Leave the numbers of a rejected member, as a block of one row has them."""
    folder.mkdir(parents=True)
    values = np.random.default_rng(2).uniform(-9, 9, (1, 6, *shape)).astype("<f4")
    with h5py.File(folder / "output.h5", "w") as file:
        file["times"] = np.arange(6.0)[None]
        file["fields/temperature"] = values


def seal(ids: list[str], shape: tuple[int, ...], into: Path) -> None:
    """Seal a dataset with so many members, of a few small fields."""
    given = simulated(*shape, members=min(len(ids), 60))
    named = [replace(one, member=id_) for one, id_ in zip(given.trajectories, ids, strict=False)]
    seal_fields(replace(given, trajectories=named), field_card(), into)


def conclude(run: RunDir, count: int, rejected: tuple[int, ...], poison: tuple[int, ...]) -> None:
    """Write what a conclusion leaves: campaign.json, the result, the receipt."""
    told = {
        "planned": count,
        "admitted": count - len(rejected) - len(poison),
        "rejected": len(rejected),
        "poison": len(poison),
        "refined_planned": 1,
        "refined": 1,
        "refined_rejected": 0,
        "refined_poison": 0,
        "dataset": "quench@4fc00f459e31",
        "into": str(run.path.parent / "data" / "quench"),
        "errors": {"temperature": {"max": 2.5, "rms": 0.125}},
    }
    own = {"format": "forgia.campaign/1", "failures": {"ValueError": 2 * len(poison)}}
    write_json(run.output / "campaign" / "campaign.json", {**own, **told})
    write_json(run.result, {"format": "forgia.result/1", "ending": "completed", "simulate": told})
    write_json(run.path / "receipt.json", {"cpu_seconds": 7200, "billed": None})
    run.event("batch_started", attempt=0)
    run.event("batch_ended", attempt=0, exit_code=0, why="")
