import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgia_hpc.data.order.blocks import POOL
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data, Order


@dataclass(frozen=True)
class Counts:
    """The facts of a WindowIndex that a sampler asks for."""

    counts: tuple[int, ...]

    @property
    def names(self):
        return tuple(f"contribution_{count}" for count in self.counts)

    @property
    def contributors(self):
        return ("someone",) * len(self.counts)

    @property
    def content_ids(self):
        return tuple(f"id {count}" for count in self.counts)


def drawn(sampler, steps, first=0):
    batches = [sampler.batch(step) for step in range(first, first + steps)]
    return [tuple(pair) for batch in batches for pair in batch.tolist()]


def of(contribution, pairs):
    return [window for who, window in pairs if who == contribution]


sizes = st.lists(st.integers(1, 300), min_size=1, max_size=5, unique=True).map(tuple)
runs = st.sampled_from([1, 2, 7, 32, 5000])
orders = st.builds(
    Data,
    order=st.sampled_from(list(Order)),
    temperature=st.sampled_from([0.0, 0.5, 1.0]),
    run=runs,
)


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 9), st.integers(8, 50), orders)
def test_each_window_comes_once_in_every_epoch_of_its_contribution(counts, seed, batch, data):
    # a step is a set: with runs, windows of two epochs may change places within one
    sampler = Sampler(Counts(counts), seed, batch, data)
    who, turn = sampler._turns.at(np.arange(1200))
    windows = sampler._orders.windows(who, turn)
    for contribution, count in enumerate(counts):
        mine = windows[who == contribution].tolist()
        for epoch in range(len(mine) // count):
            assert sorted(mine[epoch * count : (epoch + 1) * count]) == list(range(count))
        rest = mine[len(mine) // count * count :]
        assert len(set(rest)) == len(rest)
    pairs = drawn(sampler, 1200 // batch)
    dealt = list(zip(who.tolist(), windows.tolist(), strict=True))
    assert Counter(pairs) == Counter(dealt[: len(pairs)])


@settings(max_examples=20, deadline=None)
@given(sizes, st.integers(1, 3), st.sampled_from([1, 3, 8]), runs)
def test_an_epoch_gives_every_window_once_over_all_ranks_and_steps(counts, epochs, world, run):
    total = sum(counts)
    sampler = Sampler(Counts(counts), 1, 24, Data(order=Order.epoch, run=run))
    full, filled = divmod(epochs * total, 24)
    pairs = Counter(
        tuple(pair)
        for step in range(full)
        for rank in range(world)
        for pair in sampler.batch(step, rank, world).tolist()
    )
    # the last batch is filled up from the next epoch: none dropped, none doubled
    who, turn = sampler._turns.at(np.arange(full * 24, full * 24 + filled))
    rest = sampler._orders.windows(who, turn).tolist()
    pairs.update(zip(who.tolist(), rest, strict=True))
    assert pairs == dict.fromkeys(
        ((one, window) for one, count in enumerate(counts) for window in range(count)), epochs
    )
    if filled:
        straddling = [tuple(pair) for pair in sampler.batch(full).tolist()]
        assert not Counter(zip(who.tolist(), rest, strict=True)) - Counter(straddling)


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 10**9), st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24]), orders)
def test_every_world_size_gives_the_same_global_batch(counts, step, world_size, data):
    sampler = Sampler(Counts(counts), 3, 24, data)
    parts = [sampler.batch(step, rank, world_size) for rank in range(world_size)]
    assert all(part.shape == (24 // world_size, 2) for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), sampler.batch(step))
    again = Sampler(Counts(counts), 3, 24, data)
    np.testing.assert_array_equal(again.batch(step), sampler.batch(step))


@settings(max_examples=25, deadline=None)
@given(sizes, orders, st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_ranks_that_come_and_go_leave_the_sequence_as_it_is(counts, data, stops):
    """1, 8 and 3 ranks in turn, each time from the cursor of those before."""
    undisturbed = drawn(Sampler(Counts(counts), 5, 24, data), sum(stops))
    found, cursor = [], Sampler(Counts(counts), 5, 24, data).cursor(0)
    for steps, world in zip(stops, (1, 8, 3, 8), strict=False):
        sampler = Sampler(Counts(counts), 5, 24, data)
        step = sampler.from_cursor(cursor)
        for now in range(step, step + steps):
            for rank in range(world):
                found += [tuple(pair) for pair in sampler.batch(now, rank, world).tolist()]
        cursor = sampler.cursor(step + steps)
    assert found == undisturbed


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(301, 900), orders, st.booleans())
def test_another_contribution_leaves_the_order_inside_the_others(counts, newcomer, data, leaves):
    """Joining, or leaving: the first of the others then goes."""
    others = counts[1:] if leaves and len(counts) > 1 else (newcomer, *counts)
    kept = set(counts) & set(others)
    for count in kept:
        before, after = (
            in_order(Sampler(Counts(who), 1, 10, data), who.index(count))
            for who in (counts, others)
        )
        shared = min(len(before), len(after))
        assert before[:shared] == after[:shared]


def in_order(sampler, contribution):
    who, turn = sampler._turns.at(np.arange(600))
    return sampler._orders.windows(who, turn)[who == contribution].tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=5, unique=True).map(tuple), orders)
def test_a_batch_holds_windows_of_many_runs_where_there_are_many(counts, data):
    sampler = Sampler(Counts(counts), 2, 16, data)
    who, turn = sampler._turns.at(np.arange(4000))
    windows = sampler._orders.windows(who, turn)
    lengths = sampler._orders.runs
    for contribution, count in enumerate(counts):
        mine = who == contribution
        epoch, run = turn[mine] // count, windows[mine] // lengths[contribution]
        wanted = min(POOL, count)
        for first in range(0, len(run) - wanted, 5):
            if epoch[first] == epoch[first + wanted - 1]:
                assert len(set(run[first : first + wanted].tolist())) == wanted


