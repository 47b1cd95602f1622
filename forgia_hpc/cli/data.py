"""forgia data."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from forgia_hpc import sources
from forgia_hpc.cli.data_verbs import DataVerbs
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, InputError, Problem


def data_root() -> Path:
    """Return the directory of the datasets: $FORGIA_DATA, else this person's, else the machine's."""
    from forgia_hpc.jobs.roots import roots

    return roots()[1]


def complete_dataset(
    _ctx: click.Context, _param: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the names of datasets that begin so."""
    known = {*sources.named("datasets", "*/card.yaml")}
    known |= {path.parent.name for path in sources.data_root().glob("*/manifest.json")}
    return [CompletionItem(name) for name in sorted(known) if name.startswith(begun)]


def directory_of(name: str) -> Path:
    """Return a sealed dataset's directory by name under the root, or by path."""
    path = data_root() / name
    path = path if path.is_dir() else Path(name).expanduser()
    if not path.is_dir():
        there = (
            ", ".join(sorted(p.parent.name for p in data_root().glob("*/manifest.json"))) or "none"
        )
        raise InputError(
            Problem(
                field="dataset",
                got=name,
                limit=f"sealed here: {there}",
                where=str(data_root()),
                fix=f"forgia data ingest {name}",
            )
        )
    return path


@click.group(cls=DataVerbs)
def data() -> None:
    """Datasets: make, check, look at."""


_FETCH_HELP = """\b
Examples:
  forgia data fetch refinery tennessee_eastman --raw raw
  forgia data fetch consortium --raw raw --from /mnt/mirror
  forgia data fetch https://host/weights.safetensors --sha256 HEX --to weights.safetensors"""


@data.command(epilog=_FETCH_HELP)
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME|URL...", shell_complete=complete_dataset
)
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
            found = fetch_url(names, sha256, to or data_root() / names[0].rpartition("/")[2], told)
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

    root = to or data_root()
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
  FORGIA_RAW=DIR forgia data ingest refinery --overwrite
  forgia data ingest my/card.yaml --well DIR"""


@data.command(epilog=_INGEST_HELP)
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_dataset
)
@click.option(
    "--raw",
    type=click.Path(path_type=Path, file_okay=False),
    help="The raw files; else $FORGIA_RAW.",
)
@click.option(
    "--well",
    type=click.Path(path_type=Path, file_okay=False),
    help="Seal these files of The Well instead; NAME is then a card.",
)
@click.option("--overwrite", is_flag=True, help="Make again what another recipe has made.")
@click.option("--strict", is_flag=True, help="Refuse columns that are not what the recipe expects.")
@json_option
def ingest(
    names: tuple[str, ...],
    raw: Path | None,
    well: Path | None,
    overwrite: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Turn raw files into sealed datasets by the recipes of datasets/; a consortium brings its members.

    What the same recipe has sealed already is kept as it is.
    """
    if well:
        from forgia_hpc.cli.data_forms import ingest_well

        ingest_well(names, well, data_root(), overwrite=overwrite, as_json=as_json)
        return
    from forgia_hpc.cli.data_ingest import ingest_by_recipe

    given = raw or (Path(os.environ["FORGIA_RAW"]) if "FORGIA_RAW" in os.environ else None)
    ingest_by_recipe(names, given, data_root(), overwrite=overwrite, strict=strict, as_json=as_json)


@data.command(epilog="\b\nExample:\n  forgia data check consortium")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_dataset
)
@json_option
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Read every byte of a dataset: digests, structure, index. Exit code 5 where anything differs.

    What the group of a shared directory can't read is told, too.
    """
    from forgia_hpc.data.sharing import unreadable_parts
    from forgia_hpc.data.validate import check as check_directory

    faults = {name: check_directory(directory_of(name)) for name in names}
    closed = {name: unreadable_parts(directory_of(name)) for name in names if not faults[name]}
    if as_json:
        say_json("data", {"faults": faults, "group_can_not_read": closed})
    for name, lines in {}.items() if as_json else faults.items():
        say(f"{name}: {'sound' if not lines else f'{len(lines)} fault(s)'}")
        for line in lines:
            say(f"  {line}")
        for line in closed.get(name, []):
            note(f"  {line}")
    if any(faults.values()):
        raise click.exceptions.Exit(int(ExitCode.SEAL_BROKEN))


@data.command(
    epilog="\b\nExamples:\n  forgia data info refinery\n  forgia data info demo --html demo.html"
)
@click.argument("name", shell_complete=complete_dataset)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page too.")
@json_option
def info(name: str, html: Path | None, as_json: bool) -> None:
    """Who contributed what: channels, units, rates, gaps, splits, licences, sparklines."""
    from forgia_hpc.report.dataset import dataset_facts, write_dataset_page
    from forgia_hpc.report.dataset_terminal import show_dataset

    directory = directory_of(name)
    if as_json:
        say_json("data", dataset_facts(directory))
    else:
        show_dataset(directory, console())
    if html:
        note(f"page: {write_dataset_page(directory, html)}")
