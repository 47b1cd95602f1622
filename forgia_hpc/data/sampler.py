"""Which windows a step trains on: a pure function of (seed, step), whatever the number of ranks.

Two questions, asked apart. Whose turn is it: `mixture` keeps fixed shares, `epoch` gives each window once.
And which window does a contribution give at its k-th turn: that hangs on the seed and its own content only,
so who else takes part changes how often its turn comes, never its order.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.order.blocks import POOL, Orders
from forgia_hpc.data.order.caps import caps_of
from forgia_hpc.data.order.epoch import Epoch
from forgia_hpc.data.order.mixture import CYCLE, Mixture, quotas
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data, Order

Ints = NDArray[np.int64]
_CURSOR = struct.Struct("<3sBIQQ8s")  # what it is, order, global batch, seed, step, digest
_MAGIC = b"fo1"
_ORDERS = tuple(Order)


class Windows(Protocol):
    """What a sampler needs to know of a WindowIndex."""

    @property
    def names(self) -> tuple[str, ...]:
        """Contributions."""

    @property
    def contributors(self) -> tuple[str, ...]:
        """Whose each is; asked for only where `data.shares` caps someone."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Windows of each."""

    @property
    def content_ids(self) -> tuple[str, ...]:
        """Digest of each one's decoded values."""


class Sampler:
    """Deals windows to steps and ranks."""

    def __init__(
        self, index: Windows, seed: int, global_batch: int, data: Data | None = None
    ) -> None:
        """Take the windows, windows a step over all ranks, and the words of the order."""
        self.data = data or Data()
        if global_batch < 1 or not sum(index.counts):
            got = (global_batch, sum(index.counts))
            limit = "at least one window a step, and one to deal"
            fix = "ask for a shorter context or horizon, or for other contributions"
            raise InputError(Problem(field="global_batch, windows", got=got, limit=limit, fix=fix))
        self.index = index
        self.seed = seed
        self.global_batch = global_batch
        self._turns = _turns(index, self.data)
        self._orders = Orders(index.counts, index.content_ids, seed, self.data.run)
        self._digest = self._summary()

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> Ints:
        """Return this rank's windows of a step: (window, 2), of contribution and number.

        The global batch is the same for every world size; ranks take it in contiguous parts.
        """
        share, rest = divmod(self.global_batch, world_size)
        if rest or not 0 <= rank < world_size:
            limit = f"rank {rank} of world size {world_size} must get an equal part"
            fix = "choose a global batch that is a multiple of the world size"
            raise InputError(
                Problem(field="global_batch", got=self.global_batch, limit=limit, fix=fix)
            )
        begin = step * self.global_batch
        who, turn = self._turns.at(np.arange(begin, begin + self.global_batch, dtype=np.int64))
        windows = self._orders.windows(who, turn)
        if self.data.run > 1:
            windows = _together(who, windows)
        return np.stack([who, windows], axis=1)[rank * share : (rank + 1) * share]

    def cursor(self, step: int) -> bytes:
        """Return 32 bytes that say which order this is and how many steps of it were taken."""
        order, seed = _ORDERS.index(self.data.order), self.seed % 2**64
        return _CURSOR.pack(_MAGIC, order, self.global_batch, seed, step, self._digest)

    def from_cursor(self, cursor: bytes) -> int:
        """Return the steps that were taken up to a cursor.

        Raises:
            InputError: it is no cursor, or one of another order, which can't be gone on with.
        """
        if len(cursor) != _CURSOR.size or not cursor.startswith(_MAGIC):
            limit = f"the {_CURSOR.size} bytes of Sampler.cursor are needed"
            raise InputError(Problem(field="cursor", got=cursor[:40].hex(), limit=limit))
        _, order, batch, seed, step, digest = _CURSOR.unpack(cursor)
        if digest != self._digest:
            raise InputError(self._other(order, batch, seed))
        return int(step)

    def _other(self, order: int, batch: int, seed: int) -> Problem:
        """Say where the order that a cursor tells of first differs from this one."""
        told = (
            ("data.order", self.data.order.value, _named(order)),
            ("train.global_batch", self.global_batch, batch),
            ("seed", self.seed % 2**64, seed),
            ("data", "this order", "other windows, contributions, temperature, shares or run"),
        )
        field, own, begun = next(one for one in told if one[1] != one[2])
        fix = "go on with the words it was begun with, or start a new run"
        return Problem(field=field, got=own, limit=f"the order was begun with {begun}", fix=fix)

    def state(self, step: int) -> dict[str, object]:
        """Return what continues the sequence at `step`, and how far each contribution is."""
        index, drawn = self.index, self._turns.drawn(step * self.global_batch).tolist()
        return {
            "cursor": self.cursor(step).hex(),
            "seed": self.seed,
            "step": step,
            "global_batch": self.global_batch,
            **self._words(),
            "contributions": {
                name: {"content_id": content_id, "windows": count, "drawn": number, "run": run}
                for name, content_id, count, number, run in zip(
                    index.names,
                    index.content_ids,
                    index.counts,
                    drawn,
                    self._orders.runs.tolist(),
                    strict=True,
                )
            },
        }

    def _words(self) -> dict[str, object]:
        """Return the words of the job that make this order."""
        data = self.data
        if data.order is Order.epoch:
            return {"order": data.order.value, "run": data.run}
        return {
            "order": data.order.value,
            "temperature": data.temperature,
            "shares": dict(data.shares),
            "run": data.run,
        }

    def _summary(self) -> bytes:
        """Return what tells this order from every other."""
        facts = {
            **self._words(),
            "seed": self.seed,
            "global_batch": self.global_batch,
            "deal": [CYCLE, POOL],
            "windows": [list(self.index.content_ids), list(self.index.counts)],
        }
        return hashlib.sha256(canonical_json(facts)).digest()[:8]


def _turns(index: Windows, data: Data) -> Mixture | Epoch:
    if data.order is Order.epoch:
        return Epoch(index.counts)
    caps = caps_of(data.shares, index.names, index.contributors) if data.shares else []
    return Mixture(quotas(index.counts, data.temperature, caps))


def _together(who: Ints, windows: Ints) -> Ints:
    """Return the windows of a step with each contribution's in rising order, on the places it has.

    Neighbours of one run then stand on one rank, which reads them as one stretch, and every rank keeps its part
    of every contribution.
    """
    found = np.empty_like(windows)
    found[np.argsort(who, kind="stable")] = windows[np.lexsort((windows, who))]
    return found


def _named(order: int) -> str:
    return _ORDERS[order].value if order < len(_ORDERS) else f"unknown order {order}"
