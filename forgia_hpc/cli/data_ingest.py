"""forgia data draft, and what forgia data ingest does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option

if TYPE_CHECKING:
    from forgia_hpc.data.ingest.report import IngestReport

_HELP = """\b
Examples:
  forgia data draft mill_1.csv mill_2.csv --name my_plant --contributor my_company > recipe.yaml
  forgia data draft export.parquet --json
  forgia data draft vibration.wav
  forgia data draft well/data/train/*.hdf5 --name quench > card.yaml"""


@click.command(epilog=_HELP)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path),
)
@click.option("--name", default="", help="The dataset's name; else the first file's.")
@click.option("--contributor", default="", help="Whose data they are.")
@json_option
def draft(files: tuple[Path, ...], name: str, contributor: str, as_json: bool) -> None:
    """Propose a recipe from raw files of one shape: columns, decimals, ranges, units, clock, mends.

    What is guessed is marked `# check`: look at it, mend it, take the mark away. Of files in The Well's layout,
    which say themselves what is in them, a card is proposed.
    """
    from forgia_hpc.data.ingest.draft_well import draft_card, is_well

    if all(map(is_well, files)):
        card, notes = draft_card(files, name, contributor)
        _say_draft(card, {"card": card}, notes, as_json=as_json)
        return
    from forgia_hpc.data.ingest.draft import draft as look
    from forgia_hpc.data.ingest.draft_yaml import as_yaml

    found = look(files, name, contributor)
    _say_draft(as_yaml(found), {"recipe": found.recipe()}, found.notes(), as_json=as_json)


def _say_draft(text: str, facts: dict[str, Any], notes: list[str], *, as_json: bool) -> None:
    if as_json:
        say_json("data", {**facts, "notes": notes})
        return
    say(text.removesuffix("\n"))
    for line in notes:
        note(line)


def ingest_by_recipe(
    names: tuple[str, ...],
    raw: Path | None,
    root: Path,
    *,
    overwrite: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Make each dataset and say what became of its rows."""
    from dataclasses import replace

    from rich.progress import Progress

    from forgia_hpc.data.ingest.run import alone
    from forgia_hpc.data.ingest.sealing import ingest_and_seal

    found: dict[str, Any] = {}
    for name in names:
        with Progress(console=console(stderr=True), transient=True) as bars:
            task = bars.add_task(name, total=None)

            def progress(
                what: str, done: int, total: int, bars: Any = bars, task: Any = task
            ) -> None:
                bars.update(task, completed=done, total=total, description=what)

            means = replace(alone(), progress=progress, strict=strict)
            version, report = ingest_and_seal(name, raw, root, overwrite=overwrite, means=means)
        found[name] = {"version": version, "report": report.as_dict()}
        if not as_json:
            _tell(name, version, report)
    if as_json:
        say_json("data", {"datasets": found, "root": str(root)})
    else:
        note(f"sealed in {root}; look: forgia data info {names[0]}")


def _tell(name: str, version: str, report: IngestReport) -> None:
    mended = sum(report.totals().values())
    say(
        f"{name}@{version[:12]}  {report.rows_in:,} rows in, {report.rows_out:,} out, "
        f"{report.values_out:,} values of {report.channels} channels, "
        f"{report.machines} machine(s), {mended:,} mended"
    )
    for flag in report.flags:
        note(
            f"{name}: {flag.what} of {flag.column!r} is {flag.got:g}, about {flag.expected:g} was expected"
        )
