"""A file as The Well's own tools write it: variable-length texts, words left out, one axis stored once."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

SHAPE = (6, 4)
TRAJECTORIES, STEPS = 2, 7


def write_well_file(
    path: Path,
    seed: int = 0,
    *,
    packed: bool = False,
    name: str = "dummy",
    tensors: bool = False,
    a: float = 0.25,
    trajectories: int = TRAJECTORIES,
) -> Path:
    """Fields: density, velocity; wall is constant, one for all, along y only. inflow is a scalar in time.

    `tensors` adds stress. `a` is a scalar that is one for the whole file.
    """
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {"chunks": True, "compression": "gzip"} if packed else {}
    x, y = (np.linspace(0, 1, size, dtype=np.float32) for size in SHAPE)
    with h5py.File(path, "w") as file:
        file.attrs["a"] = a
        file.attrs["dataset_name"] = name
        file.attrs["grid_type"] = "cartesian"
        file.attrs["n_spatial_dims"] = 2
        file.attrs["n_trajectories"] = trajectories
        file.attrs["simulation_parameters"] = ["a"]
        group = file.create_group("boundary_conditions")
        for key, kind in (("x_ends", "WALL"), ("y_around", "periodic")):
            one = group.create_group(key)
            one.attrs["associated_dims"] = key[0]  # a text where the specification says a list
            one.attrs["associated_fields"] = []
            one.attrs["bc_type"] = kind
            mask = np.zeros(SHAPE["xy".index(key[0])], bool)
            mask[[0, -1]] = True
            one.create_dataset("mask", data=mask)
        group = file.create_group("dimensions")
        group.attrs["spatial_dims"] = ["x", "y"]
        for key, values in (("time", np.arange(STEPS, dtype=np.float32)), ("x", x), ("y", y)):
            group.create_dataset(key, data=values).attrs["sample_varying"] = False
        group = file.create_group("scalars")
        group.attrs["field_names"] = ["a", "b", "inflow"]
        _flagged(group, "a", np.array(a), sample=False, time=False)
        _flagged(group, "b", rng.random(trajectories), sample=True, time=False)
        _flagged(group, "inflow", rng.random(STEPS), sample=False, time=True)
        group = file.create_group("t0_fields")
        group.attrs["field_names"] = ["density", "wall"]
        density = rng.random((trajectories, STEPS, *SHAPE), np.float32)
        _flagged(group, "density", density, sample=True, time=True, dims=[True, True], **more)
        wall = np.arange(SHAPE[1], dtype=np.float32)[None]
        _flagged(group, "wall", wall, sample=False, time=False, dims=[False, True])
        group = file.create_group("t1_fields")
        group.attrs["field_names"] = ["velocity"]
        velocity = rng.random((trajectories, STEPS, *SHAPE, 2), np.float32)
        _flagged(group, "velocity", velocity, sample=True, time=True, dims=[True, True], **more)
        stress = rng.random((trajectories, STEPS, *SHAPE, 2, 2), np.float32)
        _tensors(file.create_group("t2_fields"), {"stress": stress} if tensors else {}, more)
    return path


def _tensors(group, named, more):
    group.attrs["field_names"] = list(named)
    for name, data in named.items():
        _flagged(group, name, data, sample=True, time=True, dims=[True, True], **more)


def _flagged(group, name, data, *, sample, time, dims=None, **more):
    dataset = group.create_dataset(name, data=data, **more)
    dataset.attrs["sample_varying"] = sample
    dataset.attrs["time_varying"] = time
    if dims is not None:
        dataset.attrs["dim_varying"] = dims
