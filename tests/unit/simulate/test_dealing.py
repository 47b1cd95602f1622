from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.simulate.dealing import dealt, refined

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


@pytest.mark.parametrize("seed", range(5))
def test_each_whole_block_has_exactly_the_shares(seed: int) -> None:
    found = dealt(100, SHARES, seed, "split")
    assert Counter(found) == {"train": 80, "valid": 10, "test": 10}
    assert all(Counter(found[at : at + 10])["test"] == 1 for at in range(0, 100, 10))


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 5))
def test_who_is_there_first_keeps_the_part(few: int, more: int, seed: int) -> None:
    assert dealt(few + more, SHARES, seed, "split")[:few] == dealt(few, SHARES, seed, "split")


def test_no_rhythm_of_the_design_meets_one_of_the_parts() -> None:
    """Every second point of a Sobol sequence lies in one half: a test set in step with it would too."""
    found = dealt(2000, SHARES, 0, "split")
    odd = sum(number % 2 for number, part in enumerate(found) if part == "test")
    assert 70 < odd < 130


def test_another_seed_deals_otherwise() -> None:
    assert dealt(100, SHARES, 0, "split") != dealt(100, SHARES, 1, "split")


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        ({"train": 1.0, "valid": 0.0, "test": 0.0}, {"train": 60}),
        ({"train": 1 / 3, "valid": 1 / 3, "test": 1 / 3}, {"train": 20, "valid": 20, "test": 20}),
        ({"train": 0.75, "valid": 0.0, "test": 0.25}, {"train": 45, "test": 15}),
    ],
)
def test_odd_shares(shares: dict[str, float], counts: dict[str, int]) -> None:
    assert Counter(dealt(60, shares, 0, "split")) == counts


@pytest.mark.parametrize(
    ("count", "share", "wanted"), [(1000, 0.02, 20), (1000, 0.015, 15), (16, 0.02, 1), (7, 1.0, 7)]
)
def test_refined_members_are_as_many_as_asked_and_at_least_one(
    count: int, share: float, wanted: int
) -> None:
    found = refined(count, share, seed=3)
    assert len(found) == wanted
    assert set(found) <= set(range(count))


def test_no_share_refines_nothing() -> None:
    assert refined(100, 0.0, 0) == []
