"""Run directories as a job would leave them: finished, failed half way, still computing."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.rundir import RunDir, write_json

START_NS = 1_763_800_000_000_000_000
CONTRIBUTIONS = {
    "refinery": ("distillation_column_2", "reflux_temperature", "Cel", 300.0, 24),
    "turbofan": ("engine_0093", "hpc_outlet_temperature", "[degR]", 1.0, 20),
    "steel_energy": ("mill_1", "usage", "kW.h", 900.0, 96),
    "tennessee_eastman": ("reactor_run_412", "reactor_pressure", "kPa", 180.0, 30),
    "machine_temperature": ("press_7", "bearing_temperature", "[degF]", 300.0, 48),
}
SPLITS = ("held_out_machines", "held_out_time")
CONFIG: dict[str, Any] = {
    "kind": "train",
    "cluster": "leonardo_booster",
    "label": "",
    "seed": 7,
    "resources": {
        "nodes": 4,
        "ranks_per_node": 4,
        "gpus_per_node": 4,
        "walltime": "02:00:00",
        "account": "IscrC_forgia",
        "partition": "boost_usr_prod",
    },
    "data": {"dataset": "consortium", "context": 512, "horizon": 64},
    "model": {"name": "telemetry_1m", "family": "telemetry", "options": {}},
    "train": {"steps": 600, "global_batch": 256},
}


def train_rows(steps: int, noise: random.Random) -> list[dict[str, Any]]:
    rows = []
    for step in range(1, steps + 1):
        share = step / 600
        rate = 1e-3 * min(1, share / 0.05, (1 - share) / 0.3 + 1e-6)
        save = 2.4 if step % 150 == 0 else 0.0
        compute, data = 0.182 + noise.gauss(0, 0.006), 0.011 + abs(noise.gauss(0, 0.004))
        rows.append(
            {
                "step": step,
                "phase": "train",
                "loss": 0.28 + 1.4 * math.exp(-step / 60) + noise.gauss(0, 0.025),
                "learning_rate": rate,
                "grad_norm": 0.5 + 2.5 * math.exp(-step / 40) + abs(noise.gauss(0, 0.12)),
                "tokens_per_s": 73_728 / (compute + data + 0.004),
                "samples_per_s": 256 / (compute + data + 0.004),
                "data_s": data,
                "compute_s": compute,
                "save_s": save,
                "step_s": compute + data + save + 0.004,
                "memory_gb": 11.3 + 0.4 * (step > 150),
                "skipped": 0,
            }
        )
    return rows


def evaluation(noise: random.Random) -> dict[str, Any]:
    scores, skill, examples, anomaly = [], [], [], []
    for index, name in enumerate(CONTRIBUTIONS):
        for split in SPLITS:
            naive = 0.9 + 0.1 * index
            for method, factor in (
                ("model", 0.6 + 0.1 * index),
                ("seasonal_naive", 1),
                ("linear", 0.9),
            ):
                sql = naive * factor + noise.gauss(0, 0.01)
                scores.append(
                    {
                        "contribution": name,
                        "split": split,
                        "method": method,
                        "windows": 64,
                        "series": 64 * (3 + index),
                        "sql": sql,
                        "mase": sql * 1.18,
                        "coverage": {
                            "0.5": 0.5 + noise.gauss(0, 0.03),
                            "0.8": 0.8 + noise.gauss(0, 0.03),
                        },
                    }
                )
                if method != "seasonal_naive":
                    skill.append(_skill(name, split, method, 1 - sql / naive))
            examples.append(_forecast(name, split, noise))
        anomaly.append(_anomaly(name, noise))
    for split in (*SPLITS, "all"):
        skill += [_skill("all", split, "model", 0.273), _skill("all", split, "linear", 0.104)]
    return {
        "format": "forgia.evaluation/1",
        "dataset": "consortium@5be1f0c2a977",
        "model": {
            "name": "telemetry_1m",
            "family": "telemetry",
            "parameters": 1_184_320,
            "quantiles": [0.1, 0.25, 0.5, 0.75, 0.9],
        },
        "context": 512,
        "horizon": 64,
        "scores": scores,
        "skill": skill,
        "examples": examples,
        "anomaly": anomaly,
        "notes": ["Intervals: 95 %, bootstrap over machines."],
    }


def _skill(contribution: str, split: str, method: str, value: float) -> dict[str, Any]:
    return {
        "contribution": contribution,
        "split": split,
        "method": method,
        "against": "seasonal_naive",
        "metric": "sql",
        "skill": value,
        "low": value - 0.042,
        "high": value + 0.038,
    }


def _forecast(name: str, split: str, noise: random.Random) -> dict[str, Any]:
    asset, channel, unit, step_seconds, season = CONTRIBUTIONS[name]
    drift = 0.0
    series: list[float | None] = []
    for step in range(512 + 64):
        drift = 0.97 * drift + noise.gauss(0, 0.5)
        series.append(80 + 9 * math.sin(2 * math.pi * step / season) + drift + noise.gauss(0, 0.6))
    context, truth = series[:512], series[512:]
    context[430:441] = [None] * 11
    median = [
        80 + 8.6 * math.sin(2 * math.pi * step / season) + drift * 0.9 ** (step - 511)
        for step in range(512, 576)
    ]
    widths = {"0.1": -1.28, "0.25": -0.67, "0.5": 0, "0.75": 0.67, "0.9": 1.28}
    spread = [0.8 + 0.9 * math.sqrt(1 - 0.94 ** (2 * step)) * 1.6 for step in range(1, 65)]
    return {
        "contribution": name,
        "split": split,
        "asset": asset,
        "channel": channel,
        "unit": unit,
        "step_seconds": step_seconds,
        "context": context,
        "truth": truth,
        "quantiles": {
            level: [m + width * s for m, s in zip(median, spread, strict=True)]
            for level, width in widths.items()
        },
        "naive": [series[512 - season + step % season] for step in range(64)],
    }


def _anomaly(name: str, noise: random.Random) -> dict[str, Any]:
    asset, _, _, step_seconds, _ = CONTRIBUTIONS[name]
    labels = [[4000, 4150], [4796, 4886], [5596, 5596], [5906, 6095]]
    scores = [
        abs(noise.gauss(0, 1))
        + (2.6 if any(first <= 4096 + 4 * step <= last for first, last in labels) else 0)
        for step in range(500)
    ]
    return {
        "contribution": name,
        "asset": asset,
        "channel_count": 8,
        "start": 4096,
        "stride": 4,
        "step_seconds": step_seconds,
        "scores": scores,
        "labels": labels,
        "auc": 0.913,
        "baseline_auc": 0.742,
    }


def finished_run(root: Path) -> RunDir:
    """A training of 600 steps, preempted once, judged at its end."""
    noise = random.Random(7)
    run = _start(root, "20251122-081500-train-3fa9c1", train_rows(600, noise))
    _event(run, 95, "stop_asked", attempt=0, signal="SIGUSR1")
    _event(
        run,
        96,
        "rank_stopped",
        rank=0,
        node="lrdn0412",
        attempt=0,
        error="stopped after step 300",
        exit_code=6,
    )
    _event(
        run,
        97,
        "batch_ended",
        attempt=0,
        exit_code=6,
        why="stopped at a step boundary (SIGUSR1); it can go on",
    )
    _event(run, 700, "batch_started", attempt=1, node="lrdn0777", pid=811, job_id="29312288")
    _event(run, 704, "seal_checked", attempt=1, data_bytes=3_412_000_000)
    _event(run, 902, "batch_ended", attempt=1, exit_code=0, why="")
    for step in (450, 600):
        (run.checkpoints / str(step)).mkdir(parents=True)
    write_json(run.output / "evaluation.json", evaluation(noise))
    write_json(
        run.result,
        {
            "format": "forgia.result/1",
            "ending": "completed",
            "attempt": 1,
            "seconds": 198.4,
            "world_size": 16,
            "train": {"steps": 600, "loss": 0.281, "tokens": 44_236_800, "resumed_from": 300},
            "evaluate": {"windows": 640},
        },
    )
    write_json(
        run.path / "receipt.json",
        {"core_hours": 18.1, "gpu_hours": 2.3, "energy": {"source": "modelled", "kwh": 1.2}},
    )
    return run


def failed_run(root: Path) -> RunDir:
    """The same training, dead at step 57 with a rank out of memory."""
    run = _start(root, "20251122-081500-train-00dead", train_rows(57, random.Random(7)))
    error = "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    _event(run, 30, "rank_failed", rank=3, node="lrdn0412", attempt=0, error=error, exit_code=3)
    _event(
        run,
        31,
        "batch_ended",
        attempt=0,
        exit_code=3,
        why=f"rank 3 on lrdn0412 failed: {error}; see logs/rank-3.log",
    )
    run.logs.mkdir()
    (run.logs / "rank-3.log").write_text(
        "step 55\rstep 56\rstep 57\nTraceback (most recent call last):\n"
        '  File "entry.py", line 71, in main\n'
        f"\x1b[31mtorch.{error}\x1b[0m <b>&\n",
        encoding="utf-8",
    )
    return run


def computing_run(root: Path) -> RunDir:
    """The same training at step 120, with a last line that is not whole yet."""
    run = _start(root, "20251122-081500-train-0000aa", train_rows(120, random.Random(7)))
    with run.metrics.open("a", encoding="utf-8") as metrics:
        metrics.write('{"step": 121, "phase": "tra')
    return run


def _start(root: Path, name: str, rows: list[dict[str, Any]]) -> RunDir:
    run = RunDir(root / name)
    for folder in (run.path, run.inputs, run.output):
        folder.mkdir(parents=True)
    run.config.write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    command = [
        "forgia",
        "submit",
        "train",
        "model=telemetry_1m",
        "cluster=leonardo_booster",
        "resources.nodes=4",
    ]
    write_json(
        run.job,
        {
            "name": name,
            "launch": "srun",
            "version": "0.1.0",
            "token": "do-not-show",
            "command": command,
        },
    )
    packages = {
        "torch": {"version": "2.13.0"},
        "deepspeed": {"version": "0.19.8"},
        "h5py": {"version": "3.16.0"},
    }
    write_json(
        run.manifest,
        {
            "format": "forgia.run/1",
            "digest": "9d1c" * 16,
            "code": {"forgia_hpc/errors.py": "ab" * 32},
            "environment": {"python": "3.11.7", "packages": packages},
        },
    )
    grant = [
        {"contribution": name, "version": f"{index}5be1f0c2a977e4d"}
        for index, name in enumerate(CONTRIBUTIONS)
    ]
    write_json(run.inputs / "grant.json", {"contributions": grant})
    write_json(
        run.inputs / "manifest.json", {"name": "consortium", "version": "5be1f0c2a977" + "0" * 52}
    )
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    _event(run, 0, "sealed", digest="9d1c" * 16, left_out={})
    _event(run, 1.2, "submitted", job_id="29312288", cluster="leonardo_booster")
    _event(run, 12, "batch_started", attempt=0, node="lrdn0412", pid=4011, job_id="29312288")
    _event(run, 16.5, "seal_checked", attempt=0, data_bytes=3_412_000_000)
    return run


def _event(run: RunDir, after_s: float, what: str, **facts: object) -> None:
    """Append an event at a time of our choosing."""
    folder = run.path / "events"
    folder.mkdir(exist_ok=True)
    time_ns = START_NS + int(after_s * 1e9)
    write_json(
        folder / f"{time_ns}-{what}-000000.json", {"what": what, "time_ns": time_ns, "facts": facts}
    )
