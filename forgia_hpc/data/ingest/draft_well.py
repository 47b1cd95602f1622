"""A card drafted from files in The Well's layout: they carry their own units of space, fields and boundaries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import h5py

from forgia_hpc.data.fields.wellread import SPLITS, WellFile, read_well
from forgia_hpc.data.layout import Split

SUFFIXES = (".h5", ".hdf5")


def is_well(path: Path) -> bool:
    """Whether a file is of The Well's layout: it has a grid and scalar fields."""
    if path.suffix not in SUFFIXES or not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "grid_type" in file.attrs and "t0_fields" in file and "dimensions" in file


def draft_card(
    paths: Sequence[Path], name: str = "", contributor: str = ""
) -> tuple[str, list[str]]:
    """Return a card as YAML, and what a person should look at.

    Raises:
        InputError: a file that is not whole.
    """
    files = [read_well(path, Split.train) for path in paths]
    notes = [note for file in files for note in _notes(file)]
    called = name or _plain(str(paths[0].stem))
    lines = [
        "# Drafted from files of The Well. What is marked `# check` was guessed, or only people know it.",
        *(f"# - {note}" for note in notes),
        "format: forgia.card/1",
        f"name: {called}",
        f"title: {json.dumps(called)}  # check",
        f"contributor: {contributor or 'my_company'}  # check",
        f"description: {json.dumps(_described(files))}  # check",
        "licence: LicenseRef-unknown  # check",
        "source: unknown  # check",
        "policy: {purposes: [train, evaluate], release: none}  # check",
        f"# then: forgia data ingest card.yaml --well {_root(paths[0])}",
    ]
    return "\n".join(lines) + "\n", notes


def _root(path: Path) -> Path:
    """Return the directory of a dataset: above data/train, or where its files lie."""
    parent = path.parent
    return parent.parents[1] if parent.name in SPLITS and parent.parent.name == "data" else parent


def _described(files: Sequence[WellFile]) -> str:
    grid = files[0].schema.grid
    shape = " x ".join(map(str, grid.shape))
    fields = ", ".join(one.name for one in files[0].schema.fields)
    count = sum(len(file.times) for file in files)
    return f"{count} trajectories of {fields} on a grid of {shape}."


def _notes(file: WellFile) -> list[str]:
    schema = file.schema
    unknown = [one.name for one in schema.fields if not one.ucum]
    told = [f"{file.path.name}: fields {', '.join(one.name for one in schema.fields)}"]
    if unknown:
        told.append(f"{file.path.name}: no units are in the file for {', '.join(unknown)}")
    if schema.boundaries:
        kinds = ", ".join(f"{one.name} ({one.kind})" for one in schema.boundaries)
        told.append(f"{file.path.name}: boundaries {kinds}")
    return told


def _plain(stem: str) -> str:
    kept = "".join(one if one.isalnum() else "_" for one in stem.lower())
    return kept.strip("_") or "my_fields"
