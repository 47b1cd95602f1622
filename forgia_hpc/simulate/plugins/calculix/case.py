"""A long hollow cylinder, its inner pressure and temperature rising slowly: its mesh and what comes out of it.

One row of CAX8 elements (x radius, y axis, z hoop), held along the axis at both faces: plane strain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from forgia_hpc.simulate.command.extract import Left
from forgia_hpc.simulate.member import Array, Finding
from forgia_hpc.simulate.plugins.calculix.frd import read_frd

INNER, OUTER, ELEMENTS = 1.0, 2.0, 32  # as the solver's grid says; level 0
STEPS = (
    8  # in which the loads rise; steps of their own: only their last increments are in equilibrium
)
BALANCED = 2e-3  # of the pressure: the stress at the walls is extrapolated from within the elements


def mesh(inputs: Mapping[str, float], level: int) -> dict[str, str]:
    """Return nodes, elements and the nodes of both walls as ccx reads them."""
    count = ELEMENTS << level
    radii = np.linspace(INNER, OUTER, 2 * count + 1)
    step = (OUTER - INNER) / count
    number: dict[tuple[int, int], int] = {}
    nodes = []
    for column, radius in enumerate(radii):
        for row in range(3):
            if column % 2 and row == 1:
                continue  # CAX8 has no node in its middle
            number[column, row] = len(number) + 1
            nodes.append(f"{number[column, row]}, {radius:.12g}, {row * step / 2:.12g}")
    # corners counterclockwise, then the middles of the sides in the same order
    round_about = ((0, 0), (2, 0), (2, 2), (0, 2), (1, 0), (2, 1), (1, 2), (0, 1))
    elements = [
        _row([1 + at, *(number[2 * at + column, row] for column, row in round_about)])
        for at in range(count)
    ]
    return {
        "nodes": "\n".join(nodes),
        "elements": "\n".join(elements),
        "inner": _row([number[0, row] for row in range(3)]),
        "outer": _row([number[2 * count, row] for row in range(3)]),
        "steps": "\n".join(_step(inputs, (at + 1) / STEPS) for at in range(STEPS)),
    }


def _step(inputs: Mapping[str, float], share: float) -> str:
    """Return the step that brings this share of the loads: P4 acts on the inner side of the first element."""
    return f"""*STEP
*UNCOUPLED TEMPERATURE-DISPLACEMENT, STEADY STATE
1., 1.
*BOUNDARY
all, 2, 2
inner, 11, 11, {share * inputs["difference"]:.12g}
outer, 11, 11, 0.
*DLOAD
1, P4, {share * inputs["pressure"]:.12g}
*NODE FILE, OUTPUT=2D
U, NT
*EL FILE, OUTPUT=2D
S
*END STEP"""


def extract(left: Left) -> dict[str, Array]:
    """Return displacement, temperature and stresses (time, radius), at y = 0."""
    coordinates, written = read_frd(left.directory / "cylinder.frd")
    line = np.flatnonzero(np.isclose(coordinates[:, 1], 0.0))
    line = line[np.argsort(coordinates[line, 0])][::2]  # corners only: one point an element's end
    if not np.allclose(coordinates[line, 0], left.points["r"], atol=1e-5):
        raise ValueError("the nodes do not lie where the grid says")
    stress = np.stack([found["STRESS"][line] for _, found in written])
    return {
        "times": np.array([time for time, _ in written]) / STEPS,
        "displacement": np.stack([found["DISP"][line, 0] for _, found in written]),
        "temperature": np.stack([found["NDTEMP"][line, 0] for _, found in written]),
        "stress_radial": stress[..., 0],
        "stress_axial": stress[..., 1],
        "stress_hoop": stress[..., 2],
    }


def check(inputs: Mapping[str, float], fields: Mapping[str, Array]) -> list[Finding]:
    """Return whether the walls carry what acts on them, and the hoop stress balances the pressure."""
    radial, hoop = fields["stress_radial"], fields["stress_hoop"]
    scale = float(max(abs(inputs["pressure"]), np.abs(hoop).max())) or 1.0
    load = inputs["pressure"] * np.arange(1, len(hoop) + 1) / len(hoop)
    wall = float(max(np.abs(radial[:, 0] + load).max(), np.abs(radial[:, -1]).max()))
    # half of a cylinder: the pressure on its diameter is carried by the two cut walls
    cut = np.trapezoid(hoop, dx=(OUTER - INNER) / ELEMENTS, axis=-1)
    rest = float(np.abs(cut - load * INNER).max())
    return [_finding("wall_stress", wall / scale), _finding("balance_of_forces", rest / scale)]


def _finding(name: str, share: float) -> Finding:
    limit = f"at most {BALANCED:g} of the largest stress"
    return Finding(check=name, value=share, limit=limit, passed=share <= BALANCED)


def _row(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
