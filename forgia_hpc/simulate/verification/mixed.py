"""Cases that use all of the solver at once: for what must hold whatever is solved. V21 and V22."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Coordinates,
    Fixed,
    Flux,
    Radiation,
    Ring,
    Symmetry,
    Table,
)
from forgia_hpc.simulate.heat.masks import stepped
from forgia_hpc.simulate.heat.materials import material
from forgia_hpc.simulate.heat.phases import Diffusive, Martensite, Transformation
from forgia_hpc.simulate.heat.sources import MovingGaussian

_CFL = {"explicit": 0.9, "implicit": 4.0}
BOILING = Table(temperature=(100.0, 200.0, 500.0, 900.0), values=(800.0, 9000.0, 3000.0, 400.0))


def steel() -> Transformation:
    """Return phases with latent heats: round numbers that make the loop work, no steel's data."""
    at = (350.0, 500.0, 650.0)
    bainite = Diffusive(
        name="bainite",
        start=Table(temperature=at, values=(8.0, 1.5, 20.0)),
        finish=Table(temperature=at, values=(90.0, 30.0, 300.0)),
        heat=4e8,
    )
    return Transformation((bainite,), Martensite(start_c=350.0, heat=6e8))


def mixed_cases(scheme: str) -> Iterator[tuple[str, Case]]:
    """Yield a block, a ring and a stepped forging, each with walls of its own, steel that changes, and a name."""
    hot = material("carbon_steel_en1993").material
    quenched = Convection(h=BOILING, ambient=25.0)
    yield (
        "block",
        Case(
            grid=Box(shape=(10, 11, 13), lengths=(0.02, 0.022, 0.026)),
            material=hot,
            boundaries={
                "x-": Fixed(temperature=lambda t: 850.0 - 100.0 * t),
                "x+": quenched,
                "y-": Flux(into=-2e5),
                "y+": (quenched, Radiation(emissivity=0.8, ambient=25.0)),
                "z-": Symmetry(),
                "z+": Radiation(emissivity=0.6, ambient=25.0),
            },
            initial=_uneven,
            end_s=0.5,
            source=MovingGaussian(power=2e3, speed=5e-3, sigma=5e-3, start=(0.0, 0.01, 0.005)),
            phases=steel(),
            scheme=scheme,
            cfl=_CFL[scheme],
        ),
    )
    yield (
        "ring",
        Case(
            grid=Ring(shape=(12, 9), inner=0.02, outer=0.05, height=0.06),
            material=hot,
            boundaries=dict.fromkeys(("z-", "z+", "r-", "r+"), quenched),
            initial=480.0,
            end_s=3.0,
            phases=steel(),
            scheme=scheme,
            cfl=_CFL[scheme],
        ),
    )
    yield (
        "stepped forging",
        Case(
            grid=stepped([(0.03, 0.06), (0.03, 0.036)], 4e-3),
            material=hot,
            boundaries={"surface": quenched},
            initial=480.0,
            end_s=3.0,
            phases=steel(),
            scheme=scheme,
            cfl=_CFL[scheme],
        ),
    )


def _uneven(where: Coordinates) -> np.ndarray:
    z, y, x = where
    return np.asarray(800.0 + 30.0 * np.sin(200 * x) * np.cos(150 * y) + 500.0 * z)
