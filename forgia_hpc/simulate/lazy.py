"""Sequences whose items are made when they are asked for: a campaign of a million members holds none of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence of so many items, each made by `item`."""

    @abstractmethod
    def item(self, at: int) -> T:
        """Return the item at a place that there is."""

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        """Return one, or a list of several; a place below 0 counts from the end.

        Raises:
            IndexError: there is no such place.
        """
        places = range(len(self))[at]
        return self.item(places) if isinstance(places, int) else [self.item(one) for one in places]
