"""Cases that show every path of the heat solver; the same on any number of ranks."""

from __future__ import annotations

import numpy as np

from forgia_hpc.simulate.heat.case import (
    Ball,
    Box,
    Case,
    Convection,
    Fixed,
    Flux,
    Material,
    OfPlace,
    Radiation,
    Ring,
    Symmetry,
    Table,
    Voxels,
    constant_material,
)

STEEL = Material(
    name="sloping",
    temperature=(0.0, 300.0, 700.0, 700.0, 1000.0),
    conductivity=(50.0, 42.0, 28.0, 28.0, 25.0),
    enthalpy=(0.0, 1.2e9, 3.2e9, 3.6e9, 5.2e9),
)
BOILING = Table(temperature=(100.0, 200.0, 500.0, 900.0), values=(600.0, 6000.0, 900.0, 300.0))


def box(**words: object) -> Case:
    plain = {
        "grid": Box(shape=(7, 6, 11), lengths=(0.07, 0.05, 0.1)),
        "material": constant_material(33.5, 5.26e6),
        "boundaries": {
            "x-": Symmetry(),
            "x+": Convection(h=1675.0, ambient=15.0),
            "y-": Fixed(temperature=lambda t: 800.0 - t),
            "y+": Flux(into=OfPlace(function=lambda t, at: -1e4 * (1 + at[0] + at[2]))),
            "z-": (Convection(h=300.0, ambient=lambda t: 20.0 + t), Flux(into=500.0)),
            "z+": Radiation(emissivity=0.8, ambient=25.0),
        },
        "initial": lambda at: 850.0 + 10 * np.cos(30 * at[0]) * np.sin(20 * at[1]) + 0 * at[2],
        "end_s": 8.0,
        "save_times": (0.0, 3.0, 8.0),
        "source": lambda t, at: 1e6 * (1 + t) * at[2] * at[0] + 0 * at[1],
    }
    return Case(**{**plain, **words})


def ring(**words: object) -> Case:
    plain = {
        "grid": Ring(shape=(9, 7), inner=0.05, outer=0.1, height=0.1),
        "material": STEEL,
        "boundaries": {
            "z-": Symmetry(),
            "z+": (Convection(h=BOILING, ambient=25.0), Flux(into=-2000.0)),
            "r-": Radiation(emissivity=0.8, ambient=25.0),
            "r+": Convection(h=BOILING, ambient=25.0),
        },
        "initial": 850.0,
        "end_s": 20.0,
    }
    return Case(**{**plain, **words})


def voxels(**words: object) -> Case:
    z, y, x = np.ogrid[:8, :9, :9]
    mask = ((y - 4) ** 2 + (x - 4) ** 2 <= 18 - z) & (z >= 0)
    radius = np.maximum(np.hypot(y - 4, x - 4), 1e-9) + 0 * z
    shares = np.stack([np.ones(mask.shape), np.abs(y - 4) / radius, np.abs(x - 4) / radius])
    plain = {
        "grid": Voxels(mask=mask, spacing=0.01, shares=shares),
        "material": STEEL,
        "boundaries": {"surface": Convection(h=BOILING, ambient=25.0)},
        "initial": 850.0,
        "end_s": 10.0,
    }
    return Case(**{**plain, **words})


def ball(**words: object) -> Case:
    plain = {
        "grid": Ball(shape=(13,), outer=0.05),
        "material": STEEL,
        "boundaries": {"r+": Fixed(temperature=100.0)},
        "initial": 850.0,
        "end_s": 5.0,
    }
    return Case(**{**plain, **words})


CASES = {"box": box, "ring": ring, "voxels": voxels, "ball": ball}
