"""Shares of a mix, from the words of a job to the windows of a sealed dataset."""

from collections import Counter
from dataclasses import replace

import pytest
from fakes.telemetry import card, contribution

from forgia_hpc.data.access.granting import Asked, granted_inputs
from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data, Order

WORDS = {"context": 32, "min_context": 16, "horizon": 8}


@pytest.fixture(scope="module")
def valley(tmp_path_factory):
    """Two contributions of one company and one of another."""
    root = tmp_path_factory.mktemp("data")
    owners = {"mill": "steel_works", "forge": "steel_works", "press": "paper_works"}
    for seed, (name, owner) in enumerate(owners.items()):
        owned = replace(contribution(name, seed), contributor=owner)
        seal(owned, card(name, contributor=owner), root / name)
    facts = card("valley", members=sorted(owners))
    seal_consortium("valley", [root / name for name in owners], facts, root / "valley")
    return root / "valley"


def dealt(directory, data, steps=100):
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, data)
        sampler = Sampler(index, 0, 10, data)
        pairs = [tuple(pair) for step in range(steps) for pair in sampler.batch(step).tolist()]
    return index, pairs


def test_a_company_is_capped_for_all_that_is_theirs(valley):
    index, pairs = dealt(valley, Data(shares={"steel_works": 0.25}, **WORDS))
    counts = Counter(index.contributors[who] for who, _ in pairs)
    assert abs(counts["steel_works"] - 250) <= 2


def test_an_epoch_of_a_sealed_dataset_is_every_window_once(valley):
    data = Data(order=Order.epoch, run=4, **WORDS)
    index, _ = dealt(valley, data, 0)
    _, pairs = dealt(valley, data, -(-len(index) // 10))
    most = Counter(pairs).most_common()
    assert len(most) == len(index)
    assert len(pairs) - len(index) < 10  # the last batch is filled up from the next epoch


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"steel": 0.5}, "did you mean steel_works"),
        ({"steel_works": 0.5, "press": 0.2}, "caps of 0.7 together"),
    ],
)
def test_shares_that_cannot_be_kept_are_told_at_the_submission(valley, shares, said):
    with pytest.raises(InputError, match=said):
        granted_inputs(valley, Data(dataset="valley", shares=shares), Asked())
