"""The order of turns in which contributions keep fixed shares: a cycle of CYCLE places, dealt in exact quotas.

A share is ~ windows ** temperature, at most its cap; what a cap takes away the others get, in proportion.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.order.caps import ROUNDING, Cap, check_whole

CYCLE = 1 << 16
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Mixture:
    """Whose turn it is, where each contribution has `quotas` turns of each CYCLE."""

    def __init__(self, quotas: Ints) -> None:
        """Deal one cycle."""
        self.quotas = quotas
        self._turns = turns(quotas)
        self._ranks = _ranks(self._turns, len(quotas))

    def at(self, places: Ints) -> tuple[Ints, Ints]:
        """Return whose turn it is at places of the endless sequence, and its how-manieth."""
        cycle, place = np.divmod(places, CYCLE)
        who = self._turns[place]
        return who, cycle * self.quotas[who] + self._ranks[place]

    def drawn(self, place: int) -> Ints:
        """Return how many turns each has had before a place."""
        cycle, inside = divmod(place, CYCLE)
        begun = np.bincount(self._turns[:inside], minlength=len(self.quotas))
        return cycle * self.quotas + begun


def quotas(counts: Sequence[int], temperature: float, caps: Sequence[Cap] = ()) -> Ints:
    """Return how many of CYCLE places each gets: largest remainders, at least 1 where windows are."""
    sizes = np.array(counts, np.float64)
    weights = np.where(sizes > 0, np.maximum(sizes, 1) ** temperature, 0)
    exact = _filled(weights / weights.sum(), caps) * CYCLE
    found = np.where(sizes > 0, np.maximum(np.floor(exact + ROUNDING), 1), 0).astype(np.int64)
    order = np.argsort(found - exact, kind="stable")
    missing = CYCLE - int(found.sum())
    if missing > 0:
        found[order[:missing]] += 1
    else:  # many tiny ones were lifted to 1: the largest gives
        found[np.argmax(exact)] += missing
    return found


def _filled(shares: Floats, caps: Sequence[Cap]) -> Floats:
    """Return shares with what lies above a cap poured over those that have room, in proportion."""
    check_whole(caps, np.flatnonzero(shares).tolist())
    found = shares.copy()
    free = shares > 0
    for _ in caps:  # each round closes at least one cap, or is the last
        over = [cap for cap in caps if found[list(cap[0])].sum() > cap[1] + ROUNDING]
        if not over:
            break
        for members, share in over:
            rows = list(members)
            found[rows] *= share / found[rows].sum()
            free[rows] = False
        if free.any():
            found[free] *= (1 - found[~free].sum()) / found[free].sum()
    return found


def turns(quotas: Ints) -> Ints:
    """Return the contribution at each place of a cycle; at every prefix each one's count is within 1 of its share.

    Turn j of quota q must come from place floor(j CYCLE / q) on and before place ceil((j + 1) CYCLE / q). There is
    always such an order (Tijdeman, "The chairman assignment problem", 1980); taking the earliest due finds it.
    """
    who = np.repeat(np.arange(len(quotas)), quotas)
    number = np.concatenate([np.arange(quota) for quota in quotas.tolist()])
    quota = quotas[who]
    begins = number * CYCLE // quota
    due = -(-(number + 1) * CYCLE // quota) * len(quotas) + who
    order = np.argsort(begins, kind="stable")
    coming, dues = begins[order].tolist(), due[order].tolist()
    open_: list[int] = []
    found, at = [], 0
    for place in range(CYCLE):
        while at < CYCLE and coming[at] <= place:
            heapq.heappush(open_, dues[at])
            at += 1
        found.append(heapq.heappop(open_))
    return np.array(found) % len(quotas)


def _ranks(turns: Ints, contributions: int) -> Ints:
    """Return for each place the how-manieth turn of its contribution in the cycle it is."""
    order = np.argsort(turns, kind="stable")
    counts = np.bincount(turns, minlength=contributions)
    ranks = np.empty_like(turns)
    ranks[order] = np.arange(len(turns)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks
