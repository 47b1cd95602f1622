"""One of Taylor's decaying vortices in a square of pi: icoFoam with two-dimensional cells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forgia_hpc.simulate.command.extract import Left
from forgia_hpc.simulate.member import Array, Finding
from forgia_hpc.simulate.plugins.openfoam.foam import as_list, read_field, write_times

CELLS = 48
COURANT = 0.8
WRITTEN_S = 1.0  # between two written times, as system/controlDict says
BALANCED = (
    0.02  # of the first energy: what PISO loses beside the viscosity, and the sampled times hide
)


def vortices(inputs: Mapping[str, float], level: int) -> dict[str, float | str]:
    """Return the initial velocity and pressure, cell by cell, and a time step that divides the write interval."""
    width = np.pi / (CELLS << level)
    centres = (np.arange(CELLS << level) + 0.5) * width
    y, x = (grid.ravel() for grid in np.meshgrid(centres, centres, indexing="ij"))
    speed = inputs["speed"]
    velocity = np.stack([np.sin(x) * np.cos(y), -np.cos(x) * np.sin(y), np.zeros_like(x)], axis=1)
    pressure = 0.25 * speed**2 * (np.cos(2 * x) + np.cos(2 * y))
    return {
        "velocities": as_list(speed * velocity),
        "pressures": as_list(pressure - pressure[0]),
        "time_step": 1 / float(np.ceil(speed / (COURANT * width))),
    }


def extract(left: Left) -> dict[str, Array]:
    """Return velocity (time, y, x, component: along y, along x) and kinematic pressure."""
    shape = tuple(len(points) for points in left.points.values())
    cells = shape[0] * shape[1]
    written = write_times(left.directory)
    velocity = [read_field(path / "U", cells, 3).reshape(*shape, 3) for _, path in written]
    pressure = [read_field(path / "p", cells, 1).reshape(shape) for _, path in written]
    return {
        "times": np.array([time for time, _ in written]),
        "velocity": np.stack(velocity)[..., [1, 0]],
        "pressure": np.stack(pressure),
    }


def check(inputs: Mapping[str, float], fields: Mapping[str, Array]) -> list[Finding]:
    """Return whether the kinetic energy only falls, and by what the viscosity takes: nu times vorticity²."""
    velocity, width = fields["velocity"], np.pi / CELLS
    energy = (velocity**2).sum(axis=-1).mean(axis=(1, 2)) / 2
    along_y, along_x = velocity[..., 0], velocity[..., 1]
    vorticity = np.gradient(along_y, width, axis=2, edge_order=2)
    vorticity -= np.gradient(along_x, width, axis=1, edge_order=2)
    taken = inputs["viscosity"] * np.trapezoid((vorticity**2).mean(axis=(1, 2)), dx=WRITTEN_S)
    rise = float(np.diff(energy).max(initial=0.0) / energy[0])
    rest = float(abs(energy[0] - energy[-1] - taken) / energy[0])
    limit = f"{BALANCED:g} of the energy at the start"
    return [
        Finding(check="falling_energy", value=rise, limit="no rise", passed=rise <= 0.0),
        Finding(check="energy_balance", value=rest, limit=limit, passed=rest <= BALANCED),
    ]
