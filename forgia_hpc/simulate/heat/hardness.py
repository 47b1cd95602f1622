"""Hardness by the rule of mixtures: what each constituent has, weighed by its share. Vickers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.composition import Composition, maynier

Floats = NDArray[np.float64]


def mixture(fractions: Mapping[str, ArrayLike], hardness: Mapping[str, ArrayLike]) -> Floats:
    """Return the sum of fraction times hardness, in the order of the fractions.

    Raises:
        InputError: a fraction without a hardness.
    """
    missing = sorted(set(fractions) - set(hardness))
    if missing:
        limit, fix = "each constituent needs a hardness", f"give one for {', '.join(missing)}"
        raise InputError(Problem(field="hardness", got=sorted(hardness), limit=limit, fix=fix))
    total: Floats = np.zeros(())
    for name, share in fractions.items():
        total = total + np.asarray(share, np.float64) * np.asarray(hardness[name], np.float64)
    return total


@dataclass(frozen=True)
class Given:
    """A hardness for each constituent, of the user's own."""

    values: Mapping[str, float]

    def __call__(self, fractions: Mapping[str, Floats], rate: Floats) -> Floats:
        """Return the hardness of each cell."""
        return mixture(fractions, self.values)


@dataclass(frozen=True)
class Maynier:
    """Hardness from the composition and each cell's cooling rate at 700 °C.

    Austenite that is left counts as martensite: the formulas were fitted to whole quenched structures.
    """

    steel: Composition

    def __call__(self, fractions: Mapping[str, Floats], rate: Floats) -> Floats:
        """Return the hardness of each cell; `rate` in K/s."""
        values = maynier(self.steel, rate)
        return mixture(fractions, {**values, "austenite": values["martensite"]})
