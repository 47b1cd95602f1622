"""Attention along one axis of a grid of tokens at a time: cost grows with the axis, not with the grid's square."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from forgia_hpc.models.field_options import FieldOptions

_BASE = 100.0  # of the rotary wavelengths: grids have tens of tokens an axis, not thousands


class Told(NamedTuple):
    """Conditions of each row: tokens (row, condition, width), and which are there (row, condition); None: all."""

    tokens: Tensor
    there: Tensor | None = None


class Block(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Attention along time, then along every axis of space, then a feed-forward layer."""

    def __init__(self, options: FieldOptions) -> None:
        """Build it with random weights."""
        super().__init__()
        width = options.width
        self.time = Attention(options)
        self.space = Attention(options)
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.rise = nn.Linear(width, options.feed_forward)
        self.fall = nn.Linear(options.feed_forward, width)
        self.dropout = nn.Dropout(options.dropout)

    def forward(
        self, tokens: Tensor, told: Told, angles: list[Tensor], inside: Tensor | None
    ) -> Tensor:
        """Return tokens (row, time, *patches, width).

        angles: of time and of each axis, (row or 1, place, quarter of a head).
        inside (row, 1, *patches): tokens that may be looked at; None: all.
        """
        tokens = tokens + self.dropout(self.time(tokens, told, {1: angles[0]}, None))
        across = {axis + 2: each for axis, each in enumerate(angles[1:])}
        tokens = tokens + self.dropout(self.space(tokens, told, across, inside))
        hidden: Tensor = self.fall(gelu(self.rise(self.norm(tokens))))
        return tokens + self.dropout(hidden)


class Attention(nn.Module):  # type: ignore[misc]
    """Each token looks along the axes that it is asked to, and at the conditions; axes share the weights."""

    def __init__(self, options: FieldOptions) -> None:
        """Build it with random weights."""
        super().__init__()
        width = options.width
        self.heads = options.heads
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.ask = nn.Linear(width, width, bias=False)
        self.tell = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self, tokens: Tensor, told: Told, along: dict[int, Tensor], inside: Tensor | None
    ) -> Tensor:
        """Return what the axes `along` (dimension → angles) say to each token; time (dimension 1) is causal."""
        seen = self.norm(tokens)
        asked, said = self.ask(seen), self.tell(seen)
        more = self.tell(self.norm(told.tokens))
        total = torch.zeros_like(asked)
        for dimension, angles in along.items():
            allowed = _allowed(tokens, dimension, inside, told)
            parts = [each.movedim(dimension, -2) for each in (asked, *said.chunk(2, -1))]
            found = self._attend(parts, more, angles, allowed)
            total = total + found.movedim(-2, dimension)
        return self.out(total)

    def _attend(
        self, parts: list[Tensor], told: Tensor, angles: Tensor, allowed: Tensor | None
    ) -> Tensor:
        """Return (row, …, place, width) for query, key and value of that shape, all conditions as further keys."""
        shape, rows = parts[0].shape, parts[0].shape[0]
        lines = math.prod(shape[1:-2])
        query, key, value = (
            each.reshape(rows, lines, shape[-2], self.heads, -1).transpose(2, 3) for each in parts
        )
        query, key = (_turned(each, angles) for each in (query, key))
        keys, values = (
            each.reshape(rows, 1, -1, self.heads, each.shape[-1] // self.heads)
            .transpose(2, 3)
            .expand(-1, lines, -1, -1, -1)
            for each in told.chunk(2, -1)
        )
        content = keys.chunk(2, -1)[1]
        keys = torch.cat([torch.zeros_like(content), content], -1)
        key, value = torch.cat([key, keys], 3), torch.cat([value, values], 3)
        found = scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return found.transpose(2, 3).reshape(shape)


def _allowed(tokens: Tensor, dimension: int, inside: Tensor | None, told: Told) -> Tensor | None:
    """Return (row or 1, line or 1, 1, place or 1, key): what may be looked at; None: everything.

    A step sees itself and those before it; a token outside of the body tells nothing; conditions always do.
    """
    size, conditions = tokens.shape[dimension], told.tokens.shape[1]
    own = torch.ones(1, 1, 1, 1, size, dtype=torch.bool, device=tokens.device)
    if dimension == 1:
        own = own.expand(1, 1, 1, size, size).tril()
    elif inside is not None:
        lines = inside.expand(tokens.shape[:-1]).movedim(dimension, -1)
        own = lines.reshape(len(tokens), -1, 1, 1, size)
    elif told.there is None:
        return None
    there = own.new_ones(1, conditions) if told.there is None else told.there
    there = there.reshape(-1, 1, 1, 1, conditions)
    lead = torch.broadcast_shapes(own.shape[:-1], there.shape[:-1])
    return torch.cat([own.expand(*lead, size), there.expand(*lead, conditions)], -1)


def _turned(heads: Tensor, angles: Tensor) -> Tensor:
    """Turn the first half of (row, line, head, place, size) by angles (row or 1, place, size / 4): where it is.

    The other half says what it is. Conditions are nowhere: their keys have the second half only, or a query would
    see them from the place it stands at.
    """
    turn = angles[:, None, None]
    cosine, sine = turn.cos().to(heads.dtype), turn.sin().to(heads.dtype)
    place, content = heads.chunk(2, -1)
    left, right = place.chunk(2, -1)
    turned = [left * cosine - right * sine, left * sine + right * cosine]
    return torch.cat([*turned, content], -1)


def line_angles(places: int, count: int, device: torch.device) -> Tensor:
    """Return (1, place, count): rotary angles on a line."""
    rates = _BASE ** -(torch.arange(count, device=device) / count)
    return (torch.arange(places, device=device)[:, None] * rates)[None]


def ring_angles(places: int, count: int, device: torch.device) -> Tensor:
    """Return (1, place, count): whole turns around a periodic axis, so that its ends meet."""
    turns = 1 + torch.arange(count, device=device) % max(1, places // 2)
    return (torch.arange(places, device=device)[:, None] * turns * (2 * math.pi / places))[None]
