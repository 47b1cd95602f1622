#!/usr/bin/env python3
"""What a sweep costs: 5,000 points submitted, and many short points as one job each and packed.

    eval "$(slurm/dev/up)"
    python benchmarks/submission/sweep.py --repeats 3 --write
    python benchmarks/submission/sweep.py --points 300 --write      # the makespans too; takes a while

The 5,000 wait behind a closed partition and are cancelled. slurmctld holds 10,000 jobs at most (MaxJobCount), so
the dev Slurm's MinJobAge is set to 5 s meanwhile, and each repeat waits until the cancelled ones are forgotten.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PARTITION = "boost_usr_prod"
MANY = 5000
SHORT = ("resources.cpus_per_rank=16", "resources.mem_gb=1", "resources.walltime=00:03:00")


def main() -> int:
    """Measure, print, and write the results where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--points", type=int, default=0, help="short points for the makespans")
    parser.add_argument("--write", action="store_true", help="into results/, dated")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forgia-sweep-") as folder:
        environment = {
            **os.environ,
            "SLURM_CONF": f"{os.environ['FORGIA_DEV_SLURM']}/slurm.conf",
            "FORGIA_RUNS": folder,
        }
        found: dict[str, Any] = facts()
        if asked.repeats:
            found[f"submit_{MANY}_s"] = submitted(environment, asked.repeats)
        if asked.points:
            found["short_points"] = asked.points
            for name, words in (("array", ()), ("packed", ("--pack=4",))):
                found[name] = makespan(environment, asked.points, words)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    if asked.write:
        path = HERE / "results" / f"sweep-{found['date'][:16].replace(':', '')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def facts() -> dict[str, Any]:
    """Return what the figures hang on."""
    names = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    cpu = names[0].partition(":")[2].strip() if names else platform.machine()
    return {
        "format": "forgia.submission_sweep/1",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": f"{len(os.sched_getaffinity(0))} CPUs {cpu}, Python {platform.python_version()}",
        "load_before": os.getloadavg()[0],
        "command": " ".join(sys.argv),
    }


def commit() -> str:
    """Return the commit, with a + where the tree holds other things."""
    git = ["git", "-C", str(CHECKOUT), "-c", f"safe.directory={CHECKOUT}"]
    said = [
        subprocess.run([*git, *words], capture_output=True, text=True, check=False).stdout
        for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain"])
    ]
    return said[0].strip() + ("+" if said[1].strip() else "")


def submitted(environment: dict[str, str], repeats: int) -> dict[str, Any]:
    """Return the seconds of submissions of 5,000 points, and of one `status` of such a sweep."""
    conf = Path(environment["SLURM_CONF"])
    text = conf.read_text()
    conf.write_text(text.replace("MinJobAge=300", "MinJobAge=5"))
    slurm(environment, "scontrol", "reconfigure")
    slurm(environment, "scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN")
    seconds, status, busy = [], [], []
    try:
        for _ in range(repeats):
            began, before = time.monotonic(), cpu_s()
            said = forgia(environment, "sweep", "command", f"seed=range({MANY})", "--", "true")
            seconds.append(time.monotonic() - began)
            busy.append(cpu_s() - before)
            began = time.monotonic()
            told = forgia(environment, "status", said["run"])["runs"][0]
            status.append(time.monotonic() - began)
            assert told["why"] == f"{MANY:,} pending", told
            forgia(environment, "cancel", said["run"])
            while slurm(environment, "squeue", "--noheader", "--states=all", "--format=%i"):
                time.sleep(2)
    finally:
        slurm(environment, "scontrol", "update", f"PartitionName={PARTITION}", "State=UP")
        conf.write_text(text)
        slurm(environment, "scontrol", "reconfigure")
    return {**spread(seconds), "cpu": spread(busy), "status": spread(status)}


def cpu_s() -> float:
    """Return the CPU seconds of all children so far: on a busy machine they say more than the clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spread(seconds: list[float]) -> dict[str, Any]:
    """Return the middle of the measurements, and all of them."""
    return {"median": round(statistics.median(seconds), 2), "all": [round(s, 2) for s in seconds]}


def makespan(environment: dict[str, str], points: int, words: tuple[str, ...]) -> dict[str, Any]:
    """Return the seconds from the submission to the end of the last point, and how many jobs it took."""
    began = time.monotonic()
    said = forgia(
        environment,
        "sweep",
        "command",
        f"seed=range({points})",
        *SHORT,
        *words,
        "--",
        "sleep",
        "0.3",
    )
    while (told := forgia(environment, "status", said["run"])["runs"][0])["state"] != "completed":
        assert told["state"] in ("pending", "running"), told
        time.sleep(2)
    return {"jobs": said["jobs"], "makespan_s": round(time.monotonic() - began, 1)}


def forgia(environment: dict[str, str], verb: str, *words: str) -> dict[str, Any]:
    """Run a verb and return its JSON."""
    at = words.index("--") if "--" in words else len(words)
    cluster = ("cluster=dev",) if verb == "sweep" else ()
    argv = [
        sys.executable,
        "-P",
        "-m",
        "forgia_hpc.cli.main",
        verb,
        *words[:at],
        *cluster,
        "--json",
    ]
    done = subprocess.run(
        [*argv, *words[at:]], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def slurm(environment: dict[str, str], *argv: str) -> str:
    """Run a Slurm command and return what it says."""
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
