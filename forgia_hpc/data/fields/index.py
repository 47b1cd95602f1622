"""index.pack of fields: where every trajectory lies. The same bytes around it as telemetry's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.checked import require
from forgia_hpc.data.fields.layout import Field, Schema
from forgia_hpc.data.fields.storage import DTYPES
from forgia_hpc.data.fields.words import as_plain, broken, from_plain
from forgia_hpc.data.integrity import leaf_count
from forgia_hpc.data.packed import (
    BROKEN,
    LEAF,
    SPLITS,
    STAT,
    PackedIndex,
    Table,
    pack_tables,
    unpack_tables,
)

FORMAT = "forgia.fields-index/1"

SHARD = np.dtype(
    [
        ("path", "S64"),
        ("split", "<u4"),
        ("steps", "<u4"),  # of each of its trajectories
        ("trajectory0", "<i8"),
        ("trajectories", "<i8"),
        ("bytes", "<i8"),
        ("leaf0", "<i8"),
        ("signals0", "<i8"),  # of the table of signals: (trajectory, step, signal)
    ]
)
TRAJECTORY = np.dtype([("member", "S64"), ("shard", "<u4"), ("row", "<u4"), ("times0", "<i8")])
ARRAY = np.dtype([("offset", "<i8"), ("count", "<i8")])  # byte of the file, numbers
TABLES: dict[str, np.dtype[Any]] = {
    "shards": SHARD,
    "trajectories": TRAJECTORY,
    "arrays": ARRAY,  # (shard, field), field fastest
    "parameters": np.dtype("<f8"),  # (trajectory, parameter)
    "times": np.dtype("<f8"),  # from times0 on; trajectories with the same times share them
    "signals": np.dtype("<f4"),
    "stats": STAT,  # (shard, channel), channel fastest, all fields' channels in order
    "deltas": STAT,  # the same, of the differences from step to step
    "leaves": LEAF,  # a shard's begin at its leaf0: field by field
}


@dataclass(frozen=True, kw_only=True)
class FieldIndex(PackedIndex):
    """The tables of one contribution; numbers in one table count rows of another."""

    schema: Schema
    trajectories: Table
    arrays: Table
    parameters: NDArray[np.float64]
    times: NDArray[np.float64]
    signals: NDArray[np.float32]
    deltas: Table

    def array_of(self, shard: int, field: int) -> Any:
        """Return the row of the table of arrays."""
        return self.arrays[shard * len(self.schema.fields) + field]

    def leaves_of(self, shard: int, field: int) -> NDArray[np.uint8]:
        """Return the leaves (n, 32) of one field's array in a shard."""
        begin = int(self.shards["leaf0"][shard])
        sizes = [
            leaf_count(int(self.array_of(shard, at)["count"]) * itemsize(one))
            for at, one in enumerate(self.schema.fields[: field + 1])
        ]
        begin += sum(sizes[:-1])
        return self.leaves[begin : begin + sizes[-1]]

    def rows_of(self, shard: int) -> range:
        """Return the trajectories of a shard."""
        begin = int(self.shards["trajectory0"][shard])
        return range(begin, begin + int(self.shards["trajectories"][shard]))

    def times_of(self, trajectory: int) -> NDArray[np.float64]:
        """Return the times (step,) of a trajectory."""
        row = self.trajectories[trajectory]
        begin = int(row["times0"])
        return self.times[begin : begin + int(self.shards["steps"][row["shard"]])]

    def parameters_of(self, trajectory: int) -> NDArray[np.float64]:
        """Return the parameters of a trajectory."""
        count = len(self.schema.parameters)
        return self.parameters[trajectory * count : (trajectory + 1) * count]

    def signals_of(self, trajectory: int) -> NDArray[np.float32]:
        """Return the signals (step, signal) of a trajectory."""
        row = self.trajectories[trajectory]
        shard = self.shards[row["shard"]]
        steps, count = int(shard["steps"]), len(self.schema.signals)
        begin = int(shard["signals0"]) + int(row["row"]) * steps * count
        return self.signals[begin : begin + steps * count].reshape(steps, count)

    def channels_before(self, field: int) -> int:
        """Return the number of a field's first channel among all."""
        return len(self.schema.channels(range(field)))


