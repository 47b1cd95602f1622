#!/usr/bin/env python3
"""What a submission costs: forgia beside plain submitit + Hydra and plain sbatch, the same job, in turn.

    eval "$(slurm/dev/up)"
    python benchmarks/submission/measure.py --repeats 15 --write

The partition is closed meanwhile, so that no job starts and disturbs the next; each is cancelled at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PARTITION = "boost_usr_prod"
WORDS = (
    "train",
    "cluster=dev",
    "model=telemetry_nano",
    "data.dataset=demo_press",
    "resources.walltime=00:30:00",
    "train.steps=7",
)


def main() -> int:
    """Measure, print a table, and write the results where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="into results/, dated")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forgia-submission-") as folder:
        found = measure(Path(folder), asked.repeats)
    sys.stdout.write(table(found) + "\n")
    if asked.write:
        stamp = found["date"][:16].replace(":", "")
        path = HERE / "results" / f"submit-{stamp}.json"
        path.write_text(json.dumps(found, indent=1) + "\n")
        sys.stdout.write(f"{path}\n")
    return 0


def measure(folder: Path, repeats: int) -> dict[str, object]:
    """Run every case `repeats` times, in turn, after one that does not count."""
    environment = {
        **os.environ,
        "SLURM_CONF": f"{os.environ['FORGIA_DEV_SLURM']}/slurm.conf",
        "FORGIA_RUNS": str(folder / "runs"),
        "FORGIA_DATA": str(folder / "data"),
        "PYTHONPYCACHEPREFIX": str(
            folder / "pycache"
        ),  # for all cases; an installed package has its own
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    run([*forgia(), "data", "ingest", "demo_press"], environment)
    cases = prepared(folder, environment)
    door("DOWN", environment)
    try:
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        parts: list[str] = []
        for turn in range(repeats + 1):
            for name, argv in cases.items():
                took, cpu, said = timed(argv, environment)
                if turn:
                    seconds[name].append((took, cpu))
                    parts += re.findall(r"timing: .*", said) if name == "forgia submit" else []
    finally:
        run(["scancel", "--user", environment.get("USER") or "root"], environment)
        door("UP", environment)
    return {
        "format": "forgia.benchmark.submission/1",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": run(["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"], environment),
        "command": f"measure.py --repeats {repeats}",
        "hardware": hardware(),
        "load": os.getloadavg()[0],
        "cases": {name: summary(each) for name, each in seconds.items()},
        "parts_s": averaged(parts),
    }


def forgia() -> list[str]:
    """Return the command line of this checkout."""
    return [str(Path(sys.executable).parent / "forgia")]


def prepared(folder: Path, environment: dict[str, str]) -> dict[str, list[str]]:
    """Return the cases; the peers get the config and the script that forgia itself made of the job."""
    said = run([*forgia(), "submit", *WORDS, "--dry-run", "--json"], environment)
    script = folder / "job.sh"
    own = [line for line in json.loads(said)["sbatch"].splitlines() if "/runs/" not in line]
    script.write_text("\n".join([*own[:-1], "exec true"]) + "\n")
    run([*forgia(), "submit", *WORDS, "--yes"], environment)
    config = next((folder / "runs").glob("*/config.yaml")).read_text()
    (folder / "config.yaml").write_text(f"folder: {folder / 'submitit'}\n{config}")
    peer = [sys.executable, str(HERE / "peers" / "submitit_hydra.py")]
    place = ["--config-dir", str(folder), "--config-name", "config"]
    quiet = [f"hydra.run.dir={folder / 'hydra'}", "train.steps=7"]
    return {
        "forgia submit": [*forgia(), "submit", *WORDS, "--yes", "--timing"],
        "forgia submit --dry-run": [*forgia(), "submit", *WORDS, "--dry-run"],
        "submitit + Hydra": [*peer, *place, *quiet],
        "sbatch": ["sbatch", str(script)],
    }


def timed(argv: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Return the seconds of a command from its start to its end, those of CPU, and what it said."""
    begun, before = time.perf_counter(), os.times()
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    took, after = time.perf_counter() - begun, os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    if done.returncode:
        raise SystemExit(f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return took, cpu, done.stderr


def run(argv: list[str], environment: dict[str, str]) -> str:
    """Return what a command prints."""
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip()


def door(state: str, environment: dict[str, str]) -> None:
    """Close or open the partition."""
    run(["scontrol", "update", f"PartitionName={PARTITION}", f"State={state}"], environment)


def summary(both: list[tuple[float, float]]) -> dict[str, object]:
    """Return median, quickest and slowest, the median of the CPU seconds, and how many."""
    seconds = [took for took, _ in both]
    return {
        "cpu_median_s": round(statistics.median(cpu for _, cpu in both), 3),
        "median_s": round(statistics.median(seconds), 3),
        "min_s": round(min(seconds), 3),
        "max_s": round(max(seconds), 3),
        "repeats": len(seconds),
    }


def averaged(lines: list[str]) -> dict[str, float]:
    """Return the median of each part of --timing."""
    rows = [dict(re.findall(r"(\w+) (\d+\.\d+)(?:,|$)", line)) for line in lines]
    return {
        name: statistics.median(float(row[name]) for row in rows if name in row)
        for name in (rows[0] if rows else {})
    }


def hardware() -> str:
    """Return the processor and how many of its cores are ours."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    name = model[1] if model else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def table(found: dict) -> str:
    """Return the README's table."""
    rows = ["| | median | quickest | slowest | CPU, median |", "|---|---|---|---|---|"]
    for name, case in found["cases"].items():
        cells = (case[key] for key in ("median_s", "min_s", "max_s", "cpu_median_s"))
        rows.append(f"| `{name}` | {' | '.join(f'{cell:.2f} s' for cell in cells)} |")
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["parts_s"].items())
    return "\n".join([*rows, "", f"Parts of `forgia submit` in seconds (medians): {parts}."])


if __name__ == "__main__":
    sys.exit(main())
