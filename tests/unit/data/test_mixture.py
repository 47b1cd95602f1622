from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forgia_hpc.data.order.caps import caps_of
from forgia_hpc.data.order.mixture import CYCLE, Mixture, quotas, turns
from forgia_hpc.errors import InputError

many = st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any).map(tuple)
warm = st.floats(0, 1)


@settings(max_examples=100, deadline=None)
@given(many, warm)
@example((803, 2528, 26036, 999715234, 999735715), 1.0)  # two with as many places: the larger gives
def test_quotas_are_the_shares_to_one_place(counts, temperature):
    found = quotas(counts, temperature)
    assert found.sum() == CYCLE
    weights = np.array([float(count) ** temperature if count else 0.0 for count in counts])
    exact = weights / weights.sum() * CYCLE
    assert (found[weights == 0] == 0).all()
    assert (found[weights > 0] >= 1).all()
    assert (np.abs(found - exact) <= np.maximum(1, len(counts) * (exact == exact.max()))).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60).map(tuple), warm)
def test_at_every_prefix_each_count_is_within_one_of_its_share(counts, temperature):
    dealt = quotas(counts, temperature)
    found = turns(dealt)
    assert Counter(found.tolist()) == dict(enumerate(dealt.tolist()))
    places = np.arange(1, CYCLE + 1)
    for one, quota in enumerate(dealt.tolist()):
        away = np.cumsum(found == one) * CYCLE - places * quota
        assert np.abs(away).max() < CYCLE  # whole numbers: no rounding hides a place


def test_a_thousand_small_ones_do_not_come_in_a_bunch():
    found = turns(quotas((10**9,) + (1,) * 1000, 1.0))
    small = np.flatnonzero(found > 0)
    assert len(small) == 1000
    assert (np.diff(small) >= 64).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 999), min_size=1, max_size=6), st.integers(0, 10**12))
def test_what_was_drawn_is_counted_over_cycles(counts, place):
    mixture = Mixture(quotas(tuple(counts), 0.5))
    who, turn = mixture.at(np.arange(place, place + 50))
    before, after = mixture.drawn(place), mixture.drawn(place + 50)
    assert (after - before).tolist() == np.bincount(who, minlength=len(counts)).tolist()
    for one in range(len(counts)):
        assert turn[who == one].tolist() == list(range(before[one], after[one]))


@st.composite
def capped(draw):
    counts = tuple(draw(st.lists(st.integers(1, 10**6), min_size=2, max_size=8)))
    members = draw(st.lists(st.integers(0, len(counts) - 1), unique=True, max_size=len(counts)))
    cut = draw(st.integers(0, len(members)))
    groups = [tuple(part) for part in (members[:cut], members[cut:]) if part]
    return counts, [(group, draw(st.floats(0.01, 1))) for group in groups]


@settings(max_examples=200, deadline=None)
@given(capped(), warm)
def test_caps_are_kept_and_the_rest_is_poured_over_in_proportion(mix, temperature):
    counts, caps = mix
    free = set(range(len(counts))) - {one for group, _ in caps for one in group}
    if not free and sum(cap for _, cap in caps) < 1:
        with pytest.raises(InputError, match="at least 1 together"):
            quotas(counts, temperature, caps)
        return
    plain, found = (quotas(counts, temperature, some) for some in ((), caps))
    assert found.sum() == CYCLE
    for group, cap in caps:
        assert found[list(group)].sum() <= cap * CYCLE + len(group)
    weights = np.array(counts, float) ** temperature
    ratios = found[sorted(free)] / weights[sorted(free)]
    room = 1.5 / weights[sorted(free)]  # a place more or less each
    if len(free) > 1 and (found > 1).all():
        assert ((ratios - room) <= (ratios + room).min()).all()
    if all(plain[list(group)].sum() <= cap * CYCLE for group, cap in caps):
        assert np.abs(found - plain).max() <= 1


def test_water_rises_until_no_cap_is_broken():
    # 8:4:2:2 with caps of 0.3 on the first two: 0.5 -> 0.3; then 0.35 -> 0.3; the others share 0.4
    found = quotas((800, 400, 200, 200), 1.0, [((0,), 0.3), ((1,), 0.3)])
    np.testing.assert_allclose(found / CYCLE, [0.3, 0.3, 0.2, 0.2], atol=2 / CYCLE)


def test_a_contributor_is_capped_for_all_that_is_theirs():
    names, owners = ("a", "b", "c"), ("steel", "steel", "paper")
    caps = caps_of({"steel": 0.5, "c": 0.9}, names, owners)
    assert caps == [((0, 1), 0.5), ((2,), 0.9)]
    found = quotas((300, 100, 100), 1.0, caps)
    np.testing.assert_allclose(found / CYCLE, [0.375, 0.125, 0.5], atol=1 / CYCLE)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"stel": 0.5}, "did you mean steel"),
        ({"a": 0.2, "steel": 0.5}, "a caps a already"),
        ({"a": 0.2, "b": 0.2, "c": 0.5}, "caps of 0.9 together"),
    ],
)
def test_caps_that_cannot_be_kept_are_refused_in_one_line(shares, said):
    with pytest.raises(InputError, match=said) as caught:
        caps_of(shares, ("a", "b", "c"), ("steel", "steel", "paper"))
    assert "\n" not in str(caught.value)


def test_a_cap_on_one_without_windows_gives_nothing_away():
    with pytest.raises(InputError, match=r"caps of 0.6 together"):
        quotas((0, 50), 1.0, [((0,), 0.5), ((1,), 0.6)])
    assert quotas((0, 50), 1.0, [((0,), 0.5)]).tolist() == [0, CYCLE]
