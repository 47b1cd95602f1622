from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.telemetry import CHANNELS, card, contribution, segment
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.data.layout import Channel, Segment, Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.resample import make_filter
from forgia_hpc.data.reading.windows import Batch
from forgia_hpc.data.writer import seal
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data

SINE = Channel(name="sine", ucum="1", quantity="ratio", semantic_id="https://forgia.example/x")


def sealed(root: Path, values: np.ndarray, rate: Fraction, channels: tuple[Channel, ...]) -> Path:
    one = Segment(
        asset="press",
        group="fast",
        split=Split.train,
        channels=channels,
        values=values,
        t0_ns=None,
        rate_num=rate.numerator,
        rate_den=rate.denominator,
    )
    whole = replace(contribution(), segments=(one,), marks=(), season_steps={"fast": 288})
    seal(whole, card(), root / "mill")
    return root / "mill"


def read(directory: Path, rate: str, length: int, window: int = 0) -> Batch:
    data = Data(context=length - 1, min_context=length - 1, horizon=1, rate_hz=rate)
    with open_dataset(directory) as dataset:
        return dataset.windows(Split.train, data).read(0, [window])


@pytest.mark.parametrize("rate", ["200", "100", "25", "256/5", "30"])
def test_a_slow_sine_is_the_same_sine_on_every_grid(tmp_path: Path, rate: str) -> None:
    clock = np.arange(4000) / 100
    directory = sealed(tmp_path, np.sin(clock)[None], Fraction(100), (SINE,))
    batch = read(directory, rate, 300, window=200)
    when = (200 + np.arange(300)) / float(Fraction(rate))
    np.testing.assert_allclose(batch.values[0], np.sin(when), atol=2e-3)


def test_what_is_above_the_new_nyquist_frequency_does_not_fold_back(tmp_path: Path) -> None:
    clock = np.arange(8000) / 100
    directory = sealed(tmp_path, np.sin(2 * np.pi * 38 * clock)[None], Fraction(100), (SINE,))
    batch = read(
        directory, "20", 800, window=300
    )  # every fifth value alone would be a sine of 2 Hz
    assert np.abs(batch.values[0]).max() < 0.01


def test_the_windows_of_a_grid_are_counted_on_it(tmp_path: Path) -> None:
    directory = sealed(tmp_path, np.zeros((1, 1000)), Fraction(100), (SINE,))
    for rate, steps in (("", 1000), ("200", 1999), ("50", 500), ("1/2", 5), ("30", 300)):
        data = Data(context=3, min_context=2, horizon=1, rate_hz=rate)
        with open_dataset(directory) as dataset:
            index = dataset.windows(Split.train, data)
            assert len(index) == steps - 2
            last = index.read(0, [len(index) - 1])
            assert np.isfinite(last.values).all()
            assert last.start.tolist() == [steps - 1]


def test_gaps_follow_and_texts_are_held(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = segment(rng, "press", Split.train, 400)
    directory = sealed(tmp_path, one.values, Fraction(1, 300), CHANNELS)
    batch = read(directory, "1/150", 400, window=100)  # twice as fine
    plain = read(directory, "", 200, window=50)
    for fine, coarse, name in zip(batch.values, plain.values, batch.channel, strict=True):
        np.testing.assert_allclose(fine[::2], coarse, rtol=1e-6)
        if name == "mode":
            np.testing.assert_array_equal(fine[1::2], coarse)
        else:
            between = (coarse[:-1] + coarse[1:]) / 2
            np.testing.assert_allclose(fine[1:-1:2], between, rtol=1e-4, atol=1e-4)
    assert batch.season.tolist() == [576] * len(batch.season)


def test_a_window_is_the_same_whoever_it_is_read_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    directory = sealed(tmp_path, rng.normal(size=(1, 500)), Fraction(7, 3), (SINE,))
    data = Data(context=20, min_context=5, horizon=4, rate_hz="1.3")
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, data)
        whole = index.read(0, np.arange(len(index)))
        for window in (0, 1, 100, len(index) - 1):
            alone = index.read(0, [window])
            np.testing.assert_array_equal(alone.values[0], whole.values[window])
        shifted = whole.values[15:, :-1] == whole.values[14:-1, 1:]
        assert shifted.all()  # neighbours overlap


@pytest.mark.parametrize("rate", ["0", "-3", "fast", "1/0"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(InputError, match="rate_hz"):
        Data(rate_hz=rate)


def test_a_grid_beyond_reason_is_refused(tmp_path: Path) -> None:
    directory = sealed(tmp_path, np.zeros((1, 1000)), Fraction(100), (SINE,))
    with pytest.raises(InputError, match="beyond 4096"):
        read(directory, "1/100000", 2)


@given(st.integers(1, 60), st.integers(1, 60))
def test_every_phase_of_a_filter_weighs_one(up: int, down: int) -> None:
    ratio = Fraction(up, down)
    found = make_filter(ratio.numerator, ratio.denominator, held=False)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0)
    level = np.full((2, found.span(9)), 3.0, np.float32)
    np.testing.assert_allclose(found.apply(level, np.array([0, found.up - 1]), 9), 3.0)
