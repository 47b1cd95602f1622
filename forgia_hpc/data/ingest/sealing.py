"""Recipe + raw files → a sealed dataset. What the same recipe sealed before is kept: a stopped job goes on."""

from __future__ import annotations

from pathlib import Path

from forgia_hpc.data.card import Card
from forgia_hpc.data.ingest.load import load_source
from forgia_hpc.data.ingest.recipe import Recipe
from forgia_hpc.data.ingest.report import IngestReport, joined, report_from
from forgia_hpc.data.ingest.run import Progress, ingest
from forgia_hpc.data.manifest import MANIFEST, Manifest, load_manifest
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.errors import InputError, Problem


def ingest_and_seal(
    name: str,
    raw: Path | None,
    into: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[str, IngestReport]:
    """Make a dataset of `datasets/<name>` from `raw/<name>/…` as `into/<name>`; a consortium with its members.

    Raises:
        InputError: no such dataset, raw files that do not fit, or another dataset is in the way.
    """
    card, recipe = load_source(name)
    if recipe is not None:
        return seal_contribution(card, recipe, raw, into, overwrite=overwrite, progress=progress)
    reports = [
        ingest_and_seal(member, raw, into, overwrite=overwrite, progress=progress)[1]
        for member in card.members
    ]
    return seal_members(card, into, overwrite=overwrite), joined(name, reports)


def seal_contribution(
    card: Card,
    recipe: Recipe,
    raw: Path | None,
    into: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[str, IngestReport]:
    """Ingest one contribution and seal it as `into/<name>`; one of the same recipe is kept as it is."""
    directory = into / recipe.name
    there = _there(directory)
    if there is not None and not overwrite:
        if there.provenance.get("recipe_sha256") == recipe.sha256:
            return there.version, report_from(there.provenance["report"])
        raise InputError(_in_the_way(directory, "was made by another recipe"))
    contribution, report = ingest(recipe, raw, progress)
    return seal(contribution, card, directory, overwrite=overwrite), report


def seal_members(card: Card, into: Path, *, overwrite: bool = False) -> str:
    """Seal a consortium as `into/<name>`; one with the same versions of its members is kept as it is."""
    directory = into / card.name
    there = _there(directory)
    members = [load_manifest(into / member) for member in card.members]
    if there is not None and not overwrite:
        known = {member.name: member.version for member in there.members}
        if known == {member.name: member.version for member in members}:
            return there.version
        raise InputError(_in_the_way(directory, "has other versions of its members"))
    paths = [member.directory for member in members]
    return seal_consortium(card.name, paths, card, directory, overwrite=overwrite)


def _there(directory: Path) -> Manifest | None:
    return load_manifest(directory) if (directory / MANIFEST).is_file() else None


def _in_the_way(directory: Path, why: str) -> Problem:
    return Problem(
        field="into",
        got=str(directory),
        limit=f"is there already and {why}",
        fix="choose another $FORGIA_DATA, or say overwrite",
    )
