"""One shard of fields: an HDF5 file that is The Well's and ours at once.

Written once, trajectory by trajectory; the same content gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields import index as index_
from forgia_hpc.data.fields.account import Account
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import FORMAT, Array, place
from forgia_hpc.data.fields.storage import DTYPES
from forgia_hpc.data.fields.wellformat import make_fields, write_head
from forgia_hpc.data.fields.words import as_plain, text_of
from forgia_hpc.data.packed import Table
from forgia_hpc.data.shard import ALIGN, fixed_texts, packed_table
from forgia_hpc.data.writing.hdf5_whole import plain_errors

Stored = Callable[[int, int], Array]  # (field, row of the shard) → stored numbers of a trajectory


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a shard is made from. facts: of each of its trajectories, canonical JSON."""

    index: FieldIndex
    shard: int
    contributor: str
    facts: Sequence[str]
    stored: Stored

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shape of each field's array."""
        row, schema = self.index.shards[self.shard], self.index.schema
        count, steps = int(row["trajectories"]), int(row["steps"])
        return [index_.full_shape(schema, at, count, steps) for at in range(len(schema.fields))]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What only a written shard tells."""

    offsets: list[int]  # of each field's array
    stats: Table
    deltas: Table
    leaves: NDArray[np.uint8]
    content_id: str


def write(path: Path, source: Source, *, sealed: bool = False) -> Written:
    """Write the HDF5 file and flush it to disk; `sealed`: with the statistics that the index has already.

    Raises:
        OSError: no room.
    """
    with (
        plain_errors(path),
        h5py.File(
            path,
            "x",
            libver=("earliest", "v110"),
            alignment_threshold=ALIGN,
            alignment_interval=ALIGN,
        ) as file,
    ):
        write_head(file, source.index, source.shard)
        schema = source.index.schema
        dtypes = [DTYPES[one.storage] for one in schema.fields]
        arrays = make_fields(file, schema, source.shapes(), dtypes)
        account = Account(source.index, source.shard)
        for field, row, stored in numbers(source):
            if schema.fields[field].per_trajectory:
                _put(arrays[field], row, np.ascontiguousarray(stored, dtypes[field]))
            else:
                arrays[field][...] = stored
            account.add(field, stored)
        leaves, content_id = account.leaves(), account.content_id()
        if sealed:
            account.take_sealed()
        for name, table in tables(source, account).items():
            file.create_dataset(name, data=table, track_times=False)
        file.create_dataset("integrity/leaves", data=leaves, track_times=False)
        for name, text in attributes(source, content_id).items():
            coded = text.encode()
            file.attrs.create(name, coded, dtype=h5py.string_dtype("utf-8", len(coded)))
        offsets = [int(array.id.get_offset()) for array in arrays]
    with path.open("rb") as written:
        os.fsync(written.fileno())
    return Written(
        offsets=offsets,
        stats=account.stats,
        deltas=account.deltas,
        leaves=leaves,
        content_id=content_id,
    )


def _put(array: h5py.Dataset, row: int, stored: Array) -> None:
    """Write a row, as `array[row] = stored` does: of a small trajectory that would be a fifth of its sealing."""
    into, count = array.id.get_space(), (1, *stored.shape)
    if count[1:] != into.shape[1:]:
        raise ValueError(f"{array.name}: {stored.shape} instead of {into.shape[1:]}")
    into.select_hyperslab((row, *(0 for _ in stored.shape)), count)
    array.id.write(h5py.h5s.create_simple(count), into, stored.reshape(count))


def numbers(source: Source) -> Any:
    """Yield (field, row, stored numbers) in the order of the content id: shared fields, then by trajectory."""
    fields = source.index.schema.fields
    shared = [at for at, one in enumerate(fields) if not one.per_trajectory]
    own = [at for at, one in enumerate(fields) if one.per_trajectory]
    for at in shared:
        yield at, 0, source.stored(at, 0)
    for row in range(len(source.index.rows_of(source.shard))):
        for at in own:
            yield at, row, source.stored(at, row)


def attributes(source: Source, content_id: str) -> dict[str, str]:
    """Return our attributes of the file's root."""
    return {
        "format": FORMAT,
        "contribution": source.index.name,
        "contributor": source.contributor,
        "split": source.index.split_of(source.shard).value,
        "content_id": content_id,
    }


def tables(source: Source, account: Account) -> dict[str, NDArray[Any]]:
    """Return our own tables: exact numbers, units, meanings, provenance, statistics."""
    index, schema = source.index, source.index.schema
    rows = index.rows_of(source.shard)
    members = [index.trajectories["member"][row].decode() for row in rows]
    exact = {f"grid/{axis.name}": axis.coordinates.astype("<f8") for axis in schema.grid.axes}
    return {
        **exact,
        "grid/time": np.stack([index.times_of(row) for row in rows]),
        "parameters": np.stack([index.parameters_of(row) for row in rows]),
        "index/schema": fixed_texts([text_of(as_plain(schema))]),
        "index/channels": _channels(index),
        "index/parameters": _words([asdict(one) for one in schema.parameters]),
        "index/signals": _words([asdict(one) for one in schema.signals]),
        "index/trajectories": _words(
            [
                {"member": member, "provenance": facts}
                for member, facts in zip(members, source.facts, strict=True)
            ]
        ),
        "stats": account.stats,
        "stats_delta": account.deltas,
    }


def _channels(index: FieldIndex) -> NDArray[Any]:
    """Return one row a channel: what The Well's attributes do not say."""
    rows = [
        {
            "name": name,
            "field": one.name,
            "array": place(one),
            "ucum": one.ucum,
            "quantity": one.quantity,
            "semantic_id": one.semantic_id,
            "storage": one.storage,
            "order": one.order,
            "component": component,
            "scale": np.nan if one.scale is None else one.scale,
            "zero": one.zero,
            "max_abs_err": one.max_abs_err,
        }
        for one in index.schema.fields
        for component, name in enumerate(one.components(index.schema.grid.names))
    ]
    return _words(rows)


def _words(rows: Sequence[dict[str, Any]]) -> NDArray[Any]:
    """Return rows of texts and numbers as one packed struct array; without rows, an empty table of one byte."""
    if not rows:
        return np.zeros(0, "u1")
    columns = {
        name: fixed_texts([row[name] for row in rows])
        if isinstance(rows[0][name], str)
        else np.array(
            [row[name] for row in rows], "<i8" if isinstance(rows[0][name], int) else "<f8"
        )
        for name in rows[0]
    }
    return packed_table(columns)
