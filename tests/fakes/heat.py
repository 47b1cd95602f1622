"""Heat in a plate, in twenty lines of NumPy: explicit finite volumes, two edges cooled, two insulated."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import (
    Axis,
    Boundary,
    Field,
    FieldSet,
    Grid,
    Parameter,
    Schema,
    Trajectory,
)
from forgia_hpc.data.layout import Split

CELL_M = 1e-3
CONDUCTIVITY = 30.0  # W/(m K)
SAVE_S = 0.25

Floats = NDArray[np.float64]


def cooled(
    start: Floats, diffusivity: float, transfer: float, ambient: float, steps: int
) -> Floats:
    """Return temperatures (step, y, x) in K: the low and high edge of y are cooled."""
    inner = max(1, int(np.ceil(SAVE_S * diffusivity * 4.4 / CELL_M**2)))
    number = diffusivity * SAVE_S / inner / CELL_M**2
    film = 1 / (1 / transfer + CELL_M / 2 / CONDUCTIVITY) * CELL_M / CONDUCTIVITY
    found, now = [start], start
    for _ in range(steps - 1):
        for _ in range(inner):
            flow_y, flow_x = (np.diff(now, axis=axis) for axis in (0, 1))
            change = np.zeros_like(now)
            change[:-1] += flow_y
            change[1:] -= flow_y
            change[:, :-1] += flow_x
            change[:, 1:] -= flow_x
            change[[0, -1]] += film * (ambient - now[[0, -1]])
            now = now + number * change
        found.append(now)
    return np.stack(found)


def schema(size: int) -> Schema:
    axes = [Axis(name=name, coordinates=(np.arange(size) + 0.5) * CELL_M) for name in ("y", "x")]
    cooled_by = ("transfer", "ambient")
    return Schema(
        grid=Grid(axes=tuple(axes)),
        fields=(Field(name="temperature", ucum="K"),),
        parameters=(
            Parameter(name="diffusivity", ucum=""),
            Parameter(name="transfer", ucum=""),
            Parameter(name="ambient", ucum="K"),
        ),
        boundaries=(
            Boundary(
                name="cooled", kind="wall", axes=("y",), law="convection", parameters=cooled_by
            ),
            Boundary(name="insulated", kind="wall", axes=("x",), law="symmetry"),
        ),
    )


def plate(number: int, size: int, steps: int, split: Split, seed: int = 0) -> Trajectory:
    """Return one member: a billet of uneven heat, of random steel, in a random bath."""
    rng = np.random.default_rng([seed, number])
    at = (np.arange(size) + 0.5) / size * np.pi
    waves = np.cos(np.arange(7)[:, None] * at)  # (mode, cell)
    heights = rng.normal(size=(7, 7)) / (1 + np.add.outer(np.arange(7), np.arange(7)))
    start = rng.uniform(900, 1300) + 150 * waves.T @ heights @ waves
    diffusivity, transfer = 4e-6 * 4 ** rng.random(), 200.0 * 20 ** rng.random()
    ambient = rng.uniform(290, 340)
    began = time.perf_counter()
    values = cooled(start, diffusivity, transfer, ambient, steps)
    return Trajectory(
        member=f"plate-{number:05d}",
        split=split,
        times=np.arange(steps) * SAVE_S,
        values={"temperature": values},
        parameters={"diffusivity": diffusivity, "transfer": transfer, "ambient": ambient},
        provenance={"solver": "numpy", "seconds": time.perf_counter() - began},
    )


def plates(
    members: int, held_out: int, *, size: int = 64, steps: int = 61, seed: int = 0
) -> FieldSet:
    """Return members of which the last `held_out` are never learnt from."""
    splits = [Split.train] * (members - held_out) + [Split.held_out_machines] * held_out
    return FieldSet(
        name="plates",
        contributor="forge",
        schema=schema(size),
        trajectories=[
            plate(number, size, steps, split, seed) for number, split in enumerate(splits)
        ],
        provenance={"solver": "explicit finite volumes in NumPy"},
    )
