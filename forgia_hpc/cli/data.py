"""forgia data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from forgia_hpc import sources
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, InputError, Problem


def _data_root() -> Path:
    from forgia_hpc.jobs.plan import roots

    return roots()[1]


def _complete(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    known = {*sources.named("datasets", "*/card.yaml")}
    known |= {path.parent.name for path in sources.data_root().glob("*/manifest.json")}
    return [CompletionItem(name) for name in sorted(known) if name.startswith(begun)]


def _directory(name: str) -> Path:
    """Return a sealed dataset's directory by name under the root, or by path."""
    path = _data_root() / name
    path = path if path.is_dir() else Path(name).expanduser()
    if not path.is_dir():
        there = (
            ", ".join(sorted(p.parent.name for p in _data_root().glob("*/manifest.json"))) or "none"
        )
        raise InputError(
            Problem(
                field="dataset",
                got=name,
                limit=f"sealed here: {there}",
                where=str(_data_root()),
                fix=f"forgia data ingest {name}",
            )
        )
    return path


@click.group()
def data() -> None:
    """Datasets: make, check, look at."""


_INGEST_HELP = """\b
Examples:
  forgia data ingest demo
  forgia data ingest consortium --raw DIR
  FORGIA_RAW=DIR forgia data ingest refinery --overwrite"""


@data.command(epilog=_INGEST_HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete)
@click.option(
    "--raw",
    type=click.Path(path_type=Path, file_okay=False),
    help="The raw files; else $FORGIA_RAW.",
)
@click.option("--overwrite", is_flag=True, help="Seal again what is sealed already.")
@click.option("--keep", is_flag=True, help="Leave what is sealed already as it is.")
@json_option
def ingest(
    names: tuple[str, ...], raw: Path | None, overwrite: bool, keep: bool, as_json: bool
) -> None:
    """Turn raw files into sealed contributions by the recipes of datasets/; a consortium brings its members."""
    from forgia_hpc.data.ingest.consortium import members_of
    from forgia_hpc.data.ingest.seal import ingest_and_seal, seal_together

    root = _data_root()
    given = raw or (Path(os.environ["FORGIA_RAW"]) if "FORGIA_RAW" in os.environ else None)
    found: dict[str, Any] = {}
    for name in _contributions(names, members_of):
        if keep and (root / name / "manifest.json").is_file():
            note(f"{name}: sealed already")
            continue
        found[name] = _one(
            name, given, root, overwrite=overwrite, seal=ingest_and_seal, quiet=as_json
        )
    for name in names:
        if members_of(name):
            found[name] = {"version": seal_together(name, root)}
    if as_json:
        say_json("data", {"datasets": found, "root": str(root)})
        return
    for name in names:
        say(f"{name} in {root / name}")


def _contributions(names: tuple[str, ...], members_of: Any) -> list[str]:
    return list(dict.fromkeys(part for name in names for part in (members_of(name) or [name])))


def _one(
    name: str, raw: Path | None, root: Path, *, overwrite: bool, seal: Any, quiet: bool
) -> dict[str, Any]:
    """Ingest one contribution under a progress bar."""
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None)

        def progress(what: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, description=f"{name}: {what}")

        version, report = seal(name, raw, root, overwrite=overwrite, progress=progress)
    if not quiet:
        note(f"{name}@{version[:12]}: {report.line()}")
    return {"version": version, "report": report.as_dict()}


@data.command(epilog="\b\nExample:\n  forgia data check consortium")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete)
@json_option
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Read every byte of a dataset: digests, structure, index. Exit code 5 where anything differs."""
    from forgia_hpc.data.validate import check as check_directory

    faults = {name: check_directory(_directory(name)) for name in names}
    if as_json:
        say_json("data", {"faults": faults})
    for name, lines in {}.items() if as_json else faults.items():
        say(f"{name}: {'sound' if not lines else f'{len(lines)} fault(s)'}")
        for line in lines:
            say(f"  {line}")
    if any(faults.values()):
        raise click.exceptions.Exit(int(ExitCode.SEAL_BROKEN))


@data.command(
    epilog="\b\nExamples:\n  forgia data info refinery\n  forgia data info demo --html demo.html"
)
@click.argument("name", shell_complete=_complete)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page too.")
@json_option
def info(name: str, html: Path | None, as_json: bool) -> None:
    """Who contributed what: channels, units, rates, gaps, splits, licences, sparklines."""
    from forgia_hpc.report.dataset import dataset_facts, show_dataset, write_dataset_page

    directory = _directory(name)
    if as_json:
        say_json("data", dataset_facts(directory))
    else:
        show_dataset(directory, console())
    if html:
        note(f"page: {write_dataset_page(directory, html)}")
