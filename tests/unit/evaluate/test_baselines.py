import numpy as np
import pytest

from forgia_hpc.evaluate.baselines import fit_linear, seasonal_naive

LEVELS = np.array([0.1, 0.5, 0.9])
NAN = np.nan


def of(row, season, horizon):
    return seasonal_naive(np.array([row], dtype=float), np.array([season]), horizon, LEVELS)[0]


def test_the_median_repeats_the_last_season():
    assert of([9, 9, 9, 1, 2, 3], 3, 7)[1].tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_a_gap_takes_the_same_phase_of_an_earlier_season_else_the_last_value():
    assert of([7, 8, 9, 1, NAN, 3], 3, 3)[1].tolist() == [1, 8, 3]
    assert of([7, NAN, 9, 1, NAN, 3], 3, 3)[1].tolist() == [1, 3, 3]


def test_the_bands_widen_with_the_root_of_the_seasons_ahead():
    bands = of([0, 0, 2, 2, 4, 4], 2, 6)
    width = bands[2] - bands[0]
    np.testing.assert_allclose(width, 2 * 1.2815515 * 2 * np.sqrt([1, 1, 2, 2, 3, 3]), rtol=1e-6)


def test_nothing_measured_gives_nothing():
    assert np.isnan(of([NAN, NAN, NAN], 1, 2)).all()


def test_the_bands_of_a_random_walk_hold_what_they_promise():
    steps = np.random.default_rng(0).normal(size=(400, 130)).cumsum(axis=1)
    bands = seasonal_naive(steps[:, :120], np.ones(400, dtype=np.int64), 10, LEVELS)
    held = (steps[:, 120:] >= bands[:, 0]) & (steps[:, 120:] <= bands[:, 2])
    assert held.mean() == pytest.approx(0.8, abs=0.04)


def ones(rows):
    return np.ones(len(rows), dtype=np.int64)


def waves(series, seed):
    random = np.random.default_rng(seed)
    time = np.arange(80)
    phase, size = random.uniform(0, 6.28, (series, 1)), random.uniform(1, 50, (series, 1))
    noise = random.normal(size=(series, 80))
    return size * (10 + np.sin(2 * np.pi * time / 16 + phase) + 0.1 * noise)


def test_the_linear_forecast_learns_waves_of_any_size_and_its_bands_hold():
    train, test = waves(500, 0), waves(200, 1)
    linear = fit_linear(train[:, :64], ones(train), train[:, 64:], LEVELS)
    bands = linear.forecast(test[:, :64], ones(test))
    assert bands.shape == (200, 3, 16)
    size = np.ptp(test, axis=1)[:, None]
    assert (np.abs(bands[:, 1] - test[:, 64:]) / size).mean() < 0.07
    held = (test[:, 64:] >= bands[:, 0]) & (test[:, 64:] <= bands[:, 2])
    assert held.mean() == pytest.approx(0.8, abs=0.05)


def test_the_linear_forecast_bears_gaps_constants_and_silence():
    train = waves(500, 0)
    train[np.random.default_rng(2).random(train.shape) < 0.05] = NAN
    train[:20] = 3.0
    train[20:40] = NAN
    linear = fit_linear(train[:, :64], ones(train), train[:, 64:], LEVELS)
    odd = np.array([np.full(64, 7.25), np.full(64, NAN), np.r_[np.full(60, NAN), 1, 2, 3, 4]])
    forecast = linear.forecast(odd, ones(odd))
    assert np.isfinite(forecast).all()
    assert (forecast[0] == 7.25).all()


def test_too_few_rows_are_no_fit():
    train = waves(30, 0)
    assert fit_linear(train[:, :64], ones(train), train[:, 64:], LEVELS) is None
