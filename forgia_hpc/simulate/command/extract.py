"""From what a program left to arrays on the declared grid, or to the reason why not."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.schema.program import Program
from forgia_hpc.simulate.command.grids import Points, points, restricted, schema_of
from forgia_hpc.simulate.member import Array, MemberError


@dataclass(frozen=True, kw_only=True)
class Left:
    """What an extractor is given."""

    directory: Path  # where the commands ran
    logs: Path  # here command-0.log, command-1.log, … hold what they said
    inputs: Mapping[str, float]
    level: int  # its mesh is 2**level times as fine
    points: Mapping[str, Points]  # axis → coordinates of that mesh


def left_of(program: Program, directory: Path, inputs: Mapping[str, float], level: int) -> Left:
    """Return what a member left in its directory."""
    mesh = {name: points(axis, level) for name, axis in program.grid.items()}
    return Left(
        directory=directory / "case", logs=directory, inputs=inputs, level=level, points=mesh
    )


def extracted(program: Program, left: Left) -> tuple[dict[str, Array], NDArray[np.float64]]:
    """Return every declared field in float64 on the grid of level 0, and the times.

    Raises:
        MemberError: no_output, unreadable_output or not_finite.
    """
    try:
        found = dict(function(program.extractor)(left))
    except FileNotFoundError as error:
        raise MemberError("no_output", f"there is no {_place(error, left)}") from error
    except (OSError, ValueError, LookupError, EOFError, ArithmeticError) as error:
        why = f"{program.extractor} could not read it ({type(error).__name__}: {error})"
        raise MemberError("unreadable_output", why) from error
    times = _numbers("times", found.pop("times", [0.0]))
    if times.ndim != 1 or not len(times) or (np.diff(times) <= 0).any():
        raise MemberError("unreadable_output", f"times do not ascend: {times[:5].tolist()}")
    if odd := set(found) ^ set(program.fields):
        limit = (
            f"{program.extractor} returned {sorted(found)}, declared are {sorted(program.fields)}"
        )
        raise MemberError("unreadable_output", f"{limit}; {', '.join(sorted(odd))} differ")
    fields = {name: _on_grid(program, name, found[name], times, left.level) for name in found}
    return {name: fields[name] for name in program.fields}, times


def function(path: str) -> Callable[..., Any]:
    """Return the function of "module:function"; an AttributeError or ImportError is the plug-in's defect."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _on_grid(
    program: Program, name: str, values: object, times: NDArray[np.float64], level: int
) -> Array:
    schema = schema_of(program)
    field = next(one for one in schema.fields if one.name == name)
    whole = field.shape(schema.grid, len(times))
    numbers = _numbers(name, values)
    fine = tuple(len(points(axis, level)) for axis in program.grid.values())
    first = int(field.time_varying)
    if level and numbers.shape == (*whole[:first], *fine, *whole[first + len(fine) :]):
        numbers = restricted(numbers, program, level, first)
    if numbers.shape != whole:
        raise MemberError(
            "unreadable_output", f"{name} has shape {numbers.shape} instead of {whole}"
        )
    if not np.isfinite(numbers).all():
        count = int((~np.isfinite(numbers)).sum())
        raise MemberError("not_finite", f"{name}: {count} of {numbers.size} values are no numbers")
    return numbers


def _numbers(name: str, values: object) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise MemberError("unreadable_output", f"{name} holds {array.dtype}, no real numbers")
    return array.astype(np.float64)


def _place(error: FileNotFoundError, left: Left) -> str:
    path = Path(str(error.filename or error))
    return str(path.relative_to(left.directory) if path.is_relative_to(left.directory) else path)
