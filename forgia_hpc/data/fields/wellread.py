"""One file of The Well, understood: its schema, times, scalars, and where each field's array lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.cold import find_plugin
from forgia_hpc.data.fields.layout import (
    BOUNDARIES,
    Array,
    Axis,
    Boundary,
    Field,
    Grid,
    Parameter,
    Schema,
    Trajectory,
)
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError, Problem

STORAGES = {"<f4": "f32", "<f8": "f64"}
SPLITS = {
    "train": Split.train,
    "valid": Split.held_out_time,
    "test": Split.held_out_machines,
}  # The Well's folders; where there are none, everything is train
SUFFIXES = (".h5", ".hdf5")


@dataclass(frozen=True, kw_only=True)
class WellFile:
    """A file's content without its fields' values."""

    path: Path
    name: str  # of the dataset
    split: Split
    schema: Schema
    times: Array  # (trajectory, step) float64
    parameters: Array  # (trajectory, parameter) float64
    signals: Array  # (trajectory, step, signal) float32
    offsets: tuple[int | None, ...]  # byte of each field's array; None: in chunks

    def trajectories(self) -> Iterator[Trajectory]:
        """Yield its trajectories; their values are read when they are asked for."""
        schema = self.schema
        for row in range(len(self.times)):
            yield Trajectory(
                member=_member(self.path, row),
                split=self.split,
                times=self.times[row],
                values=FileValues(self.path, schema, row),
                parameters={
                    one.name: float(self.parameters[row, at])
                    for at, one in enumerate(schema.parameters)
                },
                signals={
                    one.name: self.signals[row, :, at] for at, one in enumerate(schema.signals)
                },
                provenance={"file": self.path.name, "trajectory": row},
            )

    def shared(self) -> dict[str, Array]:
        """Return the fields that are the same for all trajectories."""
        values = FileValues(self.path, self.schema, 0)
        return {one.name: values[one.name] for one in self.schema.fields if not one.per_trajectory}


def well_files(directory: Path) -> list[tuple[Path, Split]]:
    """Return a dataset's files: of data/train, data/valid, data/test, or of the directory itself."""
    for root in (directory / "data", directory):
        found = [
            (path, split)
            for word, split in SPLITS.items()
            for path in sorted((root / word).glob("*"))
            if path.suffix in SUFFIXES
        ]
        if found:
            return found
    found = [(path, Split.train) for path in sorted(directory.glob("*")) if path.suffix in SUFFIXES]
    if not found:
        limit = "holds no .h5 or .hdf5 files, nor do data/train, data/valid, data/test"
        raise InputError(Problem(field="--well", got=str(directory), limit=limit))
    return found


def read_well(path: Path, split: Split) -> WellFile:
    """Read everything of a file but its fields' values.

    Raises:
        InputError: it is no file of The Well, or one that does what we can't follow; says what.

    """
    find_plugin()
    try:
        with h5py.File(path, "r", locking=False) as file:
            return _read(file, path, split)
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            Problem(field=path.name, got=reason, limit="a file of The Well", where=str(path))
        ) from error


def _read(file: h5py.File, path: Path, split: Split) -> WellFile:
    grid, count = _grid(file), int(file.attrs["n_trajectories"])
    fields, offsets = _fields(file, grid)
    times = np.atleast_2d(file["dimensions/time"][()].astype("<f8"))
    times = np.broadcast_to(times, (count, times.shape[-1]))
    names = [_text(one) for one in file["scalars"].attrs["field_names"]]
    varying = [name for name in names if _flag(file[f"scalars/{name}"], "time_varying")]
    fixed = [name for name in names if name not in varying]
    schema = Schema(
        grid=grid,
        fields=fields,
        parameters=tuple(Parameter(name=name, ucum="") for name in fixed),
        signals=tuple(Parameter(name=name, ucum="") for name in varying),
        boundaries=tuple(_boundaries(file)),
        time_ucum="",
    )
    return WellFile(
        path=path,
        name=_text(file.attrs["dataset_name"]),
        split=split,
        schema=schema,
        times=times,
        parameters=_scalars(file, fixed, (count,)),
        signals=_scalars(file, varying, times.shape).astype("<f4"),
        offsets=offsets,
    )


