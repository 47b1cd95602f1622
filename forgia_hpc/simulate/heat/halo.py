"""The rim of a block: its neighbours' cells, exchanged by persistent MPI requests."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat.arrays import Any3, Arrays
from forgia_hpc.simulate.heat.decompose import Block

Plane = tuple[slice, slice, slice]


class Halo:
    """Fills the rim. The requests are made once; an owner, to be used in a `with` block."""

    def __init__(self, ranks: Communicator, block: Block, arrays: Arrays) -> None:
        """Take all ranks of the group together."""
        self.arrays = arrays
        self.sends: list[tuple[Plane, NDArray[Any]]] = []
        self.receives: list[tuple[Plane, NDArray[Any]]] = []
        self.requests: list[Any] = []
        self.world: Any = None
        if ranks.size > 1:
            self._open(ranks, block)

    def _open(self, ranks: Any, block: Block) -> None:
        self.world = ranks.Create_cart(block.dims, periods=[False] * len(block.dims), reorder=False)
        for axis, ends in enumerate(block.neighbours):
            for high, other in enumerate(ends):
                if other < 0:
                    continue
                sent, got = (_plane(block, axis, high, rim=rim) for rim in (False, True))
                shape = [1 if at == axis else n for at, n in enumerate(block.shape)]
                out, into = (np.zeros(shape, self.arrays.dtype) for _ in range(2))
                self.sends.append((sent, out))
                self.receives.append((got, into))
                self.requests += [
                    self.world.Recv_init(into, source=other, tag=2 * axis + (1 - high)),
                    self.world.Send_init(out, dest=other, tag=2 * axis + high),
                ]

    def exchange(self, field: Any3) -> None:
        """Fill the rim of a field from the neighbours' cells."""
        if not self.requests:
            return
        for plane, buffer in self.sends:
            buffer[...] = self.arrays.host(field[plane])
        prequest = type(self.requests[0])
        prequest.Startall(self.requests)
        prequest.Waitall(self.requests)
        for plane, buffer in self.receives:
            field[plane] = self.arrays.array(buffer)

    def __enter__(self) -> Halo:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give requests and communicator back to MPI."""
        for request in self.requests:
            request.Free()
        if self.world is not None:
            self.world.Free()


def _plane(block: Block, axis: int, high: int, *, rim: bool) -> Plane:
    """Return the outermost own cells at one end of an axis, or the rim beyond them."""
    last = block.shape[axis]
    at = (last + 1 if high else 0) if rim else (last if high else 1)
    a, b, c = (slice(at, at + 1) if one == axis else slice(1, -1) for one in range(3))
    return a, b, c
