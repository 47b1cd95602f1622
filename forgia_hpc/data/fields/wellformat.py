"""The Well's half of a shard: its attributes and groups, so that its tools open our files.

Data format of The Well, PolymathicAI/the_well docs/data_format.md (2026-06): texts are of variable length and
numbers float32 there; what is exact stands beside, in our own tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import Array, Grid, Schema, place

_TEXT = h5py.string_dtype()


def write_head(file: h5py.File, index: FieldIndex, shard: int) -> None:
    """Write attributes of the root, dimensions, boundary conditions and scalars."""
    schema, rows = index.schema, index.rows_of(shard)
    file.attrs.create("dataset_name", index.name, dtype=_TEXT)
    file.attrs.create("grid_type", schema.grid.kind, dtype=_TEXT)
    file.attrs["n_spatial_dims"] = np.int64(len(schema.grid.axes))
    file.attrs["n_trajectories"] = np.int64(len(rows))
    _texts(file, "simulation_parameters", [one.name for one in schema.parameters])
    times = np.stack([index.times_of(row) for row in rows]).astype("<f4")
    _dimensions(file.create_group("dimensions"), schema.grid, times)
    _boundaries(file.create_group("boundary_conditions"), schema)
    _scalars(file.create_group("scalars"), index, shard)


def _dimensions(group: h5py.Group, grid: Grid, times: Array) -> None:
    _texts(group, "spatial_dims", grid.names)
    varying = bool((times != times[0]).any())
    _flagged(group, "time", times if varying else times[0], sample_varying=varying)
    for axis in grid.axes:
        coordinates = axis.coordinates.astype("<f4")
        _flagged(group, axis.name, coordinates, sample_varying=False, time_varying=False)


def _boundaries(group: h5py.Group, schema: Schema) -> None:
    for one in schema.boundaries:
        mine = group.create_group(one.name)
        _texts(mine, "associated_dims", one.axes)
        _texts(mine, "associated_fields", one.fields)
        mine.attrs.create("bc_type", one.kind.upper(), dtype=_TEXT)
        mine.attrs["sample_varying"] = mine.attrs["time_varying"] = np.False_
        _dataset(mine, "mask", one.points(schema.grid))
        if one.values is not None:
            _dataset(mine, "values", one.values.astype("<f4"))


def _scalars(group: h5py.Group, index: FieldIndex, shard: int) -> None:
    schema, rows = index.schema, index.rows_of(shard)
    _texts(group, "field_names", [one.name for one in (*schema.parameters, *schema.signals)])
    parameters = np.stack([index.parameters_of(row) for row in rows]).astype("<f4")
    for number, one in enumerate(schema.parameters):
        column = np.ascontiguousarray(parameters[:, number])
        _flagged(group, one.name, column, sample_varying=True, time_varying=False)
    signals = np.stack([index.signals_of(row) for row in rows])
    for number, one in enumerate(schema.signals):
        column = np.ascontiguousarray(signals[..., number])
        _flagged(group, one.name, column, sample_varying=True, time_varying=True)


def make_fields(
    file: h5py.File, schema: Schema, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[Any]
) -> list[h5py.Dataset]:
    """Make the fields' arrays, contiguous and still empty, in the order of the schema."""
    for order in range(3):
        names = [one.name for one in schema.fields if place(one).startswith(f"t{order}")]
        _texts(file.create_group(f"t{order}_fields"), "field_names", names)
    made = []
    for one, shape, dtype in zip(schema.fields, shapes, dtypes, strict=True):
        dataset = file.create_dataset(place(one), shape, dtype, track_times=False)
        dataset.attrs["dim_varying"] = np.array(one.along or (True,) * len(schema.grid.axes))
        dataset.attrs["sample_varying"] = np.bool_(one.per_trajectory)
        dataset.attrs["time_varying"] = np.bool_(one.time_varying)
        if one.order == 2:
            dataset.attrs["symmetric"] = np.bool_(one.symmetric)
            dataset.attrs["antisymmetric"] = np.bool_(one.antisymmetric)
        if one.storage == "i16":  # the names that CF conventions (1.11, 8.1) give to packed data
            dataset.attrs["scale_factor"] = np.float64(one.scale)
            dataset.attrs["add_offset"] = np.float64(one.zero)
            dataset.attrs["_FillValue"] = np.int16(-(2**15))
        made.append(dataset)
    return made


def _texts(group: h5py.Group, name: str, words: Sequence[str]) -> None:
    group.attrs.create(name, np.array(list(words), object), dtype=_TEXT)


def _flagged(group: h5py.Group, name: str, data: Array, **flags: bool) -> None:
    dataset = _dataset(group, name, data)
    for flag, value in flags.items():
        dataset.attrs[flag] = np.bool_(value)


def _dataset(group: h5py.Group, name: str, data: Array) -> h5py.Dataset:
    return group.create_dataset(name, data=data, track_times=False)
