"""Weak and strong scaling of the seven-point step on the ranks there are, and a model for Leonardo's DCGP nodes.

    python benchmarks/simulation/scaling.py [--ranks 1 2] [--cells 128] [--weak 96] [--rounds 7] [--json FILE]
    python benchmarks/simulation/scaling.py --model            # the table for 1 to 512 nodes, nothing is measured

Strong: one cube for all ranks. Weak: a cube for every rank, one behind the other. All counts of ranks take turns
in one run. More ranks than cores need --oversubscribe, and say nothing of speed. `latency` is a cube of 8^3: what
a step costs that has next to no cells, with halos (2 ranks) and without (1).
"""

from __future__ import annotations

import argparse
import math
import random
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel import BYTES, Ranks, Way
from shared import command, keep, machine, median, say

FORMAT = "forgia.scaling/1"
SEED = 0
LATENCY = 8  # cells along each axis


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What the model takes of a machine. Each number's source is in README.md."""

    ranks: int = 112  # a node: a core each
    memory: float = 491e9  # B/s a node: 0.8 of 2 sockets x 8 channels x 4.8 GT/s x 8 B
    share: float = 0.6  # of that roofline, reached by a whole step
    network: float = 12.5e9  # B/s a node and direction: one HDR100 port
    wire: float = 2e-6  # s a message between nodes
    step: float = 60e-6  # s a step whatever its cells: Python, walls, starting persistent requests


def step_s(cells: float, nodes: int, one: Cluster) -> float:
    """Return the seconds of a step: memory, then halos; nothing overlaps, as in the solver.

    Every rank has a cube of equal size, and nodes are cubes of ranks.
    """
    ranks = nodes * one.ranks
    own = cells / ranks
    face = own ** (2 / 3) * 8
    per_rank = one.memory / one.ranks
    memory = own * BYTES / (per_rank * one.share)
    copied = 6 * face * 4 / per_rank  # packed, sent, received, unpacked
    if nodes == 1:
        return memory + copied + one.step
    outer = (
        (cells / nodes) ** (2 / 3) * 8 * min(6, 2 * math.log2(nodes))
    )  # of a node that lies inside
    return memory + copied + one.step + 6 * one.wire + outer / one.network


def model(one: Cluster, seconds: float | None = None) -> list[dict[str, float]]:
    """Return rows for 1 to 512 nodes: 1024^3 cells in all (strong), and 512^3 a node (weak)."""
    one = one if seconds is None else Cluster(step=seconds)
    rows = []
    for power in range(10):
        nodes = 2**power
        strong, weak = 1024.0**3, 512.0**3 * nodes
        times = [step_s(cells, nodes, one) for cells in (strong, weak)]
        first = [step_s(cells, 1, one) for cells in (strong, 512.0**3)]
        rows.append(
            {
                "nodes": nodes,
                "strong_ms": times[0] * 1e3,
                "strong_efficiency": first[0] / (times[0] * nodes),
                "weak_ms": times[1] * 1e3,
                "weak_efficiency": first[1] / times[1],
                "weak_gcells_s": weak / times[1] / 1e9,
            }
        )
    return [{name: float(f"{value:.4g}") for name, value in row.items()} for row in rows]


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all counts of ranks."""
    cases = {
        "strong": (Way("strong", "ours", "forgia", "numba"), asked.cells),
        "weak": (Way("weak", "ours", "forgia", "numba long"), asked.weak),
        "latency": (Way("latency", "ours", "forgia", "numba"), LATENCY),
    }
    with ExitStack() as stack:
        served: dict[tuple[str, int], Ranks] = {}
        for name, (way, cells) in cases.items():
            for ranks in asked.ranks:
                own = argparse.Namespace(**{**vars(asked), "cells": cells})
                served[name, ranks] = stack.enter_context(Ranks(way, ranks, own))
                served[name, ranks].warm(asked.seconds)
        chance = random.Random(SEED)
        for _ in range(asked.rounds):
            for one in chance.sample(list(served.values()), len(served)):
                one.run()
    return {name: [_row(name, ranks, served) for ranks in asked.ranks] for name in cases}


def _row(name: str, ranks: int, served: dict[tuple[str, int], Ranks]) -> dict[str, Any]:
    """Return a median of milliseconds a step, and the efficiency against the first count of ranks."""
    times = {
        at: median([1e3 * one["wall_s"] / way.steps for one in way.passes])
        for at, way in ((key[1], way) for key, way in served.items() if key[0] == name)
    }
    first = min(times)
    work = first / ranks if name == "strong" else 1.0
    rounds = [
        median([1e3 * one["wall_s"] / served[name, ranks].steps])
        for one in served[name, ranks].passes
    ]
    return {
        "ranks": ranks,
        "step_ms": times[ranks],
        "efficiency": float(f"{times[first] * work / times[ranks]:.3g}"),
        "rounds_step_ms": rounds,
    }


def show_model(rows: list[dict[str, float]]) -> None:
    """Print the model's table."""
    say("nodes   strong: ms, efficiency   weak: ms, efficiency, Gcell/s")
    for row in rows:
        say("{nodes:5.0f} {strong_ms:9.3f} {strong_efficiency:6.2f}"
            " {weak_ms:12.3f} {weak_efficiency:6.2f} {weak_gcells_s:9.0f}".format(**row))  # fmt: skip


def main() -> None:
    """Measure, model, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", action="store_true", help="only the model")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cells", type=int, default=128, help="along each axis: strong")
    parser.add_argument(
        "--weak", type=int, default=96, help="along each axis of a rank's cube: weak"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.6, help="of a pass")
    parser.add_argument("--oversubscribe", action="store_true", help="more ranks than cores")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    asked.environments = None
    results: dict[str, Any] = {"format": FORMAT, "model": model(Cluster())}
    if not asked.model:
        results |= {"machine": machine(), "command": command(), "rounds": asked.rounds}
        results |= {"sizes": {"strong": asked.cells, "weak": asked.weak, "latency": LATENCY}}
        results["measured"] = measured(asked)
        for name, rows in results["measured"].items():
            for row in rows:
                say(
                    f"{name:8s} {row['ranks']} ranks {row['step_ms']:9.4f} ms {row['efficiency']:5.2f}"
                )
        keep(asked.json, results)
    show_model(results["model"])


if __name__ == "__main__":
    main()
