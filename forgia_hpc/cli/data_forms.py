"""forgia data repack and export: the same dataset in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from forgia_hpc.cli.bars import bar_of
from forgia_hpc.cli.data import complete_dataset, directory_of
from forgia_hpc.cli.output import say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import InputError, Problem

_REPACK_HELP = """\b
Examples:
  forgia data repack refinery --profile cold --into refinery-cold
  forgia data repack refinery-cold --profile hot --into data/refinery"""


@click.command(epilog=_REPACK_HELP)
@click.argument("name", shell_complete=complete_dataset)
@click.option(
    "--profile", type=click.Choice(["cold", "hot"]), required=True, help="What it is to become."
)
@click.option(
    "--into", type=click.Path(path_type=Path), required=True, help="A directory that is not there."
)
@click.option(
    "--filter",
    "filter_",
    type=click.Choice(["gzip", "zstd"]),
    default="gzip",
    show_default=True,
    help="Of cold: gzip is read by any HDF5; zstd needs hdf5plugin, here and wherever it is read.",
)
@json_option
def repack(name: str, profile: str, into: Path, filter_: str, as_json: bool) -> None:
    """Store a dataset packed (cold: for transfer and keeping) or plain again (hot: for training).

    The content ids stay the same, and hot again it is what it was, to the byte.
    """
    from forgia_hpc.data.manifest import load_manifest
    from forgia_hpc.data.repack import to_cold, to_hot

    directory = directory_of(name)
    with bar_of(name) as told:
        cold = profile == "cold"
        version = to_cold(directory, into, filter_, told) if cold else to_hot(directory, into, told)
    before, after = load_manifest(directory).bytes, load_manifest(into).bytes
    found: dict[str, Any] = {"version": version, "bytes_before": before, "bytes": after}
    if as_json:
        say_json("data", {**found, "directory": str(into), "profile": profile})
    else:
        say(f"{into.name}@{version[:12]}  {profile}  {before:,} -> {after:,} bytes  {into}")


def ingest_well(
    names: tuple[str, ...], well: Path, root: Path, *, overwrite: bool, as_json: bool
) -> None:
    """Seal a directory of The Well's files under a card: of datasets/ by name, or by its path."""
    from forgia_hpc.data.card import load_card, shipped_cards
    from forgia_hpc.data.fields.well import seal_well

    if len(names) != 1:
        limit = "--well seals one dataset: name its card"
        raise InputError(Problem(field="NAME", got=" ".join(names), limit=limit))
    path = shipped_cards().get(names[0], Path(names[0]).expanduser())
    card = load_card(path)
    version = seal_well(well, card, root / card.name, overwrite=overwrite)
    if as_json:
        say_json("data", {"datasets": {card.name: {"version": version}}, "root": str(root)})
    else:
        say(f"{card.name}@{version[:12]}  {root / card.name}")


_EXPORT_HELP = """\b
Examples:
  forgia data export quench --to well --into quench-well
  forgia data export refinery --to parquet --into refinery-parquet
  forgia data export consortium --to croissant
  forgia data export --to ai-act --run RUN"""


@click.command(epilog=_EXPORT_HELP)
@click.argument("name", required=False, default="", shell_complete=complete_dataset)
@click.option(
    "--to", "form", required=True, help="The form: well, parquet, croissant, dcat, ai-act."
)
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="A directory that is not there; else ./NAME-FORM.",
)
@click.option("--run", default="", help="Of ai-act: what this run, checkpoint or model has seen.")
@click.option(
    "--owner", default="", help="A contributor that you act for: its own terms don't bind it."
)
@json_option
def export(name: str, form: str, into: Path | None, run: str, owner: str, as_json: bool) -> None:
    """Write a dataset, or the description of one, in another form; what is exported carries no seal.

    well and parquet hold the data, without their terms, and are refused where a policy forbids that;
    croissant, dcat and ai-act tell of them.
    """
    from forgia_hpc.data.exports import export as write

    usage = _usage(run) if run else None
    if not name and usage is None:
        raise InputError(Problem(field="NAME", got="nothing", limit="a dataset, or --run RUN"))
    name = name or str((usage or {})["dataset"]["identifier"]).partition("@")[0]
    directory = directory_of(name)
    with bar_of(name) as told:
        place = into or Path(f"{directory.name}-{form}")
        files = write(directory, form, place, told, usage, owner)
    if as_json:
        say_json("data", {"files": {str(path): path.stat().st_size for path in files}})
    for path in [] if as_json else files:
        say(f"{path}  {path.stat().st_size:,} bytes")


def _usage(run: str) -> dict[str, Any]:
    from forgia_hpc.jobs.used import usage_of

    return usage_of(run)[1]
