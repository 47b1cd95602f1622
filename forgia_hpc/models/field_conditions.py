"""What holds for a whole simulation, as tokens: its parameters and its boundary conditions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from forgia_hpc.models.field_attention import Told
from forgia_hpc.models.field_shape import FieldShape, Scales

_AXES = 3  # of the largest grid
_KINDS = _SIDES = 3


class Conditions(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """A token a parameter and a token a boundary; one more, so that there is always one."""

    def __init__(self, shape: FieldShape, width: int) -> None:
        """Build it with random weights."""
        super().__init__()
        self.ragged = shape.ragged
        self.names = nn.Parameter(torch.randn(1 + len(shape.parameters), width) * 0.5)
        self.rise = nn.Linear(1, width)
        self.fall = nn.Linear(width, width)
        sizes = (_KINDS, _AXES, _SIDES, len(shape.laws) + 1)
        self.words = nn.ModuleList(nn.Embedding(size, width) for size in sizes)

    def forward(self, parameters: Tensor, boundaries: Tensor) -> Told:
        """Return tokens (row, token, width); parameters (row, parameter) scaled, boundaries (row, boundary, 5).

        A boundary's five numbers are boundary_tokens': kind, axis, side, law, first input; -1 is none. One whose
        kind is -1 is no boundary: it fills a row that has fewer than others.
        """
        told = self.fall(gelu(self.rise(parameters[..., None]))) + self.names[1:]
        first = self.names[:1].expand(len(parameters), 1, -1)
        inputs = torch.cat([first, told], 1)  # of those that are parameters, from 1 on
        numbers = boundaries.clamp(min=0)
        law = boundaries[..., 3] + 1
        edges = sum(
            (
                words(at)
                for words, at in zip(self.words, (*numbers.unbind(-1)[:3], law), strict=True)
            ),
            start=inputs.new_zeros(()),
        )
        own = torch.where(boundaries[..., 4] < told.shape[1], boundaries[..., 4] + 1, 0).clamp(
            min=0
        )
        edges = edges + inputs.gather(1, own[..., None].expand(-1, -1, inputs.shape[-1]))
        there = torch.cat(
            [torch.ones_like(inputs[..., 0], dtype=torch.bool), boundaries[..., 0] >= 0], 1
        )
        return Told(torch.cat([inputs, edges], 1), there if self.ragged else None)


def scaled(numbers: Tensor, scales: Scales) -> Tensor:
    """Return numbers (…, input) in deviations from their mean, logarithms first where it says so.

    One of no deviation was the same in all of the training data: 0, whatever it is now, for nobody has learnt what
    it does.
    """
    if not scales.mean:
        return numbers
    logs = torch.tensor(scales.logs or (False,) * len(scales.mean), device=numbers.device)
    tiny = torch.finfo(numbers.dtype).tiny
    seen = torch.where(logs, numbers.clamp(min=tiny).log(), numbers)
    mean, std = (
        torch.tensor(each, dtype=numbers.dtype, device=numbers.device)
        for each in (scales.mean, scales.std)
    )
    return torch.where(std > 0, (seen - mean) / torch.where(std > 0, std, 1.0), 0.0)
