"""A written shard, read as a stranger would: h5py and The Well's words, none of our readers.

Every number of every member is compared with what was admitted, and every input with the sealed list of members.
What differs keeps the dataset from appearing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import Array, Field, Schema
from forgia_hpc.simulate.member import Member

SLAB_BYTES = 16 << 20  # of a field that is in memory at once


class Holder(Protocol):
    """Who knows what was admitted."""

    def holds(self, member: Member, name: str, array: Array) -> bool:
        """Whether an array is this member's, to the last bit."""


def shard_faults(path: Path, schema: Schema, members: Sequence[Member], kept: Holder) -> list[str]:
    """Return what in a shard is not what these members, in this order, were solved to be."""
    with h5py.File(path, "r") as file:
        found = _frame_faults(file, schema, len(members))
        if found:
            return found
        found += _input_faults(file, schema, members)
        for one in schema.fields:
            found += _number_faults(file, one, members, kept)
        found += _time_faults(file, members, kept)
    return found


def _frame_faults(file: h5py.File, schema: Schema, count: int) -> list[str]:
    """Return what is wrong with axes, counts and units."""
    found = []
    names = [_text(one) for one in file["dimensions"].attrs["spatial_dims"]]
    if names != list(schema.grid.names):
        found.append(f"axes {names} instead of {list(schema.grid.names)}")
    if int(file.attrs["n_trajectories"]) != count:
        found.append(f"{file.attrs['n_trajectories']} members instead of {count}")
    for axis in schema.grid.axes:
        own = file[f"dimensions/{axis.name}"][()] if axis.name in file["dimensions"] else None
        if own is None or not np.array_equal(own, axis.coordinates.astype("<f4")):
            found.append(f"coordinates of {axis.name} are others")
    units = {_text(one["field"]): _text(one["ucum"]) for one in file["index/channels"][()]}
    found += [
        f"{one.name} in {units.get(one.name)} instead of {one.ucum}"
        for one in schema.fields
        if units.get(one.name) != one.ucum
    ]
    return found


def _input_faults(file: h5py.File, schema: Schema, members: Sequence[Member]) -> list[str]:
    named = [_text(one) for one in file["index/trajectories"][()]["member"].tolist()]
    found = [
        f"row {row} is {name} instead of {member.id}"
        for row, (name, member) in enumerate(zip(named, members, strict=True))
        if name != member.id
    ]
    stored = file["parameters"][()]
    for at, one in enumerate(schema.parameters):
        values = np.array([float(member.inputs[one.name]) for member in members])
        exact, plain = stored[:, at], file[f"scalars/{one.name}"][()]
        wrong = (exact != values) | (plain != values.astype("<f4"))
        found += [
            f"{one.name} of {members[row].id} is {exact[row]:g} or {plain[row]:g} instead of {values[row]:g}"
            for row in np.flatnonzero(wrong).tolist()
        ]
    return found


def _number_faults(
    file: h5py.File, one: Field, members: Sequence[Member], kept: Holder
) -> list[str]:
    array = file[
        f"packed/{one.name}" if one.storage == "i16" else f"t{one.order}_fields/{one.name}"
    ]
    if not one.per_trajectory:
        rows: Iterator[Array] = repeat(array[()], len(members))
    else:
        rows = _slabs(array)
    return [
        f"{one.name} of {member.id} is not what was solved"
        for member, stored in zip(members, rows, strict=True)
        if not kept.holds(member, f"fields/{one.name}", stored)
    ]


def _slabs(array: h5py.Dataset) -> Iterator[Array]:
    """Yield an array's rows, some read at once."""
    size = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:])))
    together = max(1, SLAB_BYTES // size)
    for begin in range(0, len(array), together):
        yield from array[begin : begin + together]


def _time_faults(file: h5py.File, members: Sequence[Member], kept: Holder) -> list[str]:
    exact, plain = file["grid/time"][()], file["dimensions/time"][()]
    same = np.all(
        plain == exact.astype("<f4"), axis=-1
    )  # plain: one row for all where they are alike
    return [
        f"times of {member.id} are others"
        for row, member in enumerate(members)
        if not same[row] or not kept.holds(member, "times", exact[row])
    ]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
