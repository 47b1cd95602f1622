"""A written shard, read as a stranger would: h5py and The Well's words, none of our readers.

Every number of every member is compared with what was admitted, and every input with the sealed list of members.
What differs keeps the dataset from appearing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.simulate.member import Member

Read = Callable[[Member, str], Array]


def shard_faults(path: Path, schema: Schema, members: Sequence[Member], read: Read) -> list[str]:
    """Return what in a shard is not what these members, in this order, were solved to be."""
    with h5py.File(path, "r") as file:
        found = _frame_faults(file, schema, len(members))
        if found:
            return found
        for row, member in enumerate(members):
            found += _input_faults(file, schema, row, member)
            found += _number_faults(file, schema, row, (member, read))
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


def _input_faults(file: h5py.File, schema: Schema, row: int, member: Member) -> list[str]:
    named = _text(file["index/trajectories"][row]["member"])
    found = [] if named == member.id else [f"row {row} is {named} instead of {member.id}"]
    for at, one in enumerate(schema.parameters):
        value = float(member.inputs[one.name])
        stored = float(file["parameters"][row, at])
        plain = file[f"scalars/{one.name}"][row]
        if stored != value or plain != np.float32(value):
            found.append(
                f"{one.name} of {member.id} is {stored:g} or {plain:g} instead of {value:g}"
            )
    return found


def _number_faults(
    file: h5py.File, schema: Schema, row: int, known: tuple[Member, Read]
) -> list[str]:
    member, read = known
    found = []
    for one in schema.fields:
        place = f"packed/{one.name}" if one.storage == "i16" else f"t{one.order}_fields/{one.name}"
        stored = file[place][row] if one.per_trajectory else file[place][()]
        if (
            np.ascontiguousarray(stored).tobytes()
            != np.ascontiguousarray(read(member, f"fields/{one.name}")).tobytes()
        ):
            found.append(f"{one.name} of {member.id} is not what was solved")
    times = np.asarray(read(member, "times"))
    own = file["dimensions/time"][()]
    own = own[row] if own.ndim == 2 else own
    if not np.array_equal(own, times.astype("<f4")) or not np.array_equal(
        file["grid/time"][row], times
    ):
        found.append(f"times of {member.id} are others")
    return found


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
