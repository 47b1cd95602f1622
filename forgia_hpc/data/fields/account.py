"""What follows from a shard's numbers: leaves, statistics, content id. Taken while they pass, once."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields import storage
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import FORMAT, Array
from forgia_hpc.data.fields.words import meaning
from forgia_hpc.data.packed import STAT, Table
from forgia_hpc.data.shard import merge
from forgia_hpc.digest import canonical_json


class Account:
    """Takes the stored numbers of a shard in order: shared fields, then trajectory by trajectory."""

    def __init__(self, index: FieldIndex, shard: int) -> None:
        self.index = index
        self._shard = shard
        fields = index.schema.fields
        count = len(index.schema.channels(range(len(fields))))
        self.stats: Table = np.zeros(count, STAT)
        self.deltas: Table = np.zeros(count, STAT)
        self._leaves = [storage.Hasher() for _ in fields]
        self._content = hashlib.sha256(canonical_json(_head(index, shard)))
        for table in _inputs(index, shard):
            self._content.update(table)

    def add(self, field: int, stored: Array) -> None:
        """Take one trajectory's array of a field, ([step,] *grid, *component)."""
        one = self.index.schema.fields[field]
        self._leaves[field].add(np.ascontiguousarray(stored).reshape(-1).view(np.uint8).data)
        values = storage.decode(stored, one)
        self._content.update(storage.canonical(values))
        parts = len(one.components(self.index.schema.grid.names))
        first = self.index.channels_before(field)
        lead = len(values) if one.time_varying else 1
        columns = values.reshape(lead, -1, parts)
        for part in range(parts):
            column = columns[..., part]
            merge(self.stats[first + part], column.ravel())
            if one.time_varying and lead > 1:
                merge(self.deltas[first + part], np.diff(column, axis=0).ravel())

    def take_sealed(self) -> None:
        """Take the statistics that the index has: sums hang on a CPU's order of adding."""
        count = len(self.stats)
        mine = slice(self._shard * count, (self._shard + 1) * count)
        self.stats, self.deltas = self.index.stats[mine], self.index.deltas[mine]

    def leaves(self) -> NDArray[np.uint8]:
        """Return the leaves (n, 32), field by field."""
        return np.concatenate([one.end() for one in self._leaves])

    def content_id(self) -> str:
        """Return the digest of what the values are and mean, however they are stored."""
        return self._content.hexdigest()


def _head(index: FieldIndex, shard: int) -> dict[str, Any]:
    members = [index.trajectories["member"][row].decode() for row in index.rows_of(shard)]
    return {
        "format": FORMAT,
        "split": index.split_of(shard).value,
        "steps": int(index.shards["steps"][shard]),
        "members": members,
        "schema": meaning(index.schema),
    }


def _inputs(index: FieldIndex, shard: int) -> list[bytes]:
    """Return times, parameters and signals of a shard's trajectories."""
    rows = index.rows_of(shard)
    times = [storage.canonical(index.times_of(row)) for row in rows]
    parameters = [storage.canonical(index.parameters_of(row)) for row in rows]
    signals = [storage.canonical(index.signals_of(row).astype(np.float64)) for row in rows]
    return [*times, *parameters, *signals]
