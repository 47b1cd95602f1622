"""the_well's WellDataset: a sample is two steps of one scalar field, one for the input and one for the output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from the_well.data import WellDataset

PACKAGES = ("numpy", "the_well", "h5py", "torch")
NOTE = "fields alone, without grid and boundaries"
IN_ONE = 64  # samples behind each other in one trajectory


@dataclass(frozen=True)
class Reader:
    """The dataset and the shape of a sample."""

    dataset: Any
    shape: tuple[int, int]


def make(samples: np.ndarray, directory: Path) -> None:
    """Write one file in The Well's format, contiguous."""
    count, channels, steps = samples.shape
    cells = channels * steps // 2
    grid = (cells // 16, 16)
    (directory / "data/train").mkdir(parents=True)
    with h5py.File(directory / "data/train/samples.hdf5", "w") as file:
        file.attrs.update(
            dataset_name="samples",
            grid_type="cartesian",
            n_spatial_dims=2,
            n_trajectories=count // IN_ONE,
        )
        _dimensions(file, grid)
        file.create_group("boundary_conditions")
        for name in ("scalars", "t0_fields", "t1_fields", "t2_fields"):
            file.create_group(name).attrs["field_names"] = ["u"] if name == "t0_fields" else []
        field = file.create_dataset(
            "t0_fields/u", data=samples.reshape(count // IN_ONE, 2 * IN_ONE, *grid)
        )
        field.attrs.update(dim_varying=[True, True], sample_varying=True, time_varying=True)
    np.save(directory / "shape.npy", np.array([channels, steps]))


def _dimensions(file: h5py.File, grid: tuple[int, int]) -> None:
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = ["x", "y"]
    for name, length in zip(("time", "x", "y"), (2 * IN_ONE, *grid), strict=True):
        dimensions[name] = np.arange(length, dtype=np.float32)
        dimensions[name].attrs["sample_varying"] = False


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give the dataset."""
    dataset = WellDataset(
        path=str(directory), well_split_name="train", return_grid=False, boundary_return_type=None
    )
    channels, steps = np.load(directory / "shape.npy").tolist()
    yield Reader(dataset, (channels, steps))


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Return the samples, one `dataset[i]` each; windows begin at every step but a trajectory's last."""
    found = []
    for number in numbers.tolist():
        trajectory, place = divmod(number, IN_ONE)
        sample = reader.dataset[trajectory * (2 * IN_ONE - 1) + 2 * place]
        found += [sample["input_fields"], sample["output_fields"]]
    values: np.ndarray = torch.cat(found).numpy()
    return values.reshape(len(numbers), *reader.shape)
