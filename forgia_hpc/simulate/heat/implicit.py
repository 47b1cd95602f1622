"""A step of second order that no length makes unstable: SDIRK2 (Alexander, SIAM J. Numer. Anal. 14 (1977) 1006).

Two implicit stages of the same length, gamma = 1 - 1/sqrt(2): L-stable, so that the shock of a quench dies out
instead of ringing as with Crank-Nicolson; and one step knows nothing of the last, so lengths may change.

A stage is solved by Newton's steps in the enthalpy. In Kirchhoff's potential its matrix is symmetric for any k(T)
and h(T): conjugate gradients solve it without storing it. What is kept in the end is the start plus the fluxes
of the last iterate, so heat is conserved to rounding however well the iteration converged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from forgia_hpc.simulate.heat.arrays import INNER, Any3
from forgia_hpc.simulate.heat.gradient import Matrix, solve
from forgia_hpc.simulate.heat.laws import Sharing
from forgia_hpc.simulate.heat.part import Part
from forgia_hpc.simulate.heat.sums import largest
from forgia_hpc.simulate.member import MemberError

GAMMA = 1.0 - 1.0 / math.sqrt(2.0)
_NEWTON = 60
_ENOUGH = {
    "f64": 1e-11,
    "f32": 2e-6,
}  # of the largest state that the stage begins with or arrives at
_ROUNDING = {"f64": 1e-6, "f32": 1e-3}  # of the same: more would show in the result
_TINY = 1e-300


def step(part: Part, t: float, dt: float) -> None:
    """Go on from t by dt."""
    before = part.state + 0.0
    _stage(part, before, t + GAMMA * dt, GAMMA * dt, (1.0 - GAMMA) * dt)
    base = before + (part.state - before) * ((1.0 - GAMMA) / GAMMA)
    _stage(part, base, t + dt, GAMMA * dt, GAMMA * dt)


def _stage(part: Part, base: Any3, t: float, dt: float, noted: float) -> None:
    """Set the state to base + dt * (what flows at it, at time t); its fluxes count for `noted` seconds."""
    begun = max(largest(one[INNER], part.arrays, part.ranks) for one in (base, part.state))
    source, moved = part.source(t), math.inf
    for _ in range(_NEWTON):
        fluxes = part.walls.fluxes(t, part.state)
        target = _flowed(part, base, fluxes, dt)
        if source is not None:
            part.add_heat(dt * source, target)
        miss = target[INNER] - part.state[INNER]
        worst = largest(miss, part.arrays, part.ranks)
        # a start at 0 has no size of its own: where the stage arrives, there is one
        size = max(begun, largest(target[INNER], part.arrays, part.ranks))
        if _is_solved(worst / max(size, _TINY), moved / max(size, _TINY), part.case.dtype):
            break
        if not math.isfinite(worst):
            raise MemberError("not_finite", f"an implicit step diverged at t = {t:g} s")
        matrix = Matrix(part, fluxes, dt)
        newton = matrix.state_of(solve(part, matrix, miss))
        moved = largest(newton, part.arrays, part.ranks)
        part.state[INNER] = part.state[INNER] + newton
    else:
        why = f"{_NEWTON} Newton steps did not solve the stage at t = {t:g} s; take a smaller cfl"
        raise MemberError("not_converged", why)
    part.state, part.spare = target, part.state
    part.walls.note(fluxes, noted)
    if source is not None:
        part.note_heat(noted * source)


def _is_solved(worst: float, moved: float, dtype: str) -> bool:
    """Whether a stage is solved, by what it misses and by how far Newton's last step went; of the state's size.

    A step of many explicit limits multiplies the rounding of the fluxes: the miss stays, and the step tells.
    """
    enough = _ENOUGH[dtype]
    return worst <= enough or (moved <= enough and worst <= _ROUNDING[dtype])


def _flowed(part: Part, base: Any3, fluxes: Sequence[Sharing], dt: float) -> Any3:
    """Return base and what flows in dt at the present state."""
    matter, out = part.matter, base + 0.0
    flow = part.potential(part.state)
    part.stencil(out, base, flow, dt * matter.conductivity_unit / matter.heat_unit)
    part.walls.add(fluxes, dt, out)
    return out
