#!/usr/bin/env python3
"""Count how often things go wrong when the machine does its worst; goes on where it stopped.

    make endurance                                       every kind up to its usual count
    python tests/endurance/run.py --kind shard_flips --count 10000
    python tests/endurance/run.py --summary              only write benchmarks/endurance/README.md again

A trial hangs on nothing but (kind, seed, number). Each appends one line to .cache/endurance/<kind>.jsonl, and
`--count` is how many a kind and seed shall have: what stands there is not done again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests"))  # PYTHONSAFEPATH or not

from endurance import summary  # noqa: E402

KINDS = {
    "shard_flips": ("endurance.shard_flips:ShardFlips", 1000),
    "tamper": ("endurance.tamper:Tamper", 10_000),
    "build_kills": ("endurance.build_kills:BuildKills", 1000),
    "ingest_faults": ("endurance.ingest_faults:IngestFaults", 1000),
    "submit_kills": ("endurance.submit_kills:SubmitKills", 50),
    "resume_kills": ("endurance.resume_kills:ResumeKills", 1000),
    "submit_lies": ("endurance.resume_kills:SubmitLies", 100),
    "verdicts": ("endurance.verdicts:Verdicts", 30),
    "endings": ("endurance.endings:Endings", 12),
    "waves": ("endurance.waves:Waves", 3),
    "stalls": ("endurance.stalls:Stalls", 100),
    "campaign": ("endurance.campaign:Campaign", 1),
    "campaign_small": ("endurance.campaign:FewKills", 20),
    "defects": ("endurance.defects:Defects", 66),
    "defects_blind": ("endurance.blind:BlindDefects", 44),
    "error_bars": ("endurance.error_bars:ErrorBars", 500),
    "checkpoint_kills": ("endurance.checkpoint_kills:CheckpointKills", 20),
}
RECORDS = CHECKOUT / ".cache" / "endurance"


def main() -> int:
    """Do the trials that are missing; 1 where one of them found a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kind", choices=KINDS, action="append", help="may be given again; all")
    parser.add_argument("--count", type=int, help="trials that a kind and seed shall have")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--summary", action="store_true", help="no trial, only the page")
    asked = parser.parse_args()
    faults = 0
    for kind in () if asked.summary else asked.kind or KINDS:
        faults += run_kind(kind, asked.count or KINDS[kind][1], asked.seed)
    summary.write(RECORDS, KINDS, CHECKOUT / "benchmarks" / "endurance" / "README.md")
    return 1 if faults else 0


def run_kind(kind: str, count: int, seed: int) -> int:
    """Do the trials of a kind that are missing; return how many found a fault."""
    record = RECORDS / f"{kind}.jsonl"
    record.parent.mkdir(parents=True, exist_ok=True)
    done = {row["number"] for row in summary.rows(record) if row["seed"] == seed}
    missing = [number for number in range(count) if number not in done]
    say(f"{kind}: {len(done)} of seed {seed} are done, {len(missing)} to do")
    if not missing:
        return 0
    found = 0
    facts = {"kind": kind, "seed": seed, "commit": commit(), "host": summary.machine()}
    # a short name: it holds the sockets of a Slurm
    with (
        tempfile.TemporaryDirectory(prefix="forgia-", ignore_cleanup_errors=True) as scratch,
        resolve(KINDS[kind][0])(Path(scratch)) as trials,
    ):
        for number in missing:
            row = one(trials, {**facts, "number": number})
            append(record, row)
            found += bool(row["faults"])
            tell(row, len(missing))
    say(f"{kind}: {len(missing)} trials, {found} with a fault")
    return found


def one(trials: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """Do one trial and return its line."""
    chance = random.Random("/".join(str(facts[key]) for key in ("kind", "seed", "number")))
    trials.number = facts["number"]  # for a kind whose trials are listed, not drawn
    began, when = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%S")
    result = trials.trial(chance)
    return {**facts, "when": when, "seconds": round(time.monotonic() - began, 2), **result}


def append(record: Path, row: dict[str, Any]) -> None:
    """Append one line that survives a kill right after."""
    with record.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(row, sort_keys=True) + "\n")
        opened.flush()
        os.fsync(opened.fileno())


def commit() -> str:
    """Return the commit, with a + where the tree holds other things."""
    git = ["git", "-C", str(CHECKOUT), "-c", f"safe.directory={CHECKOUT}"]
    words = [["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain"]]
    said = [
        subprocess.run([*git, *each], capture_output=True, text=True, check=False).stdout
        for each in words
    ]
    return (said[0].strip() or "unknown") + ("+" if said[1].strip() else "")


def resolve(path: str) -> Any:
    """Return the class of a kind."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def tell(row: dict[str, Any], count: int) -> None:
    """Say how a trial ended: each where there are few, else each that found a fault."""
    if row["faults"] or count <= 100 or row["number"] % 100 == 99:
        say(
            f"  {row['number']:5d}  {row['seconds']:6.1f} s  {row['what']}  {'; '.join(row['faults'])}"
        )


def say(line: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
