"""A directory of The Well's files: open it as it is, or seal it as a contribution."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from forgia_hpc.data.card import Card
from forgia_hpc.data.fields import plan as plan_
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import FORMAT, FieldSet, Schema
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import FieldDataset
from forgia_hpc.data.fields.wellread import WellFile, read_well, well_files
from forgia_hpc.data.fields.words import meaning
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.manifest import FORMAT as DATASET
from forgia_hpc.data.manifest import Manifest, manifest_from
from forgia_hpc.data.packed import STAT, Table
from forgia_hpc.data.reading.files import choose_io
from forgia_hpc.data.reading.open_arrays import OpenArrays
from forgia_hpc.data.reading.opened import Access
from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import InputError, Problem


def open_well(directory: Path, *, io: str = "auto") -> FieldDataset:
    """Open The Well's own files read-only; every file's head is read once, now.

    Nothing vouches for their bytes. Means and deviations are those of its stats.yaml.
    """
    files = read_all(directory)
    manifest, index = _manifest(directory, files), _index(directory, files)
    arrays = OpenArrays()
    access = Access(arrays=arrays, io=choose_io(io, directory), verify=False)
    paths = {path.decode() for path in index.shards["path"].tolist()}
    return FieldDataset([OpenFields(manifest, index, paths, access)], arrays)


def seal_well(directory: Path, card: Card, into: Path, *, overwrite: bool = False) -> str:
    """Seal The Well's files as the contribution that a card describes; return its version."""
    files = read_all(directory)
    given = FieldSet(
        name=card.name,
        contributor=card.contributor,
        schema=files[0].schema,
        trajectories=[one for file in files for one in file.trajectories()],
        shared=files[0].shared(),
        provenance={
            "layout": "The Well",
            "sources": [
                {
                    "file": file.path.relative_to(directory).as_posix(),
                    "bytes": file.path.stat().st_size,
                    "sha256": sha256_file(file.path),
                }
                for file in files
            ],
        },
    )
    return seal_fields(given, card, into, overwrite=overwrite)


def read_all(directory: Path) -> list[WellFile]:
    """Read the heads of all files.

    Raises:
        InputError: a file that can't be read, or that says something else than the first.

    """
    files = [read_well(path, split) for path, split in well_files(directory)]
    first, problems = files[0], []
    for file in files:
        shared = first.path != file.path and not _same_shared(first, file)
        if (file.name, meaning(file.schema)) != (first.name, meaning(first.schema)) or shared:
            limit = f"the same name, grid, fields and boundaries as {first.path.name}"
            where = str(file.path)
            problems.append(Problem(field="--well", got=file.name, limit=limit, where=where))
    if problems:
        raise InputError(problems)
    return files


def _same_shared(one: WellFile, other: WellFile) -> bool:
    """Return whether the fields that are one for all trajectories are the same in two files."""
    left = one.shared()
    return not left or all(
        np.array_equal(values, other.shared()[name], equal_nan=True)
        for name, values in left.items()
    )


def _manifest(directory: Path, files: list[WellFile]) -> Manifest:
    """Return what a manifest would say of these files; without digests, for nobody has sealed them."""
    content: dict[str, Any] = {
        "format": DATASET,
        "layout": FORMAT,
        "name": files[0].name,
        "contributor": "unknown",
        "files": [],
        "shards": [
            {
                "path": file.path.relative_to(directory).as_posix(),
                "bytes": file.path.stat().st_size,
                "sha256": "",
                "merkle_root": "",
                "content_id": digest_of([file.name, file.path.name, file.times.shape]),
                "split": file.split.value,
                "segments": len(file.times),
                "series": 0,
                "steps": int(file.times.size),
                "values": 0,
                "t_min_ns": None,
                "t_max_ns": None,
                **({"profile": "cold"} if None in file.offsets else {}),
            }
            for file in files
        ],
    }
    return manifest_from(content, directory)


def _index(directory: Path, files: list[WellFile]) -> FieldIndex:
    """Return the index of the files as they are: a shard each, in their order."""
    trajectories = [one for file in files for one in file.trajectories()]
    runs: list[Any] = []
    begin = 0
    for file in files:
        count, steps = file.times.shape
        runs.append((file.split, steps, range(begin, begin + count)))
        begin += count
    schema = files[0].schema
    laid = plan_.lay(files[0].name, schema, runs, trajectories)
    shards, arrays = laid.shards.copy(), laid.arrays.copy()
    shards["bytes"] = [file.path.stat().st_size for file in files]
    arrays["offset"] = [offset or 0 for file in files for offset in file.offsets]
    stats, deltas = _stats(directory, schema)
    return replace(
        laid,
        shards=shards,
        arrays=arrays,
        stats=np.concatenate([stats] * len(files)),
        deltas=np.concatenate([deltas] * len(files)),
    )


def _stats(directory: Path, schema: Schema) -> tuple[Table, Table]:
    """Return the rows of stats.yaml, as if each were of one number a channel; none without the file."""
    path = directory / "stats.yaml"
    if not path.is_file():
        return np.zeros(0, STAT), np.zeros(0, STAT)
    words = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = []
    for mean, std in (("mean", "std"), ("mean_delta", "std_delta")):
        table = np.zeros(len(schema.channels(range(len(schema.fields)))), STAT)
        for name, row in (("mean", mean), ("m2", std)):
            flat = [
                np.ravel(words.get(row, {}).get(one.name, _none(one, schema)))
                for one in schema.fields
            ]
            table[name] = np.concatenate(flat)
        table["n"], table["m2"] = 1, table["m2"] ** 2
        found.append(table)
    return found[0], found[1]


def _none(field: Any, schema: Schema) -> list[float]:
    return [0.0] * len(field.components(schema.grid.names))
