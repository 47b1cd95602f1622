"""Campaigns for tests: sealed through the login wing, run by real batch steps that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.jobs.package import seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.schema.job import Kind

HERE = Path(__file__).parent
FAULTS = (
    "none", "segfault", "hang", "raise", "nan", "exit", "member_error", "check", "kill", "input",
    "abort", "memory", "infinite", "leave_files", "fork", "stop_2", "torn", "own_names",
)  # fmt: skip
ONE, TWO = "resources.ranks_per_node=1", "resources.ranks_per_node=2"


class Bed:
    """One folder with runs and data of its own; $FORGIA_PATH holds the ripples solver."""

    def __init__(self, root: Path, name: str = "ripples") -> None:
        self.root = root
        self.name = name
        self.data = root / "data" / name

    def seal(self, *overrides: str, table: bool = False, tries: bool = False) -> RunDir:
        """Seal a campaign of ripples, drawn or from the table; `tries`: the solver counts its tries."""
        ensemble = "table" if table else "ripples"
        words = ["cluster=local", "solver=ripples", f"ensemble={ensemble}"]
        words += [f"ensemble.dataset={self.name}"]
        words += [f"solver.options={{faults: {self.root}/tries}}"] if tries else []
        words += [f"ensemble.csv={self.root}/members.csv"] if table else []
        (self.root / "tries").mkdir(exist_ok=True, parents=True)
        before = dict(os.environ)
        os.environ |= {
            "FORGIA_PATH": str(HERE),
            "FORGIA_RUNS": str(self.root / "runs"),
            "FORGIA_DATA": str(self.root / "data"),
        }
        try:
            plan = make_plan(Wish(kind=Kind.simulate, overrides=[*words, *overrides]))
            return seal(plan).run
        finally:
            os.environ.clear()
            os.environ.update(before)

    def table(self, count: int, faults: dict[int, str], luck: int = 0) -> None:
        """Write the file of a csv design: so many members, some with a fault (in their first `luck` tries)."""
        rows = ["amplitude [K],fault [1],luck [1]"]
        for number in range(count):
            fault = FAULTS.index(faults.get(number, "none"))
            rows.append(f"{1 + number / 8},{fault},{luck if fault else 0}")
        (self.root / "members.csv").write_text("\n".join(rows) + "\n")

    def version(self) -> str:
        return load_manifest(self.data).version

    def bytes(self) -> dict[str, bytes]:
        """Return every file of the dataset."""
        files = sorted(path for path in self.data.rglob("*") if path.is_file())
        return {str(path.relative_to(self.data)): path.read_bytes() for path in files}


def start(run: RunDir, **own: str) -> subprocess.Popen[bytes]:
    """Start a batch step as a process of this machine."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "FORGIA", "OMPI"))},
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(run.code),
        "FORGIA_SLACK_S": "2",  # so that a member that hangs is killed soon
        **own,
    }
    argv = [sys.executable, "-m", "forgia_hpc.node.batch", str(run.path)]
    with (run.logs / "batch.out").open("ab") as out, (run.logs / "batch.err").open("ab") as err:
        return subprocess.Popen(
            argv, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=run.path, env=environment
        )


def ended(run: RunDir, timeout_s: float = 300, **own: str) -> int:
    """Run a batch step to its end and return its code."""
    process = start(run, **own)
    try:
        return process.wait(timeout_s)
    finally:
        process.kill()
        process.wait()
        kill_all(run)


def processes(run: RunDir) -> list[int]:
    """Return the living processes of a run: the batch step, groups, and what they started."""
    mark = str(run.path).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes() + b"\0" + (path / "environ").read_bytes()
            zombie = (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if mark in words and not zombie and int(path.name) != os.getpid():
            found.append(int(path.name))
    return found


def kill_all(run: RunDir) -> None:
    for pid in processes(run):
        kill(pid)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def told(run: RunDir) -> dict[str, Any]:
    """Return what the result says of the campaign."""
    found: dict[str, Any] = read_json(run.result)["simulate"]
    return found


def account(run: RunDir) -> dict[str, Any]:
    """Return what a campaign says of itself."""
    found: dict[str, Any] = read_json(run.output / "campaign" / "campaign.json")
    return found


def rejected(run: RunDir) -> dict[int, dict[str, Any]]:
    """Return why each member that was left out was, by its number."""
    paths = (run.output / "campaign" / "rejected").glob("*/reason.json")
    return {(found := read_json(path))["number"]: found for path in paths}


def lines(run: RunDir, what: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of the journal with this word."""
    for path in sorted((run.output / "campaign" / "journal").glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                fact = json.loads(line)
            except ValueError:
                continue
            if fact["what"] == what:
                yield fact


def log(run: RunDir) -> str:
    """Return everything that was said, for a test that failed."""
    paths = [*run.logs.glob("*.log"), *run.logs.glob("batch.*")]
    return "\n".join(
        f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in paths
    )
