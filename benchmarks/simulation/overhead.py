"""What a campaign adds to larger members, and what its conclusion costs a gigabyte.

    python benchmarks/simulation/overhead.py [--members 8] [--cells 64] [--rounds 3] [--json FILE]

Members of 64^3 cells, 2,400 explicit steps, 11 frames, on one core: bare, a process that solves one after the
other (prepare, run, extract, check) and keeps nothing; and a campaign of one group. In turns. *own* is what a
campaign's group does besides the solver by its own journal: audit, checksums, HDF5, claims. Then campaigns of two
ranks whose members are mostly frames.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from campaigns import ran, sealed
from members import told
from shared import CHECKOUT, HERE, command, keep, machine, median, say, scrubbed

sys.path.insert(0, str(HERE / "peers"))
import member

from forgia_hpc.simulate.communicator import Alone

FORMAT = "forgia.overhead/1"
CONCLUDED = ((1, 4), (10, 100))  # members, frames: at 64^3 4 MB and 1 GB


def large(cells: int) -> dict[str, Any]:
    """Return the options of a member of 2,400 steps, whatever its cells."""
    return member.options(cells, 114.9 * (64 / cells) ** 2, 11)


def bare(members: int, cells: int) -> dict[str, float]:
    """Return seconds a member, the first one apart: it compiles."""
    solver, spent = member.opened(large(cells)), []
    for number in range(members):
        began = time.perf_counter()
        case = solver.prepare(member.member(number, members), Alone(), Path())
        solver.run(case, lambda: False)
        solver.check(case, solver.extract(case))
        spent.append(time.perf_counter() - began)
    return {"member_s": sum(spent[1:]) / (members - 1)}


def alone(members: int, cells: int) -> dict[str, float]:
    """Return the same of a process of its own."""
    argv = [sys.executable, __file__, "--bare", "--members", str(members), "--cells", str(cells)]
    given = scrubbed(PYTHONPATH=str(CHECKOUT))
    answer = subprocess.run(argv, env=given, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(answer)
    return found


def campaign(members: int, cells: int) -> dict[str, float]:
    """Return a campaign's seconds a member, and what of it is not the solver."""
    with tempfile.TemporaryDirectory(prefix="forgia-overhead-") as folder:
        run = sealed(Path(folder), large(cells), members, "resources.ranks_per_node=1")
        found = told(ran(run, members), groups=1)
    own = {"member_s": 1 / found["steady_s"], "own_s": found["own_ms"] / 1e3}
    return own | {"start_s": found["start_s"], "solver_s": found["solver_ms"] / 1e3}


def conclusion(members: int, options: dict[str, Any]) -> dict[str, float]:
    """Return what a conclusion of two ranks took, and how much it sealed."""
    with tempfile.TemporaryDirectory(prefix="forgia-overhead-") as folder:
        run = sealed(Path(folder), options, members, "resources.ranks_per_node=2")
        found = ran(run, members)
        size = sum(one.stat().st_size for one in Path(folder, "data").rglob("*") if one.is_file())
    return {"gb": size / 1e9, "conclude_s": found.conclude_s}


def medians(passes: list[dict[str, float]]) -> dict[str, Any]:
    """Return medians, and the values of each round."""
    names = passes[0]
    found: dict[str, Any] = {name: median([one[name] for one in passes]) for name in names}
    return found | {f"rounds_{name}": [median([one[name]]) for one in passes] for name in names}


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--cells", type=int, default=64, help="of a member, along each axis")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help="only solve, and say how long it took")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    if asked.bare:
        say(json.dumps(bare(asked.members, asked.cells)))
        return
    results: dict[str, Any] = {"format": FORMAT, "machine": machine(), "command": command()}
    results |= {"members": asked.members, "cells": asked.cells, "rounds": asked.rounds}
    passes: dict[str, list[dict[str, float]]] = {
        "bare": [],
        "campaign": [],
        "small": [],
        "large": [],
    }
    for _ in range(asked.rounds):
        passes["bare"].append(alone(asked.members, asked.cells))
        passes["campaign"].append(campaign(asked.members, asked.cells))
        for name, (members, frames) in zip(("small", "large"), CONCLUDED, strict=True):
            options = member.options(asked.cells, 5.0 * (64 / asked.cells) ** 2, frames)
            passes[name].append(conclusion(members, options))
    found = {name: medians(every) for name, every in passes.items()}
    ours, plain = found["campaign"], found["bare"]["member_s"]
    more = found["large"]["gb"] - found["small"]["gb"]
    summary = {
        "overhead": median([ours["member_s"] / plain - 1]),
        "own_share": median([ours["own_s"] / ours["solver_s"]]),
        "conclude_s_gb": median(
            [(found["large"]["conclude_s"] - found["small"]["conclude_s"]) / more]
        ),
    }
    keep(asked.json, results | {"figures": found, "summary": summary})
    say(f"bare {plain:.3f} s a member, campaign {ours['member_s']:.3f} s: {summary['overhead']:+.1%};"
        f" by its journal {summary['own_share']:.1%}; its start {ours['start_s']:.1f} s")  # fmt: skip
    say(f"conclusion {found['large']['conclude_s']:.1f} s for {found['large']['gb']:.2f} GB,"
        f" {found['small']['conclude_s']:.1f} s for none: {summary['conclude_s_gb']:.1f} s/GB")  # fmt: skip


if __name__ == "__main__":
    main()
