"""All ranks of one start, and what they agree on.

Collectives stand outside rank branches: all ranks walk the same line. What travels is small: flags, sums and
JSON. The wire is made at the first collective, so a workload that needs none pays for none.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.place import Place, find_place

# Named, not imported: importing mpi4py starts MPI, and importing torch takes seconds.
WIRES = {
    "torch": "forgia_hpc.runtime.torch_wire:TorchWire",
    "mpi": "forgia_hpc.runtime.mpi:MpiWire",
    "files": "forgia_hpc.runtime.file_wire:FileWire",
}


class Wire(Protocol):
    """How values travel between ranks."""

    communicator: Any  # MPI's own of these ranks; None where they meet otherwise

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the element-wise sum over all ranks, on every rank."""

    def share(self, text: str) -> str:
        """Return rank 0's text on every rank."""

    def collect(self, text: str) -> list[str]:
        """Return every rank's text, in the order of the ranks, on every rank."""

    def close(self) -> None:
        """Part in peace; called only when all ranks are well."""


class World:
    """One rank's view of all ranks."""

    def __init__(self, place: Place, make_wire: Callable[[], Wire]) -> None:
        """Take a place and how to meet the others; nothing is connected yet."""
        self.place = place
        self._make_wire = make_wire
        self._made: Wire | None = None

    @property
    def rank(self) -> int:
        """This rank, from 0."""
        return self.place.rank

    @property
    def local_rank(self) -> int:
        """This rank's number on its node."""
        return self.place.local_rank

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self.place.size

    @property
    def node(self) -> str:
        """This rank's node."""
        return self.place.node

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0."""
        return self.place.rank == 0

    def connect(self) -> None:
        """Meet all ranks now, and set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT."""
        _ = self._wire

    def close(self) -> None:
        """Part from the others in peace; only when all ranks are well."""
        if self._made is not None:
            self._made.close()
            self._made = None

    @property
    def _wire(self) -> Wire:
        if self._made is None:
            self._made = self._make_wire()
        return self._made

    def sum(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the element-wise sum of float64 values over all ranks, on every rank."""
        own = np.atleast_1d(np.asarray(values, dtype=np.float64))
        total = own.copy() if self.size == 1 else self._wire.sum(own)
        return total.reshape(np.shape(np.asarray(values)))

    def communicator(self) -> Any:
        """Return MPI's communicator of these ranks; None for one rank, or where they do not meet over MPI."""
        return None if self.size == 1 else self._wire.communicator

    def any(self, flag: bool) -> bool:
        """Whether any rank says yes."""
        return bool(self.sum(float(flag)) > 0)

    def all(self, flag: bool) -> bool:
        """Whether every rank says yes."""
        return not self.any(not flag)

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.sum(0.0)

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's value, which JSON must be able to hold, on every rank."""
        text = json.dumps(value) if self.is_root else ""
        return json.loads(text if self.size == 1 else self._wire.share(text))

    def gather(self, value: Any) -> list[Any] | None:
        """Return every rank's value in the order of the ranks on rank 0, None elsewhere."""
        found = self.gather_all(value)
        return found if self.is_root else None

    def gather_all(self, value: Any) -> list[Any]:
        """Return every rank's value in the order of the ranks, on every rank."""
        text = json.dumps(value)
        texts: Sequence[str] = [text] if self.size == 1 else self._wire.collect(text)
        return [json.loads(each) for each in texts]


@contextmanager
def open_world(run: RunDir, *, mpi: bool = False, light: bool = False) -> Iterator[World]:
    """Give the world of this process: over MPI where asked, over files where `light`, else torch.distributed.

    After an error nothing is closed: the peers may be gone, and parting from them would wait for ever.
    """
    place = find_place(os.environ)
    module, _, name = WIRES["mpi" if mpi else "files" if light else "torch"].partition(":")
    world = World(place, lambda: getattr(importlib.import_module(module), name)(place, run))
    yield world
    world.close()
