"""The tables of README.md, from results/*.json.

python benchmarks/simulation/page.py benchmarks/simulation/results/DATE-*.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shared import say

Results = dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines; the first column is words, the others are numbers."""
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def heading(found: Results) -> str:
    """Return what the figures hang on, in a line."""
    own = found["machine"]
    load = f"load {own['load_at_start']:.1f} at the start, {own['load_at_end']:.1f} at the end"
    packages = ", ".join(f"{name} {one}" for name, one in own["packages"].items())
    return (
        f"{own['cores']} cores {own['cpu']}, {load}; Python {own['python']}, {packages}, {own['mpi']};"
        f" commit {own['commit']}; `{' '.join(found['command'])}`"
    )


def kernel(found: Results) -> Iterator[str]:
    """Yield Mcell/s of every way, a column a count of ranks."""
    cases = found["cases"]
    names = list(dict.fromkeys(row["way"] for case in cases for row in case["figures"]))
    head = [f"Mcell/s (of the roofline), {cases[0]['cells']}³, float64"]
    head += [f"{case['ranks']} rank{'s' * (case['ranks'] > 1)}" for case in cases]
    rows = []
    for name in names:
        row = [name]
        for case in cases:
            one = next((one for one in case["figures"] if one["way"] == name), None)
            row.append(f"{one['mcells_wall']:,.0f} ({one['of_roofline']:.2f})" if one else "")
        rows.append(row)
    yield from table(head, rows)
    for case in cases:
        rates = {one["way"]: one["mcells_wall"] for one in case["figures"]}
        if {"forgia, numba", "Devito"} <= set(rates):
            share = rates["forgia, numba"] / rates["Devito"]
            yield f"\n{case['ranks']} rank(s): ours is {share:.2f} of Devito."


def members(found: Results) -> Iterator[str]:
    """Yield members a second, and where a campaign's time goes."""
    ours = found["figures"][0]
    rows = [
        [
            one["way"],
            f"{one['members_s']:.4g}",
            f"{ours['members_s'] / one['members_s']:.1f}",
            f"{one['members']:,}",
        ]
        for one in found["figures"]
    ]
    yield from table(
        ["16³, 24 steps, HDF5", "members/s", "ours is … times that", "members a round"], rows
    )
    yield (
        f"\nSteady, without the start of the groups ({ours['start_s']:.1f} s): {ours['steady_s']:.4g} members/s."
        f" A member takes {ours['solver_ms']:.2f} ms in the solver and {ours['own_ms']:.2f} ms besides,"
        f" {ours['cpu_ms']:.2f} ms of CPU with everything. The conclusion: {ours['conclude_s']:.1f} s."
    )


def overhead(found: Results) -> Iterator[str]:
    """Yield what a campaign adds to larger members."""
    figures, short = found["figures"], found["summary"]
    ours, large, small = figures["campaign"], figures["large"], figures["small"]
    rows = [
        ["bare", f"{figures['bare']['member_s']:.3f}", ""],
        ["campaign, one group", f"{ours['member_s']:.3f}", f"{short['overhead']:+.1%}"],
        [
            "of it outside the solver, by its journal",
            f"{ours['own_s']:.3f}",
            f"{short['own_share']:+.1%}",
        ],
    ]
    yield from table([f"{found['cells']}³, 2,400 steps", "s a member", "more"], rows)
    yield (
        f"\nStart of the group (imports, probation): {ours['start_s']:.1f} s. Conclusion:"
        f" {large['conclude_s']:.1f} s for {large['gb']:.2f} GB, {small['conclude_s']:.1f} s for none:"
        f" {short['conclude_s_gb']:.1f} s/GB."
    )


def scaling(found: Results) -> Iterator[str]:
    """Yield what was measured, then the model."""
    sizes = found["sizes"]
    titles = {
        "strong": f"strong, {sizes['strong']}³ in all",
        "weak": f"weak, {sizes['weak']}³ a rank",
        "latency": f"{sizes['latency']}³ in all",
    }
    rows = [
        [titles[name], str(row["ranks"]), f"{row['step_ms']:.4g}",
         f"{row['efficiency']:.2f}" if name != "latency" else ""]
        for name, rows in found["measured"].items() for row in rows
    ]  # fmt: skip
    yield from table(["measured", "ranks", "ms a step", "efficiency"], rows)
    yield ""
    yield from modelled(found["model"])


def modelled(rows: Sequence[dict[str, float]]) -> Iterator[str]:
    """Yield the model's table."""
    told = [
        [f"{row['nodes']:.0f}", f"{row['strong_ms']:.3g}", f"{row['strong_efficiency']:.2f}",
         f"{row['weak_ms']:.3g}", f"{row['weak_efficiency']:.2f}", f"{row['weak_gcells_s']:,.0f}"] for row in rows
    ]  # fmt: skip
    head = [
        "nodes (model)",
        "1024³: ms a step",
        "efficiency",
        "512³ a node: ms a step",
        "efficiency",
        "Gcell/s",
    ]
    yield from table(head, told)


PAGES: dict[str, Callable[[Results], Iterator[str]]] = {
    "forgia.kernel/1": kernel,
    "forgia.members/1": members,
    "forgia.overhead/1": overhead,
    "forgia.scaling/1": scaling,
}


def main() -> None:
    """Print each file's tables."""
    for name in sys.argv[1:]:
        found = json.loads(Path(name).read_text(encoding="utf-8"))
        say(f"\n<!-- {Path(name).name} -->\n\n{heading(found)}\n")
        for line in PAGES[found["format"]](found):
            say(line)


if __name__ == "__main__":
    main()
