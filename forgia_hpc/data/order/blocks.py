"""In which order a contribution gives its windows: runs of neighbours, the runs permuted.

Its windows are cut into runs of R, the last one shorter. Runs come in the order of a permutation keyed by
(seed, content id, epoch), in pools of POOL or a little more; a pool's windows are dealt round its runs. So any
POOL windows in a row come from POOL places, and what lies together on the disk is still wanted together. R = 1
is the permutation itself: a full shuffle.

Each run of a pool is begun elsewhere and goes round. Once all were begun at their first window: every window
of a batch then stood at the same place of its run, and a machine with a stroke of 32 steps at the same angle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.order.permutation import ROUNDS, permuted_each, round_keys

POOL = 64  # runs that are open at once; a batch of fewer windows of a contribution has none twice
_GOLDEN, _FRACTION = 40_503, (1 << 16) - 1  # 0.618 of 65,536: multiples of it fill a circle evenly
Ints = NDArray[np.int64]


class Orders:
    """The orders of several contributions; each hangs on the seed and its own content alone."""

    def __init__(
        self,
        counts: Sequence[int],
        content_ids: Sequence[str],
        seed: int,
        run: int,
        pool: int = POOL,
    ) -> None:
        """Take windows and content of each; `run` neighbours come in order, fewer where there are few windows."""
        self._keys = [f"{seed}:{content_id}:" for content_id in content_ids]
        self.counts = np.array(counts, np.int64)
        self.runs = np.clip(self.counts // pool, 1, run)  # a small one still has `pool` runs
        self._whole = self.counts // self.runs  # runs of full length
        pools = np.maximum(self._whole // pool, 1)
        self._size, self._wide = np.divmod(self._whole, pools)  # the first `wide` pools: one more
        self._last = pools - self._wide - 1  # of those that are not wide; it also deals the rest
        self._rest = self.counts - self._whole * self.runs  # windows of the shorter run

    def windows(self, who: Ints, turn: Ints) -> Ints:
        """Return the window that contribution `who` gives at its `turn`; a new order each epoch."""
        epoch, place = np.divmod(turn, self.counts[who])
        run, offset = self._dealt(who, place)
        whole = self._whole[who]
        rest = run == whole
        found = permuted_each(np.where(rest, 0, run), whole, self._round_keys(who, epoch))
        return np.where(rest, whole, found) * self.runs[who] + offset

    def _dealt(self, who: Ints, place: Ints) -> tuple[Ints, Ints]:
        """Return which run of the order a place of an epoch falls to, and which window of the run."""
        length, size, wide = self.runs[who], self._size[who], self._wide[who]
        if not (length > 1).any():
            return place, np.zeros_like(place)
        narrow = wide * (size + 1) * length  # places before the first narrow pool
        early = place < narrow
        size += early
        inside = np.where(early, place, place - narrow)
        pool = np.minimum(inside // (size * length), np.where(early, wide, self._last[who]))
        inside -= pool * size * length
        rest = np.where(early | (pool < self._last[who]), 0, self._rest[who])
        joint = rest * (size + 1)  # places of the rounds in which the shorter run takes part
        both = inside < joint
        offset, slot = np.divmod(inside - np.where(both, 0, joint), size + both)
        run = pool * size + np.where(early, 0, wide * (size + 1)) + slot
        offset += ~both * rest
        begun = (slot * _GOLDEN & _FRACTION) * length >> 16
        round_ = (offset + begun) % length
        last = both & (slot == size)
        return np.where(last, self._whole[who], run), np.where(last, offset, round_)

    def _round_keys(self, who: Ints, epoch: Ints) -> NDArray[np.uint64]:
        """Return the keys of each row's permutation, (ROUNDS, row)."""
        least = int(epoch.min(initial=0))
        pair, rows = np.unique((epoch - least) * len(self._keys) + who, return_inverse=True)
        late, owner = np.divmod(pair, len(self._keys))
        names = zip(owner.tolist(), (late + least).tolist(), strict=True)
        keys = [round_keys(f"{self._keys[one]}{number}") for one, number in names]
        return np.array(keys, np.uint64).reshape(-1, ROUNDS).T[:, rows]
