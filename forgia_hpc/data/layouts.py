"""A dataset may hold contributions of several layouts: choose those that a reader knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from forgia_hpc.data.manifest import Manifest
from forgia_hpc.errors import InputError, Problem

T = TypeVar("T")


def of_layout(granted: Sequence[tuple[Manifest, T]], layout: str) -> list[tuple[Manifest, T]]:
    """Return the contributions of one layout, each with the shards that may be read.

    Raises:
        InputError: none is of this layout.

    """
    found = [(manifest, paths) for manifest, paths in granted if manifest.layout == layout]
    if not found:
        got = ", ".join(sorted({manifest.layout for manifest, _ in granted})) or "nothing"
        limit = f"nothing in it is {layout}"
        raise InputError(Problem(field="dataset", got=got, limit=limit, fix="see forgia data info"))
    return found


def only_layout(layouts: set[str], wanted: str, form: str) -> None:
    """Refuse a dataset that holds nothing of a layout."""
    if wanted not in layouts:
        got = ", ".join(sorted(layouts)) or "no shards"
        limit = f"--to {form} writes {wanted}"
        raise InputError(Problem(field="dataset", got=got, limit=limit))
