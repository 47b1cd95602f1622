"""One contribution of fields, open: its index and the arrays of the shards that may be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields import storage
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import Schema, Values, place
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.data.reading.arrays import Place
from forgia_hpc.data.reading.leaves import Leaves
from forgia_hpc.data.reading.mapped import MappedArray
from forgia_hpc.data.reading.opened import Access

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class OpenFields:
    """Reads fields of trajectories; knows nothing of windows and batches. Files open at first touch."""

    def __init__(
        self,
        manifest: Manifest,
        index: FieldIndex,
        granted: Collection[str],
        access: Access,
    ) -> None:
        """Take what may be read: paths of shards."""
        self.manifest = manifest
        self.index = index
        self.access = access
        paths = [path.decode() for path in index.shards["path"].tolist()]
        self.granted = frozenset(at for at, path in enumerate(paths) if path in granted)
        self._places: dict[tuple[int, int], Place] = {}

    @property
    def schema(self) -> Schema:
        """What the numbers mean."""
        return self.index.schema

    def stored(self, field: int, shard: int, starts: Ints, length: int) -> Sequence[Any]:
        """Return stored numbers of a field's array in a shard, as if it were flat: (length,) from each start."""
        assert shard in self.granted, "windows are made of granted shards only"
        if (shard, field) not in self._places:
            self._places[shard, field] = self._describe(shard, field)
        array = self.access.arrays.get(self._places[shard, field], self.access.io)
        if isinstance(array, MappedArray):
            return array.views(starts, length)
        return list(array.read(starts, length))

    def _describe(self, shard: int, field: int) -> Place:
        """Return where an array lies; kept, because it also knows which leaves were hashed."""
        one, entry = self.schema.fields[field], self.manifest.shards[shard]
        array, leaves = self.index.array_of(shard, field), self.index.leaves_of(shard, field)
        path, dtype = self.manifest.directory / entry.path, storage.DTYPES[one.storage]
        known = Leaves(
            f"{path} /{place(one)}", leaves if self.access.verify else leaves[:0], dtype.itemsize
        )
        return Place(
            path=path,
            file_bytes=entry.bytes,
            storage=place(one),
            dtype=dtype,
            count=int(array["count"]),
            offset=int(array["offset"]),
            leaves=known,
            profile=entry.profile,
            key_id=entry.key_id,
            keyring=self.access.keyring,
        )

    def fill(
        self, field: int, trajectories: Ints, steps: tuple[Ints, int, int], out: Floats
    ) -> None:
        """Write float32 into `out` (row, step, channel, *grid): steps = (first of each row, count, stride)."""
        one = self.schema.fields[field]
        grid = one.cells(self.schema.grid)
        firsts, count, stride = steps
        length = (count - 1) * stride + 1 if one.time_varying else 1
        cells = int(np.prod(one.shape(self.schema.grid, 1)))
        rows = self.index.trajectories[trajectories]
        for shard in np.unique(rows["shard"]).tolist():
            mine = np.flatnonzero(rows["shard"] == shard)
            at = rows["row"][mine].astype(np.int64) if one.per_trajectory else np.zeros_like(mine)
            if one.time_varying:
                at = at * int(self.index.shards["steps"][shard]) + firsts[mine]
            gaps = self._gaps(field, shard)
            pieces = self.stored(field, shard, at * cells, length * cells)
            for row, piece in zip(mine.tolist(), pieces, strict=True):
                view = piece.reshape(length, *grid, out.shape[2])[::stride]
                for part in range(out.shape[2]):
                    storage.decode_into(view[..., part], one, out[row, :, part], gaps=gaps)

    def _gaps(self, field: int, shard: int) -> bool:
        """Return whether numbers of an i16 field are missing in a shard: the statistics have counted them."""
        one, index = self.schema.fields[field], self.index
        if one.storage != "i16":
            return False
        total = len(self.schema.channels(range(len(self.schema.fields))))
        begin = shard * total + index.channels_before(field)
        parts = len(one.components(self.schema.grid.names))
        counted = int(index.stats["n"][begin : begin + parts].sum())
        return counted < int(index.array_of(shard, field)["count"])

    def exact(self, field: int, trajectory: int) -> Values:
        """Return one trajectory's field as float64, ([step,] *grid, *component)."""
        one, row = self.schema.fields[field], self.index.trajectories[trajectory]
        shape = one.shape(self.schema.grid, int(self.index.shards["steps"][row["shard"]]))
        size = int(np.prod(shape))
        at = int(row["row"]) * size if one.per_trajectory else 0
        found = self.stored(field, int(row["shard"]), np.array([at]), size)
        return storage.decode(found[0], one).reshape(shape)

    def trajectories(self, split: Any) -> Sequence[int]:
        """Return the granted trajectories of a split."""
        return [
            row
            for shard in sorted(self.granted)
            if split is None or self.index.split_of(shard) is split
            for row in self.index.rows_of(shard)
        ]
