"""forgia data list, diff, freeze: what there is, what has changed, and a version to cite."""

from __future__ import annotations

import datetime
from dataclasses import asdict

import click

from forgia_hpc.cli.data import complete_dataset, data_root, directory_of
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode


@click.command("list", epilog="\b\nExamples:\n  forgia data list\n  forgia data list --json")
@json_option
def list_(as_json: bool) -> None:
    """Every dataset here, and the shipped ones that are not made yet: who, how much, on what terms."""
    from forgia_hpc.data.card import shipped_cards
    from forgia_hpc.data.catalogue.listing import list_datasets

    root = data_root()
    found = list_datasets(root, shipped_cards())
    now = datetime.datetime.now(datetime.UTC)
    if as_json:
        rows = [{**asdict(one), "expires_days": one.days_left(now)} for one in found]
        say_json("data", {"root": str(root), "datasets": rows})
        return
    from forgia_hpc.report.catalogue import listing_table, words_of_fault

    made = [one for one in found if one.version]
    if made:
        console().print(listing_table(made, now))
    else:
        say(f"no dataset lies in {root}")
    for line in filter(None, map(words_of_fault, found)):
        note(line)
    if missing := [one.name for one in found if not one.made]:
        say(f"not made here: {', '.join(missing)}  (forgia data ingest NAME)")


_DIFF_HELP = """\b
Examples:
  forgia data diff consortium-2026q3 consortium
  forgia data diff refinery refinery-cold --json
  forgia data diff consortium-2026q3 consortium --exit-code"""


@click.command(epilog=_DIFF_HELP)
@click.argument("before", shell_complete=complete_dataset)
@click.argument("after", shell_complete=complete_dataset)
@click.option("--exit-code", is_flag=True, help="Exit code 2 where the versions differ, else 0.")
@json_option
def diff(before: str, after: str, exit_code: bool, as_json: bool) -> None:
    """What became of each contribution from one dataset or version to another: shards, channels, terms.

    A frozen version is compared as it was then, whatever became of its members.
    """
    from forgia_hpc.data.catalogue.difference import compare, raised
    from forgia_hpc.data.catalogue.part import parts_of

    changes = compare(parts_of(directory_of(before)), parts_of(directory_of(after)))
    if as_json:
        rows = [{**asdict(one), "raises": one.raises} for one in changes]
        say_json("data", {"changes": rows, "raises": raised(changes)})
    else:
        from forgia_hpc.report.catalogue import show_changes

        show_changes(changes, console())
    if exit_code and any(one.word != "same" for one in changes):
        raise click.exceptions.Exit(int(ExitCode.INPUT))


_FREEZE_HELP = """\b
Examples:
  forgia data freeze consortium --as consortium-2026q4
  forgia data freeze consortium --as consortium-2026q4 --dry-run
  forgia data freeze refinery --as refinery-v2 --semver 2.0.0"""


@click.command(epilog=_FREEZE_HELP)
@click.argument("name", shell_complete=complete_dataset)
@click.option("--as", "tag", required=True, help="A new name; what it names never changes.")
@click.option(
    "--semver", default="", help="Its number; else the last one's, raised by what changed."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@json_option
def freeze(name: str, tag: str, semver: str, dry_run: bool, as_json: bool) -> None:
    """Name what a dataset is now, for others to cite: a version that never changes.

    It holds no copy of the data: where a member is withdrawn or made again, this version is refused from then on.
    """
    from forgia_hpc.data.catalogue.freeze import freeze as write

    found = write(directory_of(name), tag, data_root(), semver=semver, dry_run=dry_run)
    if as_json:
        say_json("data", {**asdict(found), "directory": str(data_root() / found.name)})
        return
    from forgia_hpc.report.catalogue import show_changes

    if found.changes:
        show_changes(list(found.changes), console())
    why = f"{found.raises} since {found.parent}" if found.parent else "the first"
    cited = f"{found.name}@{found.version[:12]}" if found.version else f"{found.name} (dry run)"
    say(f"{cited}  version {found.semver} ({why})  {data_root() / found.name}")
