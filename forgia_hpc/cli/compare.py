"""forgia diff, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import complete_run, json_option, runs_argument, runs_root
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.jobs.difference import Difference

SHOWN = 40  # differences of one section that are listed; --json has all
WIDE = 60  # characters of a value


@click.command(epilog="\b\nExamples:\n  forgia diff RUN RUN\n  forgia diff RUN RUN --code")
@click.argument("left", metavar="RUN", shell_complete=complete_run)
@click.argument("right", metavar="RUN", shell_complete=complete_run)
@click.option("--code", "with_code", is_flag=True, help="The changed lines of the code too.")
@json_option
def diff(left: str, right: str, with_code: bool, as_json: bool) -> None:
    """What differs between two runs: config, cluster, data, code, environment."""
    from dataclasses import asdict

    from forgia_hpc.jobs.difference import code_diff, differences
    from forgia_hpc.jobs.find import find_run

    one, other = (find_run(text, runs_root()) for text in (left, right))
    found = differences(one, other)
    lines = [
        line
        for changed in found
        if with_code and changed.section == "code"
        for line in code_diff(one, other, changed.key)
    ]
    if as_json:
        content = {"runs": [one.name, other.name], "same": not found}
        say_json(
            "diff", {**content, "differences": [asdict(each) for each in found], "code": lines}
        )
        return
    if not found:
        say("no difference: the same job")
        return
    _tell(found)
    for line in lines:
        say(line)


def _tell(found: list[Difference]) -> None:
    from forgia_hpc.jobs.difference import SECTIONS

    for section in SECTIONS:
        own = [one for one in found if one.section == section]
        if own:
            say(click.style(f"{section}  ({len(own)})", bold=True))
        for one in own[:SHOWN]:
            say(f"  {one.key}: {_short(one.left)} → {_short(one.right)}")
        if len(own) > SHOWN:
            say(f"  … {len(own) - SHOWN} more: --json")


def _short(value: object) -> str:
    if value is None:
        return "–"
    text = str(value)
    digest = len(text) == 64 and all(c in "0123456789abcdef" for c in text)
    cut = 12 if digest else WIDE
    return text if len(text) <= cut else f"{text[:cut]}…"


@click.command(
    epilog="\b\nExamples:\n  forgia compare RUN RUN RUN\n  forgia compare RUN RUN --metric grad_norm"
    " --to /tmp/page.html\n  forgia compare RUN RUN --csv > figures.csv"
)
@runs_argument
@click.option("--metric", default="loss", show_default=True, help="A column of metrics.jsonl.")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="A page with a plot, too."
)
@click.option("--csv", "as_csv", is_flag=True, help="The figures as CSV on stdout.")
@json_option
def compare(
    runs: tuple[str, ...], metric: str, to: Path | None, as_csv: bool, as_json: bool
) -> None:
    """What several runs reached, and what differs in their configs."""
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.report import comparison, comparison_shown

    if len(runs) < 2:
        limit = "two or more are needed"
        raise InputError(Problem(field="RUN", got=len(runs), limit=limit, fix="forgia status"))
    chosen = [find_run(text, runs_root()) for text in runs]
    found = comparison.compare(chosen, metric)
    page = comparison_shown.write_comparison(found, metric, to) if to else None
    if as_json:
        content = {"metric": metric, "runs": [one.as_json() for one in found]}
        say_json("compare", {**content, "page": str(page) if page else None})
    elif as_csv:
        click.echo(comparison_shown.as_csv(found, metric), nl=False)
    else:
        comparison_shown.show(found, metric, console())
    if page and not as_json:
        note(f"page: {page}")
