"""Recipe + raw files → a sealed dataset. What the same recipe sealed before is kept: a stopped job goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from forgia_hpc import __version__
from forgia_hpc.data.card import Card, dump_card, load_card
from forgia_hpc.data.ingest.gather import Means
from forgia_hpc.data.ingest.load import load_source
from forgia_hpc.data.ingest.recipe import Recipe
from forgia_hpc.data.ingest.report import IngestReport, joined, report_from
from forgia_hpc.data.ingest.run import alone, ingest
from forgia_hpc.data.ingest.track import HELD_BYTES
from forgia_hpc.data.manifest import MANIFEST, Manifest, load_manifest
from forgia_hpc.data.writer import seal_consortium, write_contribution
from forgia_hpc.data.writing.appear import ROWS, appearing_together, tidy
from forgia_hpc.data.writing.plan import SHARD_BYTES
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem


def ingest_and_seal(
    name: str,
    raw: Path | None,
    into: Path,
    *,
    overwrite: bool = False,
    means: Means | None = None,
) -> tuple[str, IngestReport]:
    """Make a dataset of `datasets/<name>` from `raw/<name>/…` as `into/<name>`; a consortium with its members.

    Raises:
        InputError: no such dataset, raw files that do not fit, or another dataset is in the way.
    """
    card, recipe = load_source(name)
    if recipe is not None:
        return seal_contribution(card, recipe, raw, into, overwrite=overwrite, means=means)
    reports = [
        ingest_and_seal(member, raw, into, overwrite=overwrite, means=means)[1]
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
    means: Means | None = None,
    shard_bytes: int = SHARD_BYTES,
    held_bytes: int = HELD_BYTES,
) -> tuple[str, IngestReport]:
    """Ingest one contribution and seal it as `into/<name>`; one of the same recipe is kept as it is.

    All ranks of `means` take part. Raw files of more than `held_bytes` are read by way of the
    disk. A build that was killed goes on: its sealed shards are kept, and with several ranks or much data what was
    read of the raw files too.
    """
    means, directory = means or alone(), into / recipe.name
    there = _there(directory)
    if there is not None and not overwrite:
        if there.provenance.get("recipe_sha256") == recipe.sha256:
            if load_card(directory) != card:  # other terms must not be thought to hold
                raise InputError(_in_the_way(directory, "was sealed with another card"))
            tidy(directory)
            return there.version, report_from(there.provenance["report"])
        raise InputError(_in_the_way(directory, "was made by another recipe"))
    with appearing_together(
        directory, means.world, overwrite=overwrite, key=_key(card, recipe, shard_bytes)
    ) as part:
        if means.world.size > 1 or raw_bytes(recipe, raw) > held_bytes:
            (part / ROWS).mkdir(exist_ok=True)
            means = replace(means, folder=part / ROWS)
        contribution, report = ingest(recipe, raw, means)
        write_contribution(
            contribution,
            card,
            part,
            shard_bytes=shard_bytes,
            world=means.world,
            told=means.progress,
        )
    return load_manifest(directory).version, report


def raw_bytes(recipe: Recipe, raw: Path | None) -> int:
    """Return the size of a recipe's raw files, as far as they are there; 0 for a generator's."""
    folder = (raw or Path()) / recipe.name
    paths = [] if recipe.generator else [folder / file.path for file in recipe.files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _key(card: Card, recipe: Recipe, shard_bytes: int) -> str:
    """Return a digest of all that a build hangs on; the recipe holds the raw files' digests."""
    if not recipe.sha256:
        return ""
    return digest_of([recipe.sha256, dump_card(card), shard_bytes, __version__])


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
