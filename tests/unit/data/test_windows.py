import numpy as np
import pytest
from fakes.telemetry import card, contribution
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.writer import seal
from forgia_hpc.schema.data import Data


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    seal(contribution(steps=100), card(), root / "mill")
    with open_dataset(root / "mill") as opened:
        yield opened


def by_definition(dataset, data):
    """Every (segment, block, start) of the train split, counted the slow way."""
    found = []
    for facts in dataset.segments("mill", Split.train):
        inputs = 4  # of five channels one is a label
        for block in range(-(-inputs // data.channels)):
            for start in range(facts.steps):
                if start >= data.min_context and start + data.horizon <= facts.steps:
                    found.append((facts.number, block, start))
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    context=st.integers(1, 120),
    short=st.integers(1, 120),
    horizon=st.integers(1, 120),
    channels=st.integers(1, 6),
    every=st.integers(1, 9),
)
def test_windows_are_those_of_the_definition(dataset, context, short, horizon, channels, every):
    data = Data(
        context=context, min_context=min(short, context), horizon=horizon, channels=channels
    )
    index = dataset.windows(Split.train, data)
    expected = by_definition(dataset, data)
    assert len(index) == index.counts[0] == len(expected)
    places = index.places(0, np.arange(len(index)))
    found = zip(places.segment.tolist(), places.block.tolist(), places.start.tolist(), strict=True)
    assert list(found) == expected
    spaced = index.spaced(0, every).tolist()
    assert spaced == [
        number
        for number, (_, _, start) in enumerate(expected)
        if (start - data.min_context) % every == 0
    ]


@pytest.mark.parametrize("window", [-1, 10**6])
def test_a_window_that_is_not_there_is_an_index_error(dataset, window):
    index = dataset.windows(Split.train, Data(context=16, min_context=8, horizon=8))
    with pytest.raises(IndexError):
        index.read(0, [0, window])


def test_series_too_short_for_a_window_give_none(dataset):
    assert dataset.windows(Split.train, Data(context=512, horizon=512)).counts == (0,)
