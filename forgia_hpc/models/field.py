"""The field surrogate: the next step of a simulation from the last ones, on any grid of 1 to 3 axes.

A real-valued operator transformer. Cells tell their neighbours (two small stencils at full resolution), patches
of cells are tokens that look along time and along each axis in turn (axial attention, as in Ho et al., arXiv
1912.12180, and McCabe et al., arXiv 2310.02994), and at the simulation's parameters and boundary conditions,
which are tokens too. It predicts the increment, in deviations of an increment.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from forgia_hpc.models.field_attention import Block, line_angles, ring_angles
from forgia_hpc.models.field_cells import PERIODIC, framed, patched, unpatched
from forgia_hpc.models.field_conditions import Conditions, scaled
from forgia_hpc.models.field_options import FieldOptions, parse_options
from forgia_hpc.models.field_shape import FieldShape
from forgia_hpc.models.field_steps import Inputs, Stepper

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class FieldModel(Stepper):
    """The operator transformer; what it is given and gives: models/field_steps.py."""

    def __init__(
        self, options: dict[str, Any], *, context: int, horizon: int, shape: FieldShape
    ) -> None:
        """Build the model with random weights (the caller seeds torch).

        Args:
            options: see models/field_options.py.
            context: steps that the model sees.
            horizon: steps that it rolls out in training.
            shape: what the dataset gives.
        """
        own, axes = parse_options(options), len(shape.axes)
        super().__init__(own, context=context, horizon=horizon, shape=shape)
        cells, convolution = own.patch**axes, _CONVOLUTIONS[axes]
        self.stem = convolution(self.planes, own.stencil, 3)
        self.embed = nn.Linear(own.stencil * cells, own.width)
        self.clock = nn.Linear(1 + 2 * len(shape.signals), own.width)
        self.conditions = Conditions(shape, own.width)
        self.blocks = nn.ModuleList(Block(own) for _ in range(own.layers))
        self.norm = nn.RMSNorm(own.width, eps=1e-6)
        self.steer = nn.Linear(own.width, 2 * own.stencil * cells)
        self.mix = convolution(own.stencil, own.stencil, 3)
        self.head = convolution(own.stencil, len(shape.channels), 3)
        _start_small(self, own)

    def _increments(self, seen: Tensor, inputs: Inputs) -> Tensor:
        """Return float32 (row, context, channel, *grid): the change after each step seen, in its deviations."""
        rows, steps, grid = seen.shape[0], seen.shape[1], tuple(seen.shape[3:])
        rings = (inputs["kinds"] == PERIODIC).all(-1)
        rings_each = rings.repeat_interleave(steps, 0)
        planes = self.told(seen, inputs, rings).flatten(0, 1)
        dtype = self.embed.weight.dtype
        cells = self.stem(framed(planes.to(dtype), rings_each))
        tokens = self.embed(patched(cells, self.options.patch)).unflatten(0, (rows, steps))
        tokens = tokens + self._clock(inputs).reshape(rows, steps, *(1,) * len(grid), -1)
        parameters = scaled(inputs["parameters"], self.shape.parameter_values).to(dtype)
        told = self.conditions(parameters, inputs["boundaries"])
        angles, inside = self._places(tokens, rings), self._inside(inputs["mask"])
        for block in self.blocks:
            tokens = block(tokens, told, angles, inside)
        steered = self.steer(self.norm(tokens)).flatten(0, 1)
        gain, shift = unpatched(steered, self.options.patch, grid).chunk(2, 1)
        cells = cells * (1 + gain) + shift
        cells = cells + gelu(self.mix(framed(cells, rings_each)))
        return self.head(framed(cells, rings_each)).float().unflatten(0, (rows, steps))

    def _clock(self, inputs: Inputs) -> Tensor:
        """Return (row, context, width): how long each step is, and its signals before and after."""
        lengths = inputs["times"].diff(dim=1)[..., None] / self.shape.seconds
        signals = scaled(inputs["signals"], self.shape.signal_values)
        numbers = torch.cat([lengths.clamp(min=1e-6).log(), signals[:, :-1], signals[:, 1:]], -1)
        return self.clock(numbers.to(self.clock.weight.dtype))

    def _places(self, tokens: Tensor, rings: Tensor) -> list[Tensor]:
        """Return the rotary angles of time and of each axis."""
        count = self.options.width // self.options.heads // 4
        found = [line_angles(tokens.shape[1], count, tokens.device)]
        for axis, size in enumerate(tokens.shape[2:-1]):
            line, ring = (make(size, count, tokens.device) for make in (line_angles, ring_angles))
            found.append(torch.where(rings[:, axis, None, None], ring, line))
        return found

    def _inside(self, mask: Tensor) -> Tensor | None:
        """Return (row, 1, *patches): whether any cell of a patch is inside; None where there are no masks."""
        if not self.shape.masked:
            return None
        return patched(mask[:, None].float(), self.options.patch).any(-1)[:, None]


def _start_small(model: FieldModel, options: FieldOptions) -> None:
    """Begin with no change at all, and with blocks that add little: their sum stays of one size."""
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    for block in model.blocks:
        for last in (block.time.out, block.space.out, block.fall):
            last.weight.data /= (2 * options.layers) ** 0.5
