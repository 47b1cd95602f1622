"""Small members kept in HDF5: a campaign beside one mpirun a member and executorlib's block mode, in one run.

    python benchmarks/simulation/peers/environments.py ENVIRONMENTS blocks
    python benchmarks/simulation/members.py ENVIRONMENTS [--members 6000] [--rounds 3] [--json FILE]

The same members (peers/member.py) with the same solver on the same two cores; the ways take turns. A figure is the
median over rounds of members a second: of a campaign from the start of its groups to their end, probation
included; of executorlib once its workers are warm; of mpirun from start to end. *steady* is a campaign without the
start of its groups.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns import Ran, cpu_of_children, ran, sealed
from shared import CHECKOUT, HERE, command, keep, machine, median, say, scrubbed

sys.path.insert(0, str(HERE / "peers"))
import member

FORMAT = "forgia.members/1"
SEED = 0
YIELDS = {"OMPI_MCA_mpi_yield_when_idle": "1"}


@dataclass
class Way:
    """One way: its passes, each with members, wall_s, and perhaps more."""

    name: str
    run: Callable[[Path], dict[str, Any]]
    passes: list[dict[str, Any]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return medians and what they are made of."""
        rates = [one["members"] / one["wall_s"] for one in self.passes]
        found: dict[str, Any] = {"way": self.name, "members_s": median(rates)}
        found["rounds"] = [median([one]) for one in rates]
        found["members"] = self.passes[0]["members"]
        for key in ("cpu_ms", "solver_ms", "own_ms", "steady_s", "conclude_s", "start_s"):
            values = [one[key] for one in self.passes if key in one]
            if values:
                found[key] = median(values)
        return found | {"facts": self.passes[0].get("versions", {})}


def campaign(members: int, *words: str) -> Callable[[Path], dict[str, Any]]:
    """Return a way that runs a campaign of two groups of a rank."""

    def run(folder: Path) -> dict[str, Any]:
        given = sealed(folder, member.options(), members, "resources.ranks_per_node=2", *words)
        return told(ran(given, members), groups=2)

    return run


def told(one: Ran, groups: int) -> dict[str, Any]:
    """Return a campaign's figures: milliseconds are of one member on its core, by the clock."""
    solver = one.solver_s / one.members * 1e3
    found = {"members": one.members, "wall_s": one.campaign_s, "conclude_s": one.conclude_s}
    found |= {"cpu_ms": one.cpu_s / one.members * 1e3, "solver_ms": solver}
    if one.rate:  # a fresh process begins one member
        own = groups / one.rate * 1e3 - solver
        started = one.campaign_s - one.members / one.rate
        found |= {"steady_s": one.rate, "own_ms": own, "start_s": started}
    return found


def mpirun(members: int, ranks: int, at_once: int) -> Callable[[Path], dict[str, Any]]:
    """Return a way that starts one mpirun a member."""

    def run(folder: Path) -> dict[str, Any]:
        given = scrubbed(**YIELDS, PYTHONPATH=str(CHECKOUT))
        argv = [
            "mpirun",
            "-n",
            str(ranks),
            "--bind-to",
            "none",
            sys.executable,
            HERE / "peers/member.py",
        ]
        began, spent = time.perf_counter(), cpu_of_children()
        for at in range(0, members, at_once):
            started = [
                subprocess.Popen([*argv, str(n), folder / f"{n}.h5"], env=given)
                for n in range(at, at + at_once)
            ]
            for one in started:
                if one.wait():
                    raise RuntimeError(f"a member's mpirun ended with {one.returncode}")
        wall, cpu = time.perf_counter() - began, cpu_of_children() - spent
        return {"members": members, "wall_s": wall, "cpu_ms": cpu / members * 1e3}

    return run


def blocks(members: int, ranks: int, python: Path) -> Callable[[Path], dict[str, Any]]:
    """Return a way that gives members to executorlib's workers: two of a rank, or one of two."""

    def run(folder: Path) -> dict[str, Any]:
        given = scrubbed(**YIELDS, PYTHONPATH=f"{CHECKOUT}:{HERE / 'peers'}")
        argv = [python, HERE / "peers/blocks.py", str(members), str(2 // ranks), str(ranks), folder]
        answer = subprocess.run(argv, env=given, check=True, capture_output=True, text=True).stdout
        found: dict[str, Any] = json.loads(answer.splitlines()[-1])
        if found["members"] != members:
            raise RuntimeError(f"{found['members']} of {members} members passed their checks")
        return found

    return run


def ways_of(asked: argparse.Namespace) -> list[Way]:
    """Return what is measured."""
    python = asked.environments / "blocks/bin/python"
    few = max(2, min(8, asked.members // 100))
    return [
        Way("forgia, 2 groups of 1 rank", campaign(asked.members)),
        Way("forgia, fresh process a member", campaign(few, "ensemble.launch=fresh")),
        Way("executorlib, block mode, 1 worker of 2 ranks", blocks(30 * few, 2, python)),
        Way("executorlib, block mode, 2 workers of 1 rank", blocks(30 * few, 1, python)),
        Way("mpirun a member, 2 ranks", mpirun(few, 2, 1)),
        Way("mpirun a member, 1 rank, 2 at once", mpirun(few, 1, 2)),
    ]


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environments", type=Path, help="of peers/environments.py")
    parser.add_argument("--members", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    results: dict[str, Any] = {"format": FORMAT, "machine": machine(), "command": command()}
    ways, chance = ways_of(asked), random.Random(SEED)
    for _ in range(asked.rounds):
        for way in chance.sample(ways, len(ways)):
            with tempfile.TemporaryDirectory(prefix="forgia-members-") as folder:
                way.passes.append(way.run(Path(folder)))
            say(f"  {way.name:46s} {way.passes[-1]['members'] / way.passes[-1]['wall_s']:8.2f} /s")
    results |= {"rounds": asked.rounds, "figures": [way.figures() for way in ways]}
    keep(asked.json, results)
    ours = results["figures"][0]["members_s"]
    for row in results["figures"]:
        say(
            f"{row['way']:46s} {row['members_s']:8.2f} members/s, ours is {ours / row['members_s']:.1f} times that"
        )


if __name__ == "__main__":
    main()