def _grid(file: h5py.File) -> Grid:
    axes = []
    for name in map(_text, np.atleast_1d(file["dimensions"].attrs["spatial_dims"])):
        dataset = file[f"dimensions/{name}"]
        if _flag(dataset, "sample_varying") or _flag(dataset, "time_varying"):
            raise ValueError(f"grid {name} varies between trajectories or in time")
        axes.append(Axis(name=name, coordinates=dataset[()].astype("<f8"), ucum=""))
    return Grid(axes=tuple(axes), kind=_text(file.attrs["grid_type"]))


def _fields(file: h5py.File, grid: Grid) -> tuple[tuple[Field, ...], tuple[int | None, ...]]:
    found, offsets = [], []
    for order in range(3):
        group = file[f"t{order}_fields"]
        for name in map(_text, group.attrs["field_names"]):
            dataset = group[name]
            one = Field(
                name=name,
                order=order,
                ucum="",
                time_varying=_flag(dataset, "time_varying"),
                per_trajectory=_flag(dataset, "sample_varying"),
                along=tuple(bool(own) for own in dataset.attrs["dim_varying"]),
                symmetric=_flag(dataset, "symmetric"),
                antisymmetric=_flag(dataset, "antisymmetric"),
                storage=STORAGES[dataset.dtype.newbyteorder("<").str],
            )
            _check_size(file, dataset, one, grid)
            found.append(one)
            plain = dataset.chunks is None and dataset.dtype.str in STORAGES
            offsets.append(dataset.id.get_offset() if plain else None)
    return tuple(found), tuple(offsets)


def _check_size(file: h5py.File, dataset: h5py.Dataset, one: Field, grid: Grid) -> None:
    """Refuse an array of another size than its words say; an axis stored once may be 1 or left out."""
    count = int(file.attrs["n_trajectories"]) if one.per_trajectory else 1
    steps = file["dimensions/time"].shape[-1]
    wanted = count * int(np.prod(one.shape(grid, steps)))
    if dataset.size != wanted:
        raise ValueError(f"{one.name} has {dataset.size} numbers, its words say {wanted}")


def _boundaries(file: h5py.File) -> Iterator[Boundary]:
    for name, group in file["boundary_conditions"].items():
        kind = _text(group.attrs["bc_type"]).lower()
        if kind not in BOUNDARIES:
            raise ValueError(f"boundary {name} is {kind!r}, known: {', '.join(BOUNDARIES)}")
        yield Boundary(
            name=name,
            kind=kind,
            axes=tuple(map(_text, np.atleast_1d(group.attrs["associated_dims"]))),
            fields=tuple(map(_text, np.atleast_1d(group.attrs["associated_fields"]))),
            mask=group["mask"][()].astype(np.bool_),
            values=group["values"][()].astype("<f4").ravel() if "values" in group else None,
        )


def _scalars(file: h5py.File, names: list[str], shape: tuple[int, ...]) -> Array:
    """Return (trajectory, [step,] scalar): what does not vary between trajectories is repeated."""
    columns = []
    for name in names:
        dataset = file[f"scalars/{name}"]
        values = dataset[()].astype("<f8")
        own = shape if _flag(dataset, "sample_varying") else (1, *shape[1:])
        columns.append(np.broadcast_to(values.reshape(own), shape))
    return np.stack(columns, -1) if columns else np.zeros((*shape, 0))


@dataclass(frozen=True)
class FileValues(Mapping[str, Array]):
    """The fields of one trajectory of a file, each read when it is asked for."""

    path: Path
    schema: Schema
    row: int

    def __getitem__(self, name: str) -> Array:
        """Read one."""
        one = next(one for one in self.schema.fields if one.name == name)
        with h5py.File(self.path, "r", locking=False) as file:
            found = file[f"t{one.order}_fields/{name}"][self.row if one.per_trajectory else ...]
        steps = found.shape[0] if one.time_varying else 1
        array: Array = found.reshape(one.shape(self.schema.grid, steps))
        return array

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the trajectory's own fields."""
        return (one.name for one in self.schema.fields if one.per_trajectory)

    def __len__(self) -> int:
        """Return how many fields it has."""
        return sum(one.per_trajectory for one in self.schema.fields)


def _member(path: Path, row: int) -> str:
    folder = path.parent.name if path.parent.name in SPLITS else ""
    stem = path.stem.encode()[-44:].decode(errors="ignore")
    return f"{folder}{':' if folder else ''}{stem}:{row}"


def _flag(dataset: h5py.Dataset, name: str) -> bool:
    return bool(dataset.attrs.get(name, False))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
