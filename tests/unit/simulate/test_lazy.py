"""A sequence that makes its items when asked for behaves as a list of them."""

from __future__ import annotations

import pytest

from forgia_hpc.simulate.lazy import Lazy


class Squares(Lazy[int]):
    def __init__(self) -> None:
        self.made: list[int] = []

    def __len__(self) -> int:
        return 5

    def item(self, at: int) -> int:
        self.made.append(at)
        return at * at


def test_items_are_made_when_asked_for_as_a_list_has_them() -> None:
    found, alike = Squares(), [0, 1, 4, 9, 16]
    assert (found[1], found[-1], found[1:4:2], found[9:]) == (1, 16, [1, 9], [])
    assert found.made == [1, 4, 1, 3]
    assert list(found) == alike
    assert list(reversed(found)) == alike[::-1]
    for beyond in (5, -6):
        with pytest.raises(IndexError):
            found[beyond]
