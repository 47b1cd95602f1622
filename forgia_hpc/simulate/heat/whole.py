"""An explicit step in one compiled call: what small members are made of, whose arrays are read in microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forgia_hpc.simulate.heat.arrays import Any3
from forgia_hpc.simulate.heat.compiled import kernel
from forgia_hpc.simulate.heat.joined import Compiled, Joined

if TYPE_CHECKING:
    from forgia_hpc.simulate.heat.part import Part


def whole_of(part: Part) -> WholeStep | None:
    """Return the step where it is as simple as that: a constant material, numbers behind the walls, no source."""
    patch = part.walls.patches[0] if part.walls.patches else None
    simple = part.matter.constant and part.body is None and part.case.source is None
    if not simple or not isinstance(patch, Joined) or not patch.wall.steady:
        return None
    flux = patch.wall.flux
    assert isinstance(flux, Compiled)
    return WholeStep(part, patch, flux) if flux.linear else None


class WholeStep:
    """Stencil, walls and their account in one pass."""

    def __init__(self, part: Part, patch: Joined, flux: Compiled) -> None:
        """Take a part with its only patch, and that patch's flux."""
        self.walls, self.patch, self.flux = part.walls, patch, flux
        matter, block, geometry = part.matter, part.block, part.geometry
        self.dtype = matter.arrays.dtype
        self.unit, self.heat = matter.conductivity_unit, matter.heat_unit
        self.low, self.high = (
            tuple(one[at].astype(self.dtype) for one, at in zip(ends, block.where, strict=True))
            for ends in (geometry.low, geometry.high)
        )

    def __call__(self, out: Any3, state: Any3, dt: float) -> None:
        """Set out to the state after dt."""
        patch = self.patch
        drives: Any = self.flux.drive(self.walls.values(patch, 0.0))
        mesh = self.low, self.high, self.dtype.type(dt * self.unit / self.heat)
        walls = self.flux.sides, patch.key, patch.gains(dt), self.flux.numbers, drives
        kernel("whole")(out, state, patch.taken, mesh, walls, dt)
