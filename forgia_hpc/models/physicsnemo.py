"""Models of NVIDIA PhysicsNeMo as a family of fields: an optional extra, imported only where a job asks for it.

They know grids of numbers alone. So a cell is told, beside what our own model tells it, the parameters, the
signals and the length of the step, as planes that are the same everywhere; of boundary conditions, where the edges
are. They compute in float32: their Fourier layers know no bf16.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.models.field_cells import PERIODIC
from forgia_hpc.models.field_conditions import scaled
from forgia_hpc.models.field_shape import FieldShape
from forgia_hpc.models.field_steps import Inputs, Stepper

INSTALL = "pip install nvidia-physicsnemo, into the environment of the nodes"


@dataclass(frozen=True, kw_only=True)
class PhysicsNemoOptions:
    """Which of their models, with which arguments of theirs, and how it is taught."""

    model: str = "FNO"
    arguments: dict[str, Any] = field(default_factory=dict)
    noise: float = 0.0
    noise_floor: float = 0.0


def _fno(planes: int, shape: FieldShape) -> dict[str, Any]:
    return {
        "in_channels": planes,
        "out_channels": len(shape.channels),
        "dimension": len(shape.axes),
    }


def _afno(planes: int, shape: FieldShape) -> dict[str, Any]:
    return {
        "inp_shape": list(shape.grid),
        "in_channels": planes,
        "out_channels": len(shape.channels),
    }


Cut = Callable[[int, FieldShape], dict[str, Any]]
KNOWN: dict[str, tuple[str, tuple[int, ...], Cut]] = {  # module, axes that it takes, what we say
    "FNO": ("physicsnemo.models.fno", (1, 2, 3), _fno),
    "AFNO": ("physicsnemo.models.afno", (2,), _afno),
}


class PhysicsNemoModel(Stepper):
    """One of their models, stepped as ours is; what it is given and gives: models/field_steps.py."""

    def __init__(
        self, options: dict[str, Any], *, context: int, horizon: int, shape: FieldShape
    ) -> None:
        """Build the model with random weights (the caller seeds torch).

        Raises:
            InputError: PhysicsNeMo is not installed, or it refuses the options.
        """
        own = _parsed(options, shape)
        super().__init__(own, context=context, horizon=horizon, shape=shape)
        more = len(shape.parameters) + 2 * len(shape.signals) + 1
        self.net = _made(own, self.planes + more, shape)

    def _increments(self, seen: Tensor, inputs: Inputs) -> Tensor:
        """Return float32 (row, context, channel, *grid): the change after each step seen, in its deviations."""
        rows, steps, grid = seen.shape[0], seen.shape[1], tuple(seen.shape[3:])
        rings = (inputs["kinds"] == PERIODIC).all(-1)
        alike = self._alike(inputs).reshape(rows, steps, -1, *(1,) * len(grid))
        told = [self.told(seen, inputs, rings), alike.expand(-1, -1, -1, *grid)]
        found: Tensor = self.net(torch.cat(told, 2).flatten(0, 1))
        return found.float().unflatten(0, (rows, steps))

    def _alike(self, inputs: Inputs) -> Tensor:
        """Return (row, context, number): what is the same in all cells."""
        lengths = inputs["times"].diff(dim=1)[..., None] / self.shape.seconds
        signals = scaled(inputs["signals"], self.shape.signal_values)
        parameters = scaled(inputs["parameters"], self.shape.parameter_values)[:, None]
        parameters = parameters.expand(-1, lengths.shape[1], -1)
        numbers = [lengths.clamp(min=1e-6).log(), parameters, signals[:, :-1], signals[:, 1:]]
        return torch.cat(numbers, -1)


def _parsed(options: Mapping[str, Any], shape: FieldShape) -> PhysicsNemoOptions:
    known = PhysicsNemoOptions.__dataclass_fields__
    unknown = [name for name in options if name not in known]
    if unknown:
        limit = f"unknown; {', '.join(known)} are known"
        raise InputError([_problem(name, options[name], limit) for name in unknown])
    own = PhysicsNemoOptions(**options)
    if own.model not in KNOWN:
        raise InputError(_problem("model", own.model, f"one of {', '.join(KNOWN)}"))
    axes = KNOWN[own.model][1]
    if len(shape.axes) not in axes:
        limit = f"takes {' or '.join(map(str, axes))} axes, and the fields have {len(shape.axes)}"
        raise InputError(_problem("model", own.model, limit))
    return own


def _made(own: PhysicsNemoOptions, planes: int, shape: FieldShape) -> Any:
    name, _, cut = KNOWN[own.model]
    try:
        maker = getattr(importlib.import_module(name), own.model)
    except ModuleNotFoundError as error:
        missing = error.name or name
        limit = f"needs the Python package {missing.partition('.')[0]}, and it is not installed"
        problem = Problem(field="model.family", got="physicsnemo", limit=limit, fix=INSTALL)
        raise InputError(problem) from error
    try:
        return maker(**{**own.arguments, **cut(planes, shape)})
    except (TypeError, ValueError) as error:
        raise InputError(_problem("arguments", own.arguments, f"refused: {error}")) from error


def _problem(name: str, got: object, limit: str) -> Problem:
    return Problem(
        field=f"model.options.{name}", got=got, limit=limit, where="models/physicsnemo.py"
    )
