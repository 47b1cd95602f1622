"""Find, load and check a recipe, and what a prepare job takes along. Without h5py and pyarrow: login wing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from forgia_hpc.data.card import Card, load_card, shipped_cards
from forgia_hpc.data.ingest.recipe import Recipe
from forgia_hpc.data.ingest.recipe_check import check_recipe
from forgia_hpc.data.ingest.strict import Reader
from forgia_hpc.errors import InputError, Problem

RECIPE = "recipe.yaml"


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Load and check the recipe of a dataset's name, of its directory, or of a file.

    Raises:
        InputError: no such recipe, broken YAML, or everything that is wrong in it.
    """
    path = _recipe_path(name_or_path)
    return recipe_from_text(_text(path), where=str(path))


def load_source(name: str) -> tuple[Card, Recipe | None]:
    """Return the card of a dataset and its recipe; a consortium has none but has members.

    Raises:
        InputError: no such dataset, or everything that is wrong in card and recipe.
    """
    folder = _folder(name)
    card = load_card(folder)
    return card, None if card.members else load_recipe(folder)


def prepare_inputs(names: Sequence[str], into: Path) -> dict[str, object]:
    """Return what a prepare job takes along as inputs/prepare.json: cards and recipes, members before consortia.

    Raises:
        InputError: everything that is wrong in any of them.
    """
    contributions: dict[str, object] = {}
    consortia: dict[str, object] = {}
    problems: list[Problem] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        try:
            card, recipe = load_source(name)
        except InputError as error:
            problems += error.problems
            continue
        if recipe is None:
            consortia[name] = card.as_dict()
            waiting += [one for one in card.members if one not in contributions]
            continue
        contributions[name] = {"card": card.as_dict(), "recipe": _text(_folder(name) / RECIPE)}
    if problems:
        raise InputError(problems)
    return {
        "format": "forgia.prepare/1",
        "into": str(into),
        "contributions": contributions,
        "consortia": consortia,
    }


def recipe_from_text(text: str, *, where: str) -> Recipe:
    """Return the recipe of a YAML text; unknown, missing and wrong keys are refused together."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(_unreadable(" ".join(str(error).split()), where)) from error
    return replace(recipe_from(content, where), sha256=hashlib.sha256(text.encode()).hexdigest())


def recipe_from(content: object, where: str) -> Recipe:
    """Check plain data (as in the YAML) and return the recipe; what is wrong in shape comes before the rest."""
    reader = Reader(where)
    recipe = reader.read(Recipe, content)
    if recipe is None:
        raise InputError(reader.problems)
    problems = check_recipe(recipe, where)
    if problems:
        raise InputError(problems)
    return recipe


def _recipe_path(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".yaml":
        return path
    return (path if path.is_dir() else _folder(str(name_or_path))) / RECIPE


def _folder(name: str) -> Path:
    known = shipped_cards()
    if name not in known:
        raise InputError(
            Problem(
                field="dataset",
                got=name,
                limit=f"one of {', '.join(sorted(known))}",
                where="datasets/*/card.yaml",
            )
        )
    return known[name].parent


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(_unreadable(" ".join(str(error).split()), str(path))) from error


def _unreadable(reason: str, where: str) -> Problem:
    return Problem(field="recipe", got=reason, limit="a readable YAML file", where=where)
