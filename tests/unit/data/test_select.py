from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.telemetry import IRI, sealed

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.reading.normal import merged, moments_of
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data

DATA = Data(context=48, min_context=8, horizon=16, channels=3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with open_dataset(sealed(tmp_path_factory.mktemp("data"))) as opened:
        yield opened


@pytest.mark.parametrize("word", ["vibration", IRI + "a"])
def test_a_channel_is_chosen_by_name_or_semantic_id(dataset: Dataset, word: str) -> None:
    whole = dataset.windows(Split.train, replace(DATA, channels=8))
    some = dataset.windows(Split.train, replace(DATA, select=[word]))
    batch = some.read(0, np.arange(10))
    assert set(batch.channel) == {"vibration"}
    same = whole.read(0, np.arange(10))
    rows = [at for at, name in enumerate(same.channel) if name == "vibration"]
    np.testing.assert_array_equal(batch.values, same.values[rows])


def test_blocks_are_cut_from_the_chosen_channels(dataset: Dataset) -> None:
    data = replace(DATA, select=["temperature", "mode"], channels=1)
    index = dataset.windows(Split.train, data)
    first = index.read(0, np.flatnonzero(index.places(0, np.arange(len(index))).block == 1)[:1])
    assert first.channel == ("mode",)


@pytest.mark.parametrize("word", ["fault", "temperatur"])
def test_a_word_that_chooses_nothing_is_refused(dataset: Dataset, word: str) -> None:
    with pytest.raises(InputError, match=rf"data\.select.*{word}"):
        dataset.windows(Split.train, replace(DATA, select=[word, "mode"]))


def test_the_mask_says_where_something_was_measured(dataset: Dataset) -> None:
    batch = dataset.windows(Split.train, DATA).read(0, [0, 60])
    assert batch.valid.dtype == np.bool_
    np.testing.assert_array_equal(batch.valid, np.isfinite(batch.values))
    assert not batch.valid[0, :40].any()  # before the segment begins
    assert 0 < batch.valid[3].mean() < 1


def test_values_are_written_where_the_caller_wants_them(dataset: Dataset) -> None:
    index = dataset.windows(Split.train, DATA)
    pairs = np.array([[0, 5], [0, 400], [0, 17]])
    buffer = np.zeros((12, 64), np.float32)
    batch = index.gather(pairs, out=buffer)
    assert np.shares_memory(batch.values, buffer)
    np.testing.assert_array_equal(batch.values, index.gather(pairs).values)


def test_normalised_values_have_the_moments_of_the_training_shards(dataset: Dataset) -> None:
    plain = dataset.windows(Split.train, DATA).read(0, np.arange(0, 700, 7))
    normal = dataset.windows(Split.train, replace(DATA, normalise="channel")).read(
        0, np.arange(0, 700, 7)
    )
    moments = moments_of(dataset.sources[0])
    names = [entry.channel.name for entry in dataset.sources[0].index.channels]
    for row, name in enumerate(plain.channel):
        at = names.index(name)
        expected = (plain.values[row] - moments.mean[at]) / moments.deviation[at]
        np.testing.assert_allclose(normal.values[row], expected, rtol=1e-4, atol=1e-5)
    segments = [
        dataset.segment("mill", facts.number) for facts in dataset.segments("mill", Split.train)
    ]
    measured = np.concatenate([one.values[0] for one in segments])
    assert moments.mean[0] == pytest.approx(np.nanmean(measured))
    assert moments.deviation[0] == pytest.approx(np.nanstd(measured))


def test_statistics_merge_where_parts_are_empty_or_far_apart() -> None:
    dtype = [("n", "<i8"), ("mean", "<f8"), ("m2", "<f8")]
    parts = [np.array([1.0, 2.0]), np.array([]), np.array([1e6, 1e6 + 4])]
    stats = np.zeros((3, 2), dtype)
    for row, values in enumerate(parts):
        n, mean = len(values), values.mean() if len(values) else 0.0
        stats[row, 0] = (n, mean, ((values - mean) ** 2).sum())
    found = merged(stats)
    every = np.concatenate(parts)
    assert found.n.tolist() == [4, 0]
    assert found.mean[0] == pytest.approx(every.mean())
    assert found.deviation[0] == pytest.approx(every.std())
    assert (found.mean[1], found.deviation[1]) == (0.0, 0.0)


def test_a_channel_that_stood_still_is_shifted_only(tmp_path: Path) -> None:
    from forgia_hpc.data.reading.normal import Moments, Normal

    normal = Normal(Moments(np.array([3]), np.array([5.0]), np.array([0.0])), np.array([0, 0]))
    values = np.array([[5.0, np.nan], [7.0, 5.0]], np.float32)
    normal.apply(values, np.array([0, 1]))
    np.testing.assert_array_equal(values, np.array([[0.0, np.nan], [2.0, 0.0]], np.float32))
    normal.undo(values, np.array([0, 1]))
    np.testing.assert_array_equal(values, np.array([[5.0, np.nan], [7.0, 5.0]], np.float32))
