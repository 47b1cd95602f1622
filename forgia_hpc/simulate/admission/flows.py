"""What passes a wall: the laws once more, from the cell behind it. W/m2 into the body."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.admission.properties import Matter
from forgia_hpc.simulate.admission.reading import ZERO_C, UnreadError

Floats = NDArray[np.float64]
_SIGMA = 5.670374419e-8  # W/(m2 K4), CODATA 2018


class Passage:
    """One wall's laws as a table: the flux into a cell over its theta, `half` behind the wall."""

    def __init__(self, laws: Sequence[dict[str, Any]], half: float, matter: Matter) -> None:
        """Take a side's laws."""
        self._matter, self._half = matter, half
        self._laws = [one for one in laws if one["law"] != "symmetry"]
        held = [one["temperature"] for one in self._laws if one["law"] == "fixed"]
        self._held = float(matter.theta_of(np.array(held[:1]))[0]) if held else None
        self._flux = np.zeros_like(matter.at) if held else at_surface(self._laws, matter.at)
        # theta of the cell behind a surface of each temperature
        self._behind = matter.theta - half * self._flux

    @cached_property
    def is_falling(self) -> bool:
        """Whether a warmer cell always takes less: then what passes lies between what two temperatures pass."""
        return self._held is not None or bool((np.diff(self._flux) <= 0.0).all())

    @cached_property
    def is_clear(self) -> bool:
        """Whether a cell's temperature tells that of its surface.

        A steep boiling curve behind a wide cell allows three, and which of them holds is not in the words.
        """
        return bool((np.diff(self._behind) > 0.0).all())

    def __call__(self, cell: Floats) -> Floats:
        """Return the flux into cells at these temperatures."""
        theta = self._matter.theta_of(cell)
        if self._held is not None:
            return np.asarray((self._held - theta) / self._half)
        return np.interp(theta, self._behind, self._flux)


def at_surface(laws: Sequence[dict[str, Any]], t: Floats) -> Floats:
    """Return what all laws give a surface of this temperature."""
    return np.asarray(sum((_one(law, t) for law in laws), 0.0 * t))


def _one(law: dict[str, Any], t: Floats) -> Floats:
    name = law["law"]
    if name == "flux":
        return np.full_like(t, law["into"])
    if name == "radiation":
        hot, cold = t + ZERO_C, law["ambient"] + ZERO_C
        return np.asarray(law["emissivity"] * _SIGMA * (cold**4 - hot**4))
    if name == "convection":
        h = law["h"] if isinstance(law["h"], float) else _table(law["h"], t)
        return np.asarray(h * (law["ambient"] - t))
    if name == "boiling":
        corners = [
            (law["boils"], law["convection"]),
            (law["peak_at"], law["peak"]),
            (law["leidenfrost"], law["film"]),
        ]
        return np.asarray(_table(corners, t) * (law["ambient"] - t))
    raise UnreadError(f"law {name!r}")


def _table(rows: Sequence[tuple[float, float]], t: Floats) -> Floats:
    return np.interp(t, [a for a, _ in rows], [b for _, b in rows])