def itemsize(field: Field) -> int:
    """Return the bytes of one stored number."""
    return DTYPES[field.storage].itemsize


def full_shape(schema: Schema, field: int, trajectories: int, steps: int) -> tuple[int, ...]:
    """Return the shape of a field's array in a shard: ([trajectory,] [step,] *grid, *component)."""
    one = schema.fields[field]
    lead = (trajectories,) if one.per_trajectory else ()
    return (*lead, *one.shape(schema.grid, steps))


def pack(index: FieldIndex) -> bytes:
    """Return the bytes of index.pack; the same index gives the same bytes."""
    return pack_tables(index, TABLES, format=FORMAT, schema=as_plain(index.schema))


def unpack(data: bytes, *, where: str) -> FieldIndex:
    """Return the index in `data`, after checking that no number in it points outside.

    Raises:
        SealBrokenError: cut off, of another version, or pointing outside; names `where`.

    """
    try:
        words, tables = unpack_tables(data, TABLES, FORMAT)
        index = FieldIndex(name=words["name"], schema=from_plain(words["schema"]), **tables)
        _check(index)
    except BROKEN as error:
        raise broken(where, error) from error
    return index


def _check(index: FieldIndex) -> None:
    """Refuse a number that counts a row which its table does not have, or a byte outside its file."""
    shards, rows, schema = index.shards, index.trajectories, index.schema
    require((shards["split"] < len(SPLITS)).all(), "shard.split")
    require((shards["steps"] >= 1).all() and (shards["trajectories"] >= 1).all(), "shard.steps")
    starts = np.cumsum(shards["trajectories"]) - shards["trajectories"]
    require(np.array_equal(starts, shards["trajectory0"]), "shard.trajectory0")
    require(int(shards["trajectories"].sum()) == len(rows), "trajectories")
    owners = np.repeat(np.arange(len(shards)), shards["trajectories"])
    require(np.array_equal(owners, rows["shard"]), "trajectory.shard")
    require(np.array_equal(np.arange(len(rows)) - starts[owners], rows["row"]), "trajectory.row")
    ends = rows["times0"] + shards["steps"][owners]
    require((rows["times0"] >= 0).all() and (ends <= len(index.times)).all(), "trajectory.times0")
    require(len(index.parameters) == len(rows) * len(schema.parameters), "parameters")
    numbers = shards["trajectories"] * shards["steps"].astype(np.int64) * len(schema.signals)
    require(np.array_equal(np.cumsum(numbers) - numbers, shards["signals0"]), "shard.signals0")
    require(len(index.signals) == numbers.sum(), "signals")
    channels = len(schema.channels(range(len(schema.fields))))
    require(len(index.stats) == len(index.deltas) == len(shards) * channels, "stats")
    _check_arrays(index)


def _check_arrays(index: FieldIndex) -> None:
    fields = index.schema.fields
    require(len(index.arrays) == len(index.shards) * len(fields), "arrays")
    leaf = 0
    for shard, row in enumerate(index.shards):
        require(int(row["leaf0"]) == leaf, "shard.leaf0")
        for at, one in enumerate(fields):
            array = index.array_of(shard, at)
            shape = full_shape(index.schema, at, int(row["trajectories"]), int(row["steps"]))
            require(int(array["count"]) == int(np.prod(shape)), "array.count")
            size = int(array["count"]) * itemsize(one)
            inside = 0 <= int(array["offset"]) <= int(row["bytes"]) - size
            require(inside, "array.offset")
            leaf += leaf_count(size)
    require(leaf == len(index.leaves), "leaves")
