"""Euler's step forward: first order in time and second in space.

The longest step goes with the square of a cell's width, so at a fixed share of it the error in time is of second
order in the width too: on refining, the whole error falls by 4. Runge-Kutta steps of second order would cost twice
for the same longest step and lose what Euler's keeps: each new value is a mean of old ones.
"""

from __future__ import annotations

from forgia_hpc.simulate.heat.arrays import Any3
from forgia_hpc.simulate.heat.part import Part


def step(part: Part, t: float, dt: float) -> None:
    """Go on from t by dt."""
    flow = part.potential(part.state)
    if part.whole is not None:
        part.whole(part.spare, part.state, dt)
    else:
        _in_parts(part, flow, t, dt)
    part.state, part.spare = part.spare, part.state


def _in_parts(part: Part, flow: Any3, t: float, dt: float) -> None:
    """Set the spare state to what stencil, walls and source make of the state."""
    matter = part.matter
    part.stencil(part.spare, part.state, flow, dt * matter.conductivity_unit / matter.heat_unit)
    fluxes, source = part.walls.fluxes(t, part.state), part.source(t)
    part.walls.add(fluxes, dt, part.spare)
    part.walls.note(fluxes, dt)
    if source is not None:
        part.add_heat(dt * source, part.spare)
        part.note_heat(dt * source)
