import numpy as np
import pytest

from forgia_hpc.evaluate.metrics import (
    figures,
    inside,
    quantile_loss,
    seasonal_error,
    usable_season,
)

LEVELS = np.array([0.1, 0.5, 0.9])
NAN = np.nan


def test_the_quantile_loss_of_a_hand_worked_case():
    # y = 10; the 0.1, 0.5 and 0.9 quantiles are 7, 9 and 12: 2*0.1*3, |10-9|, 2*0.1*2
    found = quantile_loss(np.array([[10.0]]), np.array([[[7.0], [9.0], [12.0]]]), LEVELS)
    np.testing.assert_allclose(found[0, :, 0], [0.6, 1.0, 0.4])


def test_the_expected_loss_is_smallest_at_the_true_quantile():
    draws = np.random.default_rng(0).normal(size=20_000)
    guesses = np.linspace(-2, 2, 41)
    loss = [
        quantile_loss(draws[None], np.full((1, 1, draws.size), guess), np.array([0.9])).mean()
        for guess in guesses
    ]
    assert guesses[np.argmin(loss)] == pytest.approx(1.2816, abs=0.1)


@pytest.mark.parametrize(
    ("row", "season", "expected"),
    [
        ([1, 5, 2, 7, 4, 9], 2, np.mean([1, 2, 2, 2])),
        ([1, 5, NAN, 7, 4, 9], 2, np.mean([2, 2])),
        ([NAN, NAN, 1, 3, 6], 4, np.mean([2, 3])),  # no pair four apart was measured: season 1
        ([1, 2, 4], 3, np.mean([1, 2])),  # context no longer than a season: season 1
        ([4, 4, 4, 4], 2, NAN),  # exactly periodic: no scale
        ([NAN, NAN, NAN, NAN], 2, NAN),
        ([NAN, 3, NAN, NAN], 1, NAN),
    ],
)
def test_the_seasonal_error_and_its_edges(row, season, expected):
    found = seasonal_error(np.array([row], dtype=float), np.array([season]))
    np.testing.assert_allclose(found, [expected])


def test_a_season_of_zero_or_less_counts_as_one():
    assert usable_season(np.array([[1.0, 2.0]]), np.array([0])).tolist() == [1]


def test_coverage_interpolates_between_levels_and_never_beyond():
    predicted = np.array([[[0.0], [4.0], [8.0]]])
    assert inside(np.array([[7.0]]), predicted, LEVELS, 0.8).all()
    # the central half lies between 0.25 and 0.75: 1.5 … 6.5
    assert not inside(np.array([[7.0]]), predicted, LEVELS, 0.5).any()
    assert inside(np.array([[6.4]]), predicted, LEVELS, 0.5).all()
    assert inside(np.array([[7.0]]), predicted, LEVELS, 0.95) is None


def test_figures_of_a_hand_worked_window_with_a_gap_and_an_unscalable_series():
    truth = np.array([[10.0, NAN], [5.0, 6.0], [NAN, NAN]])
    predicted = np.repeat(np.array([[[7.0], [9.0], [12.0]]]), 3, axis=0).repeat(2, axis=2)
    found = figures(truth, predicted, LEVELS, np.array([2.0, NAN, 1.0]), [0.8, 0.95])
    assert (found.scored, found.measured, found.inside) == (1, 1, {"0.8": 1})
    assert found.sql == pytest.approx(np.mean([0.6, 1.0, 0.4]) / 2)
    assert found.mase == pytest.approx(1.0 / 2)
    assert found.loss / found.size == pytest.approx(np.mean([0.6, 1.0, 0.4]) / 10)


def test_scaling_a_series_changes_neither_sql_nor_mase():
    random = np.random.default_rng(1)
    context, truth = random.normal(size=(2, 40)), random.normal(size=(2, 8))
    predicted = np.sort(random.normal(size=(2, 3, 8)), axis=1)
    season = np.array([3, 5])
    one, other = (
        figures(truth * by, predicted * by, LEVELS, seasonal_error(context * by, season), [0.8])
        for by in (1.0, 1000.0)
    )
    assert one.sql == pytest.approx(other.sql)
    assert one.mase == pytest.approx(other.mase)
    assert one.inside == other.inside
