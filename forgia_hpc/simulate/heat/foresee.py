"""What can be said of members before they are solved: which can't be, and what memory they need."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.errors import InputError
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import Case
from forgia_hpc.simulate.heat.geometry import geometry_of
from forgia_hpc.simulate.heat.limit import hottest_of, longest_step
from forgia_hpc.simulate.heat.matter import matter_of
from forgia_hpc.simulate.heat.part import HOST
from forgia_hpc.simulate.heat.problem import Problems
from forgia_hpc.simulate.heat.refuse import refuse

_PROCESS = 200 << 20  # bytes of an interpreter with NumPy and h5py, before it solves anything
# numbers a cell, in float64: measured with tracemalloc on 4,096 and 16,384 cells, with and without phases
_WORKING = 40.0
_A_FRAME = 2.5  # as it is kept, and while it is averaged and stored


class Crew(Alone):
    """So many ranks, none of which is there."""

    def __init__(self, size: int) -> None:
        self.size = size


def refusal(problems: Problems, inputs: Mapping[str, float], ranks: int) -> str:
    """Return why so many ranks can't solve a member of these inputs; empty: they can."""
    try:
        case = problems.case(inputs, 0)
        refuse(case, Crew(ranks))
    except InputError as error:
        return "; ".join(f"{one.field}: {one.limit}" for one in error.problems)
    if case.step_s is None or case.scheme != "explicit" or case.step_s <= _limit(case):
        return ""
    asked = f"solver.options.step_s = {case.step_s:g} s"  # of each member another limit: one line for all
    return f"{asked} is longer than the explicit scheme is stable (von Neumann): leave it out, or scheme=implicit"


def _limit(case: Case) -> float:
    """Return the explicit limit of a case that starts at one temperature, s; as the march finds it."""
    matter = matter_of(case.material, HOST)
    hottest = hottest_of(case, float(case.initial))  # type: ignore[arg-type]  # options give a number
    return longest_step(case, geometry_of(case.grid), matter, hottest)


def memory_needed(problems: Problems, schema: Schema, ranks: int, level: int) -> int:
    """Return the bytes of one rank while it solves a member."""
    axes = len(schema.grid.axes)
    cells = prod(schema.grid.shape) * 2 ** (level * axes) / ranks
    frames = problems.options.frames * sum(one.time_varying for one in schema.fields)
    return int(_PROCESS + 8 * cells * (_WORKING + _A_FRAME * frames))
