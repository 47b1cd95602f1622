"""Changes of phase: a melting front, martensite, hardness. V10, V11, V13."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import erf, erfinv

from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Fixed,
    Material,
    Symmetry,
    constant_material,
)
from forgia_hpc.simulate.heat.hardness import mixture
from forgia_hpc.simulate.heat.latent import Latent, sensible, with_latent
from forgia_hpc.simulate.heat.phases import Martensite, Transformation
from forgia_hpc.simulate.verification.figures import Figure, How
from forgia_hpc.simulate.verification.sampling import centres, solved

STEFAN = {0.1: 0.2200162727, 0.5: 0.4647859206, 1.0: 0.6200626333, 2.0: 0.8006013628}


def melting(stefan: float) -> Material:
    """Return a material of k = rho c = 1 that melts at 0 °C, its latent heat 1/Ste."""
    at = np.array([-1.0, 2.0])
    heat = Latent(heat=1.0 / stefan, low=0.0, high=0.0)
    at, enthalpy = with_latent(at, sensible(at, 1.0, np.ones_like), 1.0, [heat])
    return Material(
        name="melting",
        temperature=tuple(at.tolist()),
        conductivity=(1.0,) * len(at),
        enthalpy=tuple(enthalpy.tolist()),
    )


def stefan_fronts(how: How) -> Sequence[Figure]:
    """V10: a solid at its melting point, its wall at 1: the front lies at 2 l sqrt(t).

    l comes from the liquid's profile 1 - erf(x/(2 sqrt t))/erf(l), a mean over its inner half: the front
    itself is known to a cell only.
    """
    return [
        Figure(
            name=f"l, Ste {stefan:g}", got=_front(stefan, target, how), target=target,
            tolerance=0.005 * target,
        )
        for stefan, target in STEFAN.items()
    ]  # fmt: skip


def _front(stefan: float, constant: float, how: How) -> float:
    end = (0.4 / constant) ** 2  # the front is then at 0.8
    grid = Box(shape=(50,), lengths=(1.0,))
    case = Case(
        grid=grid,
        material=melting(stefan),
        boundaries={"x-": Fixed(temperature=1.0), "x+": Symmetry()},
        initial=-1e-12,  # just solid: 0 itself is where the enthalpy jumps
        end_s=end,
    )
    x, field = centres(grid)[0], solved(case, how).temperature[-1]
    inner = (x > 0.2) & (x < 0.5)
    ratio = erf(x[inner] / (2 * np.sqrt(end))) / (1 - field[inner])
    return float(np.mean(erfinv(ratio)))


def martensite(how: How) -> Sequence[Figure]:
    """V11: a bar that cools slowly to 100 and 200 K below Ms, through the solver's own loop."""
    targets = {100.0: 0.667129, 200.0: 0.889197}
    return [
        Figure(
            name=f"martensite, Ms - T = {under:g} K",
            got=_martensite(under, how),
            target=target,
            tolerance=1e-6,
        )
        for under, target in targets.items()
    ]


def _martensite(under: float, how: How) -> float:
    case = Case(
        grid=Box(shape=(8,), lengths=(1.0,)),
        material=constant_material(1.0, 1.0),
        boundaries={"x-": Symmetry(), "x+": Convection(h=1.0, ambient=300.0 - under)},
        initial=500.0,
        end_s=40.0,
        phases=Transformation((), Martensite(start_c=300.0)),
    )
    return float(solved(case, how).fractions["martensite"][-1].mean())


def hardness(how: How) -> Sequence[Figure]:
    """V13: 0.7 of a constituent of 200 HV, 0.3 of one of 300."""
    got = mixture({"bainite": 0.7, "martensite": 0.3}, {"bainite": 200.0, "martensite": 300.0})
    name = "0.7 x 200 + 0.3 x 300"
    return [Figure(name=name, got=float(got), target=230.0, tolerance=1e-12, unit="HV")]
