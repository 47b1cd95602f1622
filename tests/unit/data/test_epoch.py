import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forgia_hpc.data.order.epoch import Epoch

some = st.lists(st.integers(0, 400), min_size=1, max_size=12).filter(any)
BOUND = 2  # Huffman's tree of any depth: 1/2 (1 + 1 + 1/2 + 1/3 + 1/5 + 1/8 + …) < 1.7


@settings(max_examples=100, deadline=None)
@given(some, st.integers(0, 5))
def test_each_has_as_many_turns_an_epoch_as_windows_and_takes_them_in_order(counts, epoch):
    order = Epoch(counts)
    total = sum(counts)
    who, turn = order.at(np.arange(epoch * total, (epoch + 1) * total))
    for one, count in enumerate(counts):
        assert turn[who == one].tolist() == list(range(epoch * count, (epoch + 1) * count))


@settings(max_examples=100, deadline=None)
@given(some)
def test_at_every_prefix_each_count_is_near_its_share(counts):
    total = sum(counts)
    who, _ = Epoch(counts).at(np.arange(total))
    places = np.arange(1, total + 1)
    for one, count in enumerate(counts):
        away = np.cumsum(who == one) - places * count / total
        assert np.abs(away).max(initial=0) < BOUND


def test_many_equal_or_small_ones_do_not_come_in_a_bunch():
    who, _ = Epoch([100_000] + [1] * 1000).at(np.arange(101_000))
    assert (np.diff(np.flatnonzero(who > 0)) >= 50).all()
    who, _ = Epoch([3] * 50).at(np.arange(150))
    for first in range(0, 150, 50):
        assert np.bincount(who[first : first + 50], minlength=50).max() <= 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 2**36), min_size=1, max_size=8), st.integers(0, 2**40))
def test_places_far_out_are_exact_and_counted(counts, place):
    order = Epoch(counts)
    who, turn = order.at(np.arange(place, place + 40))
    before, after = order.drawn(place), order.drawn(place + 40)
    assert int(before.sum()) == place
    for one in range(len(counts)):
        assert turn[who == one].tolist() == list(range(before[one], after[one]))
    assert order.drawn(sum(counts)).tolist() == counts
