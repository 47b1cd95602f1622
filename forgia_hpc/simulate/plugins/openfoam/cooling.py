"""A square bar that cools by convection, a quarter of its section: laplacianFoam with two-dimensional cells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forgia_hpc.simulate.command.extract import Left
from forgia_hpc.simulate.member import Array
from forgia_hpc.simulate.plugins.openfoam.foam import read_field, write_times

CELLS, HALF_WIDTH = 32, 0.05  # along each axis; m
STEP_S = 0.5  # at level 0; half of it at each finer one


def surface(inputs: Mapping[str, float], level: int) -> dict[str, float]:
    """Return diffusivity, time step, and the share of the ambient temperature in the surface's."""
    half_cell = HALF_WIDTH / (CELLS << level) / 2
    conductance = inputs["conductivity"] / half_cell
    return {
        "diffusivity": inputs["conductivity"] / inputs["heat_capacity"],
        "share": inputs["heat_transfer"] / (inputs["heat_transfer"] + conductance),
        "time_step": STEP_S / (1 << level),
    }


def extract(left: Left) -> dict[str, Array]:
    """Return the temperature (time, y, x)."""
    shape = tuple(len(points) for points in left.points.values())
    written = write_times(left.directory)
    fields = [read_field(path / "T", shape[0] * shape[1], 1).reshape(shape) for _, path in written]
    return {"times": np.array([time for time, _ in written]), "temperature": np.stack(fields)}
