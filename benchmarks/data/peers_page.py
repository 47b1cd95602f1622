"""Results of compare.py as a Markdown table and as a plot.

python benchmarks/data/peers_page.py benchmarks/data/results/2026-11-22-peers.json
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.report.markup import Safe, tag
from forgia_hpc.report.svg import Scale, log_ticks

FORMAT = "forgia.peers/1"
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-weight: 600 } .grid { stroke: #ddd }
.ceiling { fill: #9a9a9a } .ours { fill: #0b6e4f } .peer { fill: #c98b2b } rect.paper { fill: #fff }
"""
WIDTH, LEFT, LINE = 720, 200, 19


@dataclass(frozen=True)
class Row:
    """One way in one case: medians, windows a second."""

    way: str
    kind: str  # ceiling | ours | peer
    compared: int
    cpu: float
    wall: float
    spread: tuple[float, float]  # slowest and quickest round, by CPU time


@dataclass(frozen=True)
class Case:
    """Windows of one size in one order."""

    window_bytes: int
    batch: int
    run: int
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What the windows are."""
        order = "full shuffle" if self.run == 1 else f"runs of {self.run}"
        return f"{self.window_bytes >> 10} KiB, batches of {self.batch}, {order}"

    def row(self, way: str) -> Row:
        """Return the row of a way."""
        return next(row for row in self.rows if row.way == way)

    def best(self, kind: str) -> Row:
        """Return the quickest of a kind by CPU time."""
        return max((row for row in self.rows if row.kind == kind), key=lambda row: row.cpu)


def load(path: Path) -> list[Case]:
    """Return the cases of a results file.

    Raises:
        ValueError: it is of another format.
    """
    content = json.loads(path.read_text())
    if content["format"] != FORMAT:
        raise ValueError(f"{path}: {content['format']}, not {FORMAT}")
    return [
        Case(
            case["window_bytes"],
            case["batch"],
            case["run"],
            tuple(
                Row(
                    row["way"],
                    row["kind"],
                    row["compared"],
                    row["windows_cpu_s"],
                    row["windows_wall_s"],
                    (min(row["rounds_cpu"]), max(row["rounds_cpu"])),
                )
                for row in case["figures"]
            ),
        )
        for case in content["cases"]
    ]


def rounded(value: float) -> str:
    """Return three significant digits with commas."""
    return f"{float(f'{value:.3g}'):,.0f}"


def table(cases: list[Case]) -> str:
    """Return a Markdown table: a way a line, windows a CPU second and a second of wall time."""
    head = "| windows/CPU-s (windows/s) | " + " | ".join(case.title for case in cases) + " |"
    lines = [head, "|---|" + "---:|" * len(cases)]
    for first in cases[0].rows:
        rows = [case.row(first.way) for case in cases]
        cells = [f"{rounded(row.cpu)} ({rounded(row.wall)})" for row in rows]
        lines.append(f"| {first.way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def panel(case: Case, top: float) -> list[Safe]:
    """Return the bars of one case, the quickest first, on a logarithmic scale."""
    rows = sorted(case.rows, key=lambda row: -row.cpu)
    x = Scale(rows[-1].cpu / 2, rows[0].cpu, LEFT, WIDTH - 90, log=True)
    bottom = top + 24 + LINE * len(rows)
    pieces = [tag("text", f"{case.title}: windows a CPU second", x=8, y=top + 12, class_="title")]
    for tick in log_ticks(x.low, x.high):
        place = f"{x(tick):.1f}"
        pieces.append(tag("line", x1=place, x2=place, y1=top + 20, y2=bottom, class_="grid"))
    for at, row in enumerate(rows):
        y = top + 24 + LINE * at
        end = x(row.cpu)
        pieces += [
            tag("text", row.way, x=LEFT - 8, y=y + 12, text_anchor="end"),
            tag(
                "rect", x=LEFT, y=y + 2, width=f"{end - LEFT:.1f}", height=LINE - 5, class_=row.kind
            ),
            tag("text", rounded(row.cpu), x=f"{end + 6:.1f}", y=y + 12),
        ]
    return pieces


def plot(cases: list[Case]) -> str:
    """Return a picture of the cases in full shuffle."""
    shown = [case for case in cases if case.run == 1]
    step = 44 + LINE * len(shown[0].rows)
    pieces = [tag("style", Safe(STYLE)), tag("rect", width="100%", height="100%", class_="paper")]
    for at, case in enumerate(shown):
        pieces += panel(case, 8 + at * step)
    return tag(
        "svg",
        *pieces,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {step * len(shown)}",
        role="img",
        aria_label="Windows a CPU second of each way, on a logarithmic scale",
    )


def main() -> None:
    """Print the table; write the plot beside the results."""
    for word in sys.argv[1:]:
        path = Path(word)
        cases = load(path)
        sys.stdout.write(table(cases) + "\n")
        path.with_suffix(".svg").write_text(plot(cases) + "\n")


if __name__ == "__main__":
    main()
