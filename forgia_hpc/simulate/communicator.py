"""The ranks of one group, as solvers see them: mpi4py's communicator, or this process alone."""

from __future__ import annotations

from typing import Any, Protocol


class Communicator(Protocol):
    """What the simulation layer asks of MPI. mpi4py's Intracomm has it, and more."""

    @property
    def rank(self) -> int:
        """This rank, from 0."""

    @property
    def size(self) -> int:
        """Ranks of the group."""

    def bcast(self, value: Any, root: int = 0) -> Any:
        """Return the root's value."""

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        """Return every rank's value on the root."""

    def allgather(self, value: Any) -> list[Any]:
        """Return every rank's value."""

    def barrier(self) -> None:
        """Wait for all."""


class Alone:
    """A group of one rank: needs no MPI, and starts in tenths of a second without it."""

    rank = 0
    size = 1

    def bcast(self, value: Any, root: int = 0) -> Any:
        """Return the value."""
        return value

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        """Return the value alone."""
        return [value]

    def allgather(self, value: Any) -> list[Any]:
        """Return the value alone."""
        return [value]

    def barrier(self) -> None:
        """Return at once: nobody else is there."""
