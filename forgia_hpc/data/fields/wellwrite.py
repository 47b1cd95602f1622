"""Fields as The Well's files: <name>/data/<train|valid|test>/*.hdf5 and <name>/stats.yaml, everything float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

from forgia_hpc.data.fields.layout import FORMAT, Field, Schema
from forgia_hpc.data.fields.normal import merged
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.wellformat import make_fields, write_head
from forgia_hpc.data.fields.wellread import SPLITS
from forgia_hpc.data.layout import Split
from forgia_hpc.data.layouts import only_layout
from forgia_hpc.data.manifest import flatten, load_manifest

FOLDERS = {split: word for word, split in SPLITS.items()}


def write_well(directory: Path, into: Path, told: Callable[[str, int, int], None]) -> None:
    """Write each contribution of fields in a folder of its name."""
    layouts = {one.layout for one in flatten([load_manifest(directory)])}
    only_layout(layouts, FORMAT, "well")
    with open_fields(directory) as dataset:
        for source in dataset.sources:
            folder = into / source.manifest.name
            for shard in sorted(source.granted):
                told(source.manifest.shards[shard].path, shard, len(source.granted))
                _write_shard(source, shard, folder)
            text = yaml.safe_dump(_stats(source), sort_keys=True)
            (folder / "stats.yaml").write_text(text, encoding="utf-8")


def _write_shard(source: OpenFields, shard: int, folder: Path) -> None:
    index = source.index
    name = Path(source.manifest.shards[shard].path).stem
    path = folder / "data" / FOLDERS[index.split_of(shard)] / f"{name}.hdf5"
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = tuple(replace(one, storage="f32", scale=None) for one in index.schema.fields)
    schema = replace(index.schema, fields=plain)
    rows, steps = index.rows_of(shard), int(index.shards["steps"][shard])
    shapes = [
        ((len(rows),) if one.per_trajectory else ()) + one.shape(schema.grid, steps)
        for one in plain
    ]
    with h5py.File(path, "x", libver=("earliest", "v110")) as file:
        write_head(file, replace(index, schema=schema), shard)
        for at, array in enumerate(make_fields(file, schema, shapes, ["<f4"] * len(plain))):
            for row in range(len(rows) if plain[at].per_trajectory else 1):
                where = row if plain[at].per_trajectory else ...
                array[where] = source.exact(at, rows[row]).astype("<f4")


def _stats(source: OpenFields) -> dict[str, dict[str, Any]]:
    """Return The Well's stats.yaml, of the train split where there is one."""
    index, schema = source.index, source.schema
    shards = [at for at in sorted(source.granted) if index.split_of(at) is Split.train]
    shards = shards or sorted(source.granted)
    count = len(schema.channels(range(len(schema.fields))))
    found: dict[str, dict[str, Any]] = {}
    for suffix, table in (("", index.stats), ("_delta", index.deltas)):
        row = merged([table[at * count : (at + 1) * count] for at in shards], count)
        variance = row["m2"] / np.maximum(row["n"], 1)
        numbers = {
            f"mean{suffix}": row["mean"],
            f"std{suffix}": np.sqrt(variance),
            f"rms{suffix}": np.sqrt(variance + row["mean"] ** 2),
        }
        for name, values in numbers.items():
            found[name] = {
                one.name: _shaped(schema, at, one, values) for at, one in enumerate(schema.fields)
            }
    return found


def _shaped(schema: Schema, at: int, one: Field, values: Any) -> Any:
    """Return a number, a list or a list of lists: the components of a field."""
    begin = len(schema.channels(range(at)))
    axes = len(schema.grid.axes)
    return values[begin : begin + axes**one.order].reshape((axes,) * one.order).tolist()