def test_neighbours_of_a_run_come_one_after_another_and_stand_together():
    sampler = Sampler(Counts((POOL * 32 * 10,)), 2, 4 * POOL, Data(run=32))
    windows = sampler.batch(8)[:, 1].tolist()
    assert windows == sorted(windows)
    gaps = Counter(b - a for a, b in pairwise(windows))
    assert gaps[1] > 2.8 * POOL  # three for each run, but for those that go round
    after = sampler.batch(9)[:, 1].tolist()
    assert {window // 32 * 32 + (window + 4) % 32 for window in windows} == set(after)


def test_the_runs_of_a_batch_are_at_different_places():
    """So that what repeats within a run is not met at one angle by a whole batch."""
    sampler = Sampler(Counts((POOL * 32 * 10,)), 2, 16, Data(run=32))
    for step in range(40):
        angles = sampler.batch(step)[:, 1] % 32
        assert len(set(angles.tolist())) >= 15


def test_seed_and_content_and_run_move_the_order():
    found = {
        tuple(drawn(Sampler(Counts(counts), seed, 10, Data(run=run)), 10))
        for counts in ((500,), (501,))
        for seed in (0, 1)
        for run in (1, 2)
    }
    assert len(found) == 8


def test_run_length_one_is_the_full_shuffle_it_has_always_been():
    found = Sampler(Counts((1000, 50)), 7, 6, Data(run=1)).batch(123)
    alone = Sampler(Counts((1000,)), 7, 6, Data(run=1)).batch(200)
    # as they came before there were runs
    assert of(0, found.tolist()) == [183, 478, 658, 492, 882]
    assert of(1, found.tolist()) == [16]
    assert of(0, alone.tolist()) == [924, 464, 951, 838, 120, 129]


@pytest.mark.parametrize("data", [Data(run=1), Data(run=32), Data(order=Order.epoch, run=32)])
def test_a_far_step_costs_no_more_than_the_first(data):
    counts = (10**9, 10**6)
    pairs = Sampler(Counts(counts), 0, 256, data).batch(10**12)
    assert all(0 <= window < counts[who] for who, window in pairs.tolist())


@pytest.mark.parametrize("data", [Data(), Data(order=Order.epoch), Data(run=32)])
def test_the_state_is_small_and_counts_what_was_dealt(data):
    sampler = Sampler(Counts((70, 300)), 5, 400, data)
    state = sampler.state(200)
    assert len(json.dumps(state)) < 1000
    shares = Counter(who for who, _ in drawn(sampler, 200))
    found = {name: entry["drawn"] for name, entry in state["contributions"].items()}
    assert found == {"contribution_70": shares[0], "contribution_300": shares[1]}
    assert sampler.from_cursor(bytes.fromhex(state["cursor"])) == 200


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(-(2**31), 2**40), st.integers(0, 2**60), orders)
def test_a_cursor_is_32_bytes_and_tells_the_step(counts, seed, step, data):
    cursor = Sampler(Counts(counts), seed, 16, data).cursor(step)
    assert len(cursor) == 32
    assert Sampler(Counts(counts), seed, 16, data).from_cursor(cursor) == step


@pytest.mark.parametrize(
    ("counts", "seed", "batch", "data", "field", "said"),
    [
        ((70, 300), 5, 16, Data(order=Order.epoch), "data.order", "begun with mixture"),
        ((70, 300), 5, 32, Data(), "train.global_batch", "begun with 16"),
        ((70, 300), 6, 16, Data(), "seed", "begun with 5"),
        ((70, 300), 5, 16, Data(temperature=1), "data", "temperature"),
        ((70, 300), 5, 16, Data(run=3), "data", "run"),
        ((70, 301), 5, 16, Data(), "data", "other windows"),
        ((70, 300, 4), 5, 16, Data(), "data", "contributions"),
        ((70, 300), 5, 16, Data(shares={"contribution_70": 0.1}), "data", "shares"),
    ],
)
def test_a_cursor_of_another_order_is_refused_in_one_line(counts, seed, batch, data, field, said):
    cursor = Sampler(Counts((70, 300)), 5, 16, Data()).cursor(9)
    with pytest.raises(InputError, match=said) as caught:
        Sampler(Counts(counts), seed, batch, data).from_cursor(cursor)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert "\n" not in str(problem)


@pytest.mark.parametrize("cursor", [b"", b"fo1", b"\0" * 32, b"fo1" + b"\0" * 30])
def test_what_is_no_cursor_is_refused(cursor):
    with pytest.raises(InputError, match="32 bytes"):
        Sampler(Counts((70,)), 5, 16).from_cursor(cursor)


@pytest.mark.parametrize("data", [Data(), Data(order=Order.epoch)])
def test_a_contribution_without_windows_gets_no_turn(data):
    pairs = drawn(Sampler(Counts((0, 50)), 0, 10, data), 10)
    assert {who for who, _ in pairs} == {1}


@pytest.mark.parametrize(("rank", "size"), [(0, 5), (3, 3), (-1, 3)])
def test_unequal_parts_are_refused(rank, size):
    with pytest.raises(InputError, match="multiple of the world size"):
        Sampler(Counts((50,)), 0, 12).batch(0, rank, size)


@pytest.mark.parametrize(("counts", "batch"), [((0, 0), 8), ((), 8), ((5,), 0)])
def test_nothing_to_deal_is_refused(counts, batch):
    with pytest.raises(InputError):
        Sampler(Counts(counts), 0, batch)
