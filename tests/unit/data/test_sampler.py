import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgia_hpc.data.sampler import CYCLE, Sampler, quotas, turns
from forgia_hpc.errors import InputError


@dataclass(frozen=True)
class Counts:
    """The facts of a WindowIndex that a sampler asks for."""

    counts: tuple[int, ...]

    @property
    def names(self):
        return tuple(f"contribution_{count}" for count in self.counts)

    @property
    def content_ids(self):
        return tuple(f"id {count}" for count in self.counts)


def drawn(sampler, steps):
    return [pair for step in range(steps) for pair in sampler.batch(step)]


sizes = st.lists(st.integers(1, 300), min_size=1, max_size=5, unique=True).map(tuple)


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 9), st.integers(8, 50), st.sampled_from([0.0, 0.5, 1.0]))
def test_each_window_comes_once_in_every_epoch_of_its_contribution(
    counts, seed, batch, temperature
):
    pairs = drawn(Sampler(Counts(counts), seed, batch, temperature), 1200 // batch + 1)
    for contribution, count in enumerate(counts):
        windows = [window for who, window in pairs if who == contribution]
        for epoch in range(len(windows) // count):
            part = windows[epoch * count : (epoch + 1) * count]
            assert sorted(part) == list(range(count))
        rest = windows[len(windows) // count * count :]
        assert len(set(rest)) == len(rest)


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 10**9), st.sampled_from([1, 2, 3, 4, 6, 12, 24]))
def test_every_world_size_gives_the_same_global_batch(counts, step, world_size):
    sampler = Sampler(Counts(counts), 3, 24, 0.5)
    parts = [sampler.batch(step, rank, world_size) for rank in range(world_size)]
    assert all(len(part) == 24 // world_size for part in parts)
    assert [pair for part in parts for pair in part] == sampler.batch(step)
    assert Sampler(Counts(counts), 3, 24, 0.5).batch(step) == sampler.batch(step)


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(301, 900))
def test_another_contribution_leaves_the_order_inside_the_others(counts, newcomer):
    before = drawn(Sampler(Counts(counts), 1, 10, 0.5), 60)
    after = drawn(Sampler(Counts((newcomer, *counts)), 1, 10, 0.5), 60)
    for contribution in range(len(counts)):
        old = [window for who, window in before if who == contribution]
        new = [window for who, window in after if who == contribution + 1]
        shared = min(len(old), len(new))
        assert old[:shared] == new[:shared]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any).map(tuple),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_quotas_are_the_shares_to_one_place(counts, temperature):
    found = quotas(counts, temperature)
    assert found.sum() == CYCLE
    weights = np.array([float(count) ** temperature if count else 0.0 for count in counts])
    exact = weights / weights.sum() * CYCLE
    assert (found[weights == 0] == 0).all()
    assert (found[weights > 0] >= 1).all()
    assert (np.abs(found - exact) <= np.maximum(1, len(counts) * (exact == exact.max()))).all()


def test_proportions_are_exact_over_a_cycle_and_even_within():
    counts = (100, 400, 2500)
    found = turns(quotas(counts, 0.5))
    assert Counter(found.tolist()) == dict(enumerate(quotas(counts, 0.5).tolist()))
    for end in range(100, CYCLE, 997):
        shares = np.bincount(found[:end], minlength=3)
        np.testing.assert_allclose(shares, end * quotas(counts, 0.5) / CYCLE, atol=1.5)


def test_seed_and_content_move_the_order():
    orders = {
        tuple(drawn(Sampler(Counts(counts), seed, 10), 10))
        for counts in ((500,), (501,))
        for seed in (0, 1)
    }
    assert len(orders) == 4


def test_a_far_step_costs_no_more_than_the_first():
    sampler = Sampler(Counts((10**9, 10**6)), 0, 256, 0.5)
    pairs = sampler.batch(10**12)
    assert all(0 <= window < (10**9, 10**6)[who] for who, window in pairs)


def test_the_state_is_small_and_counts_what_was_dealt():
    sampler = Sampler(Counts((70, 300)), 5, 400, 0.5)
    state = sampler.state(200)
    assert len(json.dumps(state)) < 1000
    shares = Counter(who for who, _ in drawn(sampler, 200))
    found = {name: entry["drawn"] for name, entry in state["contributions"].items()}
    assert found == {"contribution_70": shares[0], "contribution_300": shares[1]}


def test_a_contribution_without_windows_gets_no_turn():
    pairs = drawn(Sampler(Counts((0, 50)), 0, 10), 10)
    assert {who for who, _ in pairs} == {1}


@pytest.mark.parametrize(("rank", "size"), [(0, 5), (3, 3), (-1, 3)])
def test_unequal_parts_are_refused(rank, size):
    with pytest.raises(InputError, match="multiple of the world size"):
        Sampler(Counts((50,)), 0, 12).batch(0, rank, size)


@pytest.mark.parametrize(("counts", "batch"), [((0, 0), 8), ((), 8), ((5,), 0)])
def test_nothing_to_deal_is_refused(counts, batch):
    with pytest.raises(InputError):
        Sampler(Counts(counts), 0, batch)
