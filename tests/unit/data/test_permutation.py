import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forgia_hpc.data.order.permutation import permuted, permuted_each, round_keys


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3000), st.text(max_size=9))
def test_it_is_a_permutation(n, key):
    found = permuted(np.arange(n), n, key)
    assert sorted(found.tolist()) == list(range(n))
    np.testing.assert_array_equal(found[::-1], permuted(np.arange(n)[::-1], n, key))


def test_keys_give_different_orders_that_look_random():
    n = 100_000
    one, two = (permuted(np.arange(n), n, key) for key in ("one", "two"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.02
    assert abs(np.abs(one - np.arange(n)).mean() / n - 1 / 3) < 0.01
    counts = np.histogram(one[: n // 10], 10, (0, n))[0]
    assert (np.abs(counts - n / 100) < 6 * np.sqrt(n / 100)).all()


def test_a_place_in_a_huge_one_needs_no_table():
    n = 10**15 + 7
    positions = np.array([0, 1, n // 2, n - 1])
    found = permuted(positions, n, "seed")
    assert ((found >= 0) & (found < n)).all()
    assert len(set(found.tolist())) == 4
    assert found.tolist() == permuted(positions, n, "seed").tolist()


def test_other_programs_can_make_it():
    """The example of docs/dataset_format.md."""
    assert permuted(np.arange(10), 10, "0:abc:0").tolist() == [8, 3, 7, 5, 4, 6, 0, 1, 9, 2]
    assert permuted(np.arange(1), 1, "anything").tolist() == [0]


def test_many_permutations_in_one_call_are_each_its_own():
    sizes = np.array([1, 2, 7, 64, 65, 1000, 10**9, 10**12])
    keys = [f"key {size}" for size in sizes]
    for place in range(5):
        positions = np.minimum(place, sizes - 1)
        found = permuted_each(positions, sizes, np.stack([round_keys(key) for key in keys], axis=1))
        alone = [
            permuted(np.array([position]), size, key)[0]
            for position, size, key in zip(positions, sizes.tolist(), keys, strict=True)
        ]
        assert found.tolist() == alone
