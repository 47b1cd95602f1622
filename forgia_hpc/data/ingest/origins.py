"""Where the raw files of a recipe can be had, and bringing them to the folder that the recipe reads."""

from __future__ import annotations

import re
from pathlib import Path

from forgia_hpc.data.fetch import Progress, fetch
from forgia_hpc.data.ingest.load import load_source
from forgia_hpc.data.ingest.recipe import RawFile, Recipe
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem

# A folder on GitHub: its files can be had one by one. Other sources are pages for people.
_GITHUB = re.compile(
    r"https://github\.com/(?P<repo>[\w.-]+/[\w.-]+)(?:/tree/(?P<branch>[\w.-]+)(?P<folder>/.*)?)?/?"
)


def address(recipe: Recipe, file: RawFile, mirror: str = "") -> str | None:
    """Return where one raw file can be had; None where its publisher has no address for it alone.

    mirror: a URL or folder that holds `<name>/<file>` for every recipe and file.
    """
    if mirror:
        return f"{mirror.rstrip('/')}/{recipe.name}/{file.path}"
    found = _GITHUB.fullmatch(recipe.source)
    if found is None or file.origin:  # renamed or cut after it was published
        return None
    where = f"{found['repo']}/{found['branch'] or 'HEAD'}{(found['folder'] or '').rstrip('/')}"
    return f"https://raw.githubusercontent.com/{where}/{file.path}"


def recipes_of(name: str) -> list[Recipe]:
    """Return the recipes of a dataset, or of all members of a consortium."""
    card, recipe = load_source(name)
    if recipe is not None:
        return [recipe]
    return [found for member in card.members for found in recipes_of(member)]


def fetch_raw(
    recipe: Recipe, raw: Path, mirror: str = "", progress: Progress | None = None
) -> dict[str, str]:
    """Bring a recipe's raw files to `raw/<name>/` and return what became of each.

    Raises:
        InputError: every file that could not be had, after all others were brought.
    """
    became: dict[str, str] = {}
    problems: list[Problem] = []
    for file in recipe.files:
        if recipe.generator is not None:
            became[file.path] = "generated when the dataset is made"
            continue
        origin = address(recipe, file, mirror)
        path = raw / recipe.name / file.path
        try:
            became[file.path] = _brought(recipe, file, origin, path, progress)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return became


def _brought(
    recipe: Recipe, file: RawFile, origin: str | None, path: Path, progress: Progress | None
) -> str:
    if origin is None:
        if path.is_file() and sha256_file(path) == file.sha256:
            return "there already"
        raise InputError(_by_hand(recipe, file, path))
    return "fetched" if fetch(origin, path, file.sha256, progress) else "there already"


def _by_hand(recipe: Recipe, file: RawFile, path: Path) -> Problem:
    note = f" ({file.origin})" if file.origin else ""
    return Problem(
        field=f"files.{file.path}",
        got="nothing",
        limit=f"its publisher has no address for this file alone{note}",
        where=recipe.source,
        fix=f"put it at {path}, or name a mirror with --from",
    )
