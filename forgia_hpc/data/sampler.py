"""Which windows a step trains on: a pure function of (seed, step), whatever the number of ranks.

The mixture is a fixed cycle of CYCLE places, dealt to the contributions in exact quotas and evenly
spread. The k-th time a contribution's turn comes it gives its k-th window, in an order that hangs
on the seed, its own content and the epoch only: who else takes part changes how often its turn
comes, never the order.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.permutation import permuted
from forgia_hpc.errors import InputError, Problem

CYCLE = 1 << 16
Ints = NDArray[np.int64]


class Windows(Protocol):
    """What a sampler needs to know of a WindowIndex."""

    @property
    def names(self) -> tuple[str, ...]:
        """Contributions."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Windows of each."""

    @property
    def content_ids(self) -> tuple[str, ...]:
        """Digest of each one's decoded values."""


class Sampler:
    """Deals windows to steps and ranks."""

    def __init__(
        self, index: Windows, seed: int, global_batch: int, temperature: float = 1.0
    ) -> None:
        """Take the windows, and windows a step over all ranks; share ~ windows ** temperature."""
        if global_batch < 1 or not sum(index.counts):
            got = (global_batch, sum(index.counts))
            limit = "at least one window a step, and one to deal"
            fix = "ask for a shorter context or horizon, or for other contributions"
            raise InputError(Problem(field="global_batch, windows", got=got, limit=limit, fix=fix))
        self.index = index
        self.seed = seed
        self.global_batch = global_batch
        self.temperature = temperature
        self.quotas = quotas(index.counts, temperature)
        self._turns = turns(self.quotas)
        self._ranks = _ranks(self._turns, len(self.quotas))

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> list[tuple[int, int]]:
        """Return this rank's (contribution, window) pairs of a step.

        The global batch is the same for every world size; ranks take it in contiguous parts.
        """
        share, rest = divmod(self.global_batch, world_size)
        if rest or not 0 <= rank < world_size:
            limit = f"rank {rank} of world size {world_size} must get an equal part"
            fix = "choose a global batch that is a multiple of the world size"
            raise InputError(
                Problem(field="global_batch", got=self.global_batch, limit=limit, fix=fix)
            )
        begin = step * self.global_batch + rank * share
        who, turn = self._turn(np.arange(begin, begin + share, dtype=np.int64))
        windows = np.empty(share, np.int64)
        for contribution in np.unique(who).tolist():
            mine = who == contribution
            windows[mine] = self._windows(contribution, turn[mine])
        return list(zip(who.tolist(), windows.tolist(), strict=True))

    def state(self, step: int) -> dict[str, object]:
        """Return what continues the sequence at `step`, and how far each contribution is."""
        turn, place = divmod(step * self.global_batch, CYCLE)
        begun = np.bincount(self._turns[:place], minlength=len(self.quotas))
        drawn = (turn * self.quotas + begun).tolist()
        return {
            "seed": self.seed,
            "step": step,
            "global_batch": self.global_batch,
            "temperature": self.temperature,
            "contributions": {
                name: {"content_id": content_id, "windows": count, "drawn": number}
                for name, content_id, count, number in zip(
                    self.index.names, self.index.content_ids, self.index.counts, drawn, strict=True
                )
            },
        }

    def _turn(self, places: Ints) -> tuple[Ints, Ints]:
        """Return whose turn it is at places of the endless sequence, and its how-manieth."""
        cycle, place = np.divmod(places, CYCLE)
        who = self._turns[place]
        return who, cycle * self.quotas[who] + self._ranks[place]

    def _windows(self, contribution: int, turn: Ints) -> Ints:
        """Return the windows a contribution gives at its turns; a new order each epoch."""
        count = self.index.counts[contribution]
        epochs, places = np.divmod(turn, count)
        windows = np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            now = epochs == epoch
            key = f"{self.seed}:{self.index.content_ids[contribution]}:{epoch}"
            windows[now] = permuted(places[now], count, key)
        return windows


def quotas(counts: tuple[int, ...], temperature: float) -> Ints:
    """Return how many of CYCLE places each gets: largest remainders, at least 1 where windows are."""
    sizes = np.array(counts, np.float64)
    weights = np.where(sizes > 0, np.maximum(sizes, 1) ** temperature, 0)
    exact = weights / weights.sum() * CYCLE
    found = np.where(sizes > 0, np.maximum(np.floor(exact), 1), 0).astype(np.int64)
    order = np.argsort(found - exact, kind="stable")
    missing = CYCLE - int(found.sum())
    if missing > 0:
        found[order[:missing]] += 1
    else:  # many tiny ones were lifted to 1: the largest gives
        found[np.argmax(found)] += missing
    return found


def turns(quotas: Ints) -> Ints:
    """Return the contribution at each place of a cycle, each one's turns evenly spread."""
    who = np.repeat(np.arange(len(quotas)), quotas)
    number = np.concatenate([np.arange(quota) for quota in quotas.tolist()])
    when = (2 * number + 1) / (2 * quotas[who])
    return who[np.lexsort((who, when))]


def _ranks(turns: Ints, contributions: int) -> Ints:
    """Return for each place the how-manieth turn of its contribution in the cycle it is."""
    ranks = np.empty_like(turns)
    for contribution in range(contributions):
        mine = turns == contribution
        ranks[mine] = np.arange(mine.sum())
    return ranks
