"""forgia data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from forgia_hpc import sources
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.data.ingest.report import IngestReport


def _data_root() -> Path:
    from forgia_hpc.jobs.roots import roots

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


_FETCH_HELP = """\b
Examples:
  forgia data fetch refinery tennessee_eastman --raw raw
  forgia data fetch consortium --raw raw --from /mnt/mirror
  forgia data fetch https://host/weights.safetensors --sha256 HEX --to weights.safetensors"""


@data.command(epilog=_FETCH_HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME|URL...", shell_complete=_complete)
@click.option(
    "--raw",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where raw files go; else $FORGIA_RAW.",
)
@click.option("--from", "mirror", default="", help="A URL or folder that holds NAME/FILE.")
@click.option("--sha256", default="", help="Of the one URL.")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="The one URL's place here."
)
@json_option
def fetch(
    names: tuple[str, ...],
    raw: Path | None,
    mirror: str,
    sha256: str,
    to: Path | None,
    as_json: bool,
) -> None:
    """Bring raw files by the recipes, or one file by its URL, where there is internet; say it again to go on.

    Nothing is kept whose SHA-256 is not the recipe's, or yours.
    """
    from forgia_hpc.cli.bring import bars, fetch_names, fetch_url

    with bars() as told:
        if any("://" in name for name in names):
            found = fetch_url(names, sha256, to or _data_root() / names[0].rpartition("/")[2], told)
        else:
            found = fetch_names(names, raw, mirror, told)
    if as_json:
        say_json("data", {"files": found})
    for path, word in {}.items() if as_json else found.items():
        say(f"{path}  {word}")


_STAGE_HELP = """\b
Examples:
  forgia data stage /mnt/stick/refinery refinery.tar
  forgia data stage chronos-weights.zip --to weights"""


@data.command(epilog=_STAGE_HELP)
@click.argument(
    "sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path(path_type=Path)
)
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), help="Another root than data's."
)
@json_option
def stage(sources: tuple[Path, ...], to: Path | None, as_json: bool) -> None:
    """Bring sealed datasets, or folders with SHA256SUMS, from a folder or archive to the data root.

    They are verified before they appear there; say it again to go on where it was cut.
    """
    from forgia_hpc.cli.bring import bars
    from forgia_hpc.data.staging import stage as bring

    root = to or _data_root()
    with bars() as told:
        found = [bring(source, root, told) for source in sources]
    if as_json:
        say_json(
            "data", {"staged": [{**vars(one), "directory": str(one.directory)} for one in found]}
        )
    for one in [] if as_json else found:
        word = "staged" if one.fresh else "there already"
        say(f"{one.name}  {word}  {one.files} files, {one.bytes:,} bytes  {one.directory}")
        for path in one.left_out:
            note(f"left out, nothing vouches for it: {path}")


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
@click.option("--overwrite", is_flag=True, help="Make again what another recipe has made.")
@json_option
def ingest(names: tuple[str, ...], raw: Path | None, overwrite: bool, as_json: bool) -> None:
    """Turn raw files into sealed datasets by the recipes of datasets/; a consortium brings its members.

    What the same recipe has sealed already is kept as it is.
    """
    from rich.progress import Progress

    from forgia_hpc.data.ingest.sealing import ingest_and_seal

    root = _data_root()
    given = raw or (Path(os.environ["FORGIA_RAW"]) if "FORGIA_RAW" in os.environ else None)
    found: dict[str, Any] = {}
    for name in names:
        with Progress(console=console(stderr=True), transient=True) as bars:
            task = bars.add_task(name, total=None)

            def progress(
                what: str, done: int, total: int, bars: Any = bars, task: Any = task
            ) -> None:
                bars.update(task, completed=done, total=total, description=what)

            version, report = ingest_and_seal(
                name, given, root, overwrite=overwrite, progress=progress
            )
        found[name] = {"version": version, "report": report.as_dict()}
        if not as_json:
            say(f"{name}@{version[:12]}  {_line(report)}")
    if as_json:
        say_json("data", {"datasets": found, "root": str(root)})
    else:
        note(f"sealed in {root}; look: forgia data info {names[0]}")


def _line(report: IngestReport) -> str:
    mended = sum(report.totals().values())
    return (
        f"{report.rows_in:,} rows in, {report.rows_out:,} out, {report.values_out:,} values of "
        f"{report.channels} channels, {report.machines} machine(s), {mended:,} mended"
    )


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
