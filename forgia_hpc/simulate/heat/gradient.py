"""Conjugate gradients without a stored matrix, preconditioned by its diagonal.

The products of vectors are weighed by the cells' volumes (a ring's matrix is symmetric only so), and summed so
that no number of ranks shows in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forgia_hpc.simulate.heat.arrays import INNER, Any3
from forgia_hpc.simulate.heat.laws import Sharing
from forgia_hpc.simulate.heat.part import Part
from forgia_hpc.simulate.heat.sums import exact_sum
from forgia_hpc.simulate.member import MemberError

_ENOUGH = {"f64": 1e-7, "f32": 1e-4}  # of the right side: Newton's next step mends the rest
_MOST = 2000


class Matrix:
    """A stage's matrix at the present state, over steps w of the potential: m w - dt (stencil(w) + walls)."""

    def __init__(self, part: Part, fluxes: Sequence[Sharing], dt: float) -> None:
        """Take the walls' fluxes and slopes at the present state."""
        self.part = part
        matter = part.matter
        self.scale = dt * matter.conductivity_unit / matter.heat_unit
        state = part.state[INNER]
        self.per_potential: Any = 1.0 if matter.constant else matter.state_per_potential(state)
        self.walls = [
            (patch.key, patch.strengths(-dt, matter.conductivity_unit, slope))
            for patch, (_, slope) in zip(part.walls.patches, fluxes, strict=True)
        ]
        self.field = part.state * 0.0
        self.image = part.state * 0.0
        diagonal = part.state * 0.0
        diagonal[INNER] = part.arrays.array(self.scale * _closed(part)) + self.per_potential
        for key, strength in self.walls:
            part.arrays.add(diagonal, key, strength)
        self.inverse = 1.0 / diagonal[INNER]

    def state_of(self, w: Any3) -> Any3:
        """Return the step of the state that belongs to one of the potential."""
        return self.per_potential * w

    def times(self, w: Any3) -> Any3:
        """Return the product with own cells."""
        self.field[INNER] = w
        self.part.halo.exchange(self.field)
        self.image[INNER] = self.per_potential * w
        self.part.stencil(self.image, self.image, self.field, -self.scale)
        arrays = self.part.arrays
        for key, strength in self.walls:
            arrays.add(self.image, key, strength * arrays.take(self.field, key))
        return self.image[INNER]


def solve(part: Part, matrix: Matrix, right: Any3) -> Any3:
    """Return w with matrix w = right; MemberError if the directions run out."""
    volumes = part.arrays.wide(part.arrays.array(part.volumes))
    wide = part.arrays.wide

    def dot(a: Any3, b: Any3) -> float:
        return exact_sum(wide(a) * wide(b) * volumes, part.arrays, part.ranks)

    w, rest = 0.0 * right, right + 0.0
    near = matrix.inverse * rest
    way = near + 0.0
    now = dot(rest, near)
    enough = now * _ENOUGH[part.case.dtype] ** 2
    for _ in range(_MOST):
        if now <= enough:
            return w
        image = matrix.times(way)
        length = now / dot(way, image)
        w, rest = w + length * way, rest - length * image
        near = matrix.inverse * rest
        before, now = now, dot(rest, near)
        way = near + (now / before) * way
    raise MemberError("not_converged", f"{_MOST} conjugate gradients were not enough")


def _closed(part: Part) -> Any:
    """Return the sum of each own cell's weights; a mask's closed faces count too, which does no harm."""
    total: Any = np.zeros((1, 1, 1))
    for axis, at in enumerate(part.block.where):
        weight = part.geometry.low[axis][at] + part.geometry.high[axis][at]
        total = total + weight.reshape([-1 if one == axis else 1 for one in range(3)])
    return np.broadcast_to(total, part.block.shape)
