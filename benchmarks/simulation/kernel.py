"""The seven-point heat step beside Devito, NumPy slices and STREAM's triad: a process a way, in turns, in one run.

    python benchmarks/simulation/peers/environments.py ENVIRONMENTS devito_heat
    python benchmarks/simulation/kernel.py ENVIRONMENTS [--cells 128] [--ranks 1 2] [--rounds 7] [--json FILE]
    python benchmarks/simulation/kernel.py --device cuda [--cells 256]      # on a machine with a GPU, no peers

One Fourier mode in a cube. Every way is first compared with the scheme's exact solution; then rounds, in each of
which every way has one pass, in a sequence dealt anew. Ours goes through Case and solve, as every member does. A
figure is the median over rounds of cells times steps by the wall time of the slowest rank; by CPU time beside it.
The roofline: the triad's bytes a second of as many ranks, at 24 bytes a cell.
"""

from __future__ import annotations

import argparse
import random
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import HERE, command, keep, machine, median, say, scrubbed

sys.path.insert(0, str(HERE.parent))
from common.served import Served

FORMAT = "forgia.kernel/1"
BYTES = 24  # a cell: one read, one written, and the line that a write fetches
SEED = 0


@dataclass(frozen=True)
class Way:
    """What is measured: its name in the table, its kind, its driver and the driver's word for it."""

    name: str
    kind: str  # ceiling | ours | peer
    driver: str
    word: str = "-"
    ranks: tuple[int, ...] = ()  # empty: any
    threads: int = 1


CPU = (
    Way("STREAM triad", "ceiling", "triad", "triad"),
    Way("our kernel alone", "part", "triad", "kernel"),
    Way("forgia, numba", "ours", "forgia", "numba"),
    Way("forgia, torch", "ours", "forgia", "torch"),
    Way("forgia, numpy", "ours", "forgia", "numpy"),
    Way("Devito", "peer", "devito_heat", "mpi"),
    Way("Devito, OpenMP, 2 threads", "peer", "devito_heat", "threads", (1,), 2),
    Way("NumPy slices", "peer", "plain"),
)
CUDA = (
    Way("copy", "ceiling", "triad", "cuda copy", (1,)),
    Way("forgia, torch", "ours", "forgia", "torch cuda", (1,)),
)


class Ranks(Served):
    """A way and its ranks."""

    def __init__(self, way: Way, ranks: int, asked: argparse.Namespace) -> None:
        """Start it."""
        self.way, self.ranks, self.cells = way, ranks, asked.cells
        own = asked.environments and asked.environments / way.driver / "bin/python"
        python = own if way.kind == "peer" and way.driver == "devito_heat" else sys.executable
        bound = ["--bind-to", "core"] if way.threads == 1 else ["--bind-to", "none"]
        bound = ["--oversubscribe", "--bind-to", "none"] if asked.oversubscribe else bound
        words = ["mpirun", "-n", str(ranks), *bound, python, HERE / "peers/rank.py"]
        yields = {"OMPI_MCA_mpi_yield_when_idle": "1"}
        given = scrubbed(**yields, OMP_NUM_THREADS=str(way.threads))
        super().__init__(way.name, [*words, way.driver, way.word, str(asked.cells)], given)
        self.steps = 0

    def warm(self, seconds: float) -> None:
        """Wait until it is ready, and choose the steps of a pass: a multiple of 16, and one.

        Raises:
            RuntimeError: it ended instead, or its result is not the scheme's.
        """
        self.ready()
        off = self.facts.get("off_scheme", 0.0)
        if off > 1e-12:
            raise RuntimeError(f"{self.way.name} is {off:g} off the scheme's exact solution")
        warm = self.facts.pop("warm")["wall_s"]
        self.steps = 16 * max(1, min(40, round(seconds / warm * 49 / 16))) + 1

    def run(self) -> None:
        """Have it do one pass."""
        self.do(self.steps)

    def figures(self) -> dict[str, Any]:
        """Return medians and what they are made of: million cells a second of all ranks together."""
        work = self.cells**3 * self.steps / 1e6
        if self.way.kind == "ceiling":
            work = self.facts["bytes"] * self.ranks * self.steps / BYTES / 1e6
        found = {"way": self.way.name, "kind": self.way.kind, "steps": self.steps}
        for name in ("wall_s", "cpu_s", "solve_s"):
            rates = [work / one[name] for one in self.passes if name in one]
            if rates:
                key = "mcells_" + name.partition("_")[0]
                found |= {key: median(rates), f"rounds_{name}": [median([one]) for one in rates]}
        return found | {"facts": self.facts}


def compare(ranks: int, ways: list[Way], asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of so many ranks."""
    with ExitStack() as stack:
        served = []
        for way in ways:
            served.append(stack.enter_context(Ranks(way, ranks, asked)))
            served[-1].warm(asked.seconds)  # one after the other: they compile
        chance = random.Random(SEED)
        for _ in range(asked.rounds):
            for one in chance.sample(served, len(served)):
                one.run()
        figures = [one.figures() for one in served]
    top = next(one for one in figures if one["kind"] == "ceiling")["mcells_wall"]
    for one in figures:
        one["of_roofline"] = float(f"{one['mcells_wall'] / top:.3g}")
    return {"ranks": ranks, "cells": asked.cells, "roofline_mcells": top, "figures": figures}


def show(case: dict[str, Any]) -> None:
    """Print one table."""
    gbs = case["roofline_mcells"] * BYTES / 1e3
    say(f"{case['cells']}^3, {case['ranks']} ranks, roofline {gbs:.1f} GB/s")
    for row in case["figures"]:
        whole = f"{row['mcells_solve']:8,.0f} whole" if "mcells_solve" in row else ""
        cpu = row["mcells_cpu"]
        say(f"  {row['way']:26s} {row['mcells_wall']:8,.0f} Mcell/s {row['of_roofline']:6.2f}"
            f" {cpu:8,.0f} by CPU {whole}")  # fmt: skip


def main() -> None:
    """Measure everything and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environments", type=Path, nargs="?", help="of peers/environments.py")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--cells", type=int, default=128, help="along each axis")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.6, help="of a pass")
    parser.add_argument("--only", nargs="+", help="drivers; all without")
    parser.add_argument("--oversubscribe", action="store_true", help="more ranks than cores")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    ways = CUDA if asked.device == "cuda" else CPU
    asked.ranks = [1] if asked.device == "cuda" else asked.ranks
    results: dict[str, Any] = {"format": FORMAT, "machine": machine(), "command": command()}
    results |= {"seed": SEED, "rounds": asked.rounds, "device": asked.device, "cases": []}
    for ranks in asked.ranks:
        mine = [
            one for one in ways
            if ranks in (one.ranks or (ranks,))
            and (not asked.only or one.driver in (*asked.only, "triad"))
            and (asked.environments or one.driver != "devito_heat")
        ]  # fmt: skip
        results["cases"].append(compare(ranks, mine, asked))
        show(results["cases"][-1])
        keep(asked.json, results)


if __name__ == "__main__":
    main()
