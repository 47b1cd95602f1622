"""forgia report."""

from __future__ import annotations

from pathlib import Path

import click

from forgia_hpc.cli.output import console, say, say_json
from forgia_hpc.cli.words import json_option, run_argument, runs_root


@click.command(epilog="\b\nExamples:\n  forgia report RUN\n  forgia report RUN --to /tmp/page.html")
@run_argument
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes; else into the run.",
)
@json_option
def report(run: str, to: Path | None, as_json: bool) -> None:
    """A table here, and a self-contained page with plots, made from a run as it is now."""
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.track import status_of
    from forgia_hpc.report.page import write_report
    from forgia_hpc.report.terminal import show_run

    found = find_run(run, runs_root())
    status = status_of([found])[0]
    if status.kind == "sweep":
        from forgia_hpc.cli.results import show_results
        from forgia_hpc.sweepdir import SweepDir

        form = "json" if as_json else ""
        show_results(SweepDir(found.path), column=None, descending=False, form=form, to=to)
        return
    page = write_report(found, to, state=status.state.value)
    if as_json:
        say_json("report", {**status.as_json(), "report": str(page)})
        return
    show_run(found, console(), state=status.state.value)
    say(f"report: {page}")
