"""forgia results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option, run_argument, runs_root
from forgia_hpc.errors import ExitCode, InputError, Problem, SlurmSilentError

if TYPE_CHECKING:
    from forgia_hpc.report.sweep import Results
    from forgia_hpc.rundir import RunDir
    from forgia_hpc.sweepdir import SweepDir

WIDE = 6  # figures that a terminal shows; --csv and --json have all


@click.command(
    epilog="\b\nExamples:\n  forgia results SWEEP --by loss\n"
    "  forgia results SWEEP --by evaluate.skill --descending\n"
    "  forgia results SWEEP --csv > points.csv"
)
@run_argument
@click.option("--by", "column", metavar="COLUMN", help="Sort by this column; plot it too.")
@click.option("--descending", is_flag=True, help="The largest first.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout, every column.")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Where the page goes.")
@json_option
def results(
    run: str, column: str | None, descending: bool, as_csv: bool, to: Path | None, as_json: bool
) -> None:
    """What the points of a sweep reached: a table here, and a page with a plot.

    A program of a command job tells its figures by writing metrics.json into $FORGIA_OUTPUT.
    """
    from forgia_hpc.jobs.find import find_run

    sweep = _sweep(find_run(run, runs_root()))
    show_results(
        sweep,
        column=column,
        descending=descending,
        form="csv" if as_csv else "json" if as_json else "",
        to=to,
    )


def _sweep(found: RunDir) -> SweepDir:
    from forgia_hpc.jobs.submission import sealed_record
    from forgia_hpc.sweepdir import SweepDir

    kind = sealed_record(found)["kind"]
    if kind != "sweep":
        limit, fix = f"it is a {kind} run, no sweep", f"forgia report {found.name}"
        raise InputError(Problem(field="RUN", got=found.name, limit=limit, fix=fix))
    return SweepDir(found.path)


def show_results(
    sweep: SweepDir, *, column: str | None, descending: bool, form: str, to: Path | None
) -> None:
    """Print the table of a sweep and write its page; where Slurm is silent, done points are shown all the same."""
    from forgia_hpc.jobs.point_states import point_states
    from forgia_hpc.jobs.points import counted, counts
    from forgia_hpc.report.sweep import read_results, write_page

    states, silent = {}, ""
    headline = f"{len(sweep.points)} points"
    try:
        found = point_states(sweep)
        states = {one.index: one.state.value for one in found}
        headline = counted(counts(found))
    except (SlurmSilentError, InputError) as error:
        silent = str(error).splitlines()[0]
    table = read_results(sweep, states)
    table = table.by(column, descending=descending) if column else table
    if form == "csv":
        click.echo(table.as_csv(), nl=False)
    else:
        metric = column if column in table.figures else None
        page = write_page(sweep, table, headline, metric=metric, to=to)
        if form == "json":
            say_json("results", {**table.as_json(), "report": str(page)})
        else:
            _show(table)
            say(f"{headline}; report: {page}")
    if silent:
        note(f"forgia: {silent}; states are not known")
        raise click.exceptions.Exit(int(ExitCode.SLURM_SILENT))


def _show(table: Results) -> None:
    from rich.table import Table

    same = constant(table, [*table.swept, "state", *table.figures])
    if same:
        say("in all points: " + ", ".join(f"{name} {_text(value)}" for name, value in same.items()))
    varied = [name for name in table.figures if name not in same]
    figures = varied[:WIDE]
    columns = ["point", *(n for n in (*table.swept, "state") if n not in same), *figures]
    drawn = Table(box=None, pad_edge=False)
    for name in columns:
        drawn.add_column(name, justify="right" if name in figures else "left", no_wrap=True)
    for row in table.rows:
        cells = [row.cell(name) for name in columns]
        drawn.add_row(*("–" if cell is None else _text(cell) for cell in cells))
    console().print(drawn)
    if len(varied) > WIDE:
        note(f"{len(varied) - WIDE} more figures: --csv or --json")


def constant(table: Results, names: Sequence[str]) -> dict[str, object]:
    """Return the columns that have one value in all of several points, with it."""
    if len(table.rows) < 2:
        return {}
    values = {name: [row.cell(name) for row in table.rows] for name in names}
    return {
        name: cells[0]
        for name, cells in values.items()
        if cells[0] is not None and all(cell == cells[0] for cell in cells)
    }


def _text(cell: object) -> str:
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)
