import numpy as np
import pytest

from forgia_hpc.evaluate.anomaly import fit_pca, forecast_score, roc_auc, smoothed, thinned

LEVELS = np.array([0.1, 0.5, 0.9])
NAN = np.nan
BAND = np.array([[[-1.0], [0.0], [1.0]]]).repeat(4, axis=2)
CALM = np.random.default_rng(0).normal(size=(1, 50))


def score(*truth):
    return forecast_score(np.array([truth], dtype=float), BAND, LEVELS, CALM)


def test_the_score_grows_with_the_distance_on_either_side():
    below, inside, above, far = score(-5, 0, 5, 50)
    assert inside < above < far
    assert below == pytest.approx(above)


def test_a_missing_step_has_no_score_and_one_missing_channel_none_either():
    assert np.isnan(score(NAN, 0, 0, 0)[0])
    truth = np.array([[5.0, 5, 5, 5], [NAN, NAN, NAN, NAN]])
    both = forecast_score(truth, BAND.repeat(2, axis=0), LEVELS, CALM.repeat(2, axis=0))
    np.testing.assert_allclose(both, score(5, 5, 5, 5))


def test_a_channel_in_other_units_counts_the_same():
    one = forecast_score(np.array([[5.0] * 4]) * 1e6, BAND * 1e6, LEVELS, CALM * 1e6)
    np.testing.assert_allclose(one, score(5, 5, 5, 5))


def test_a_band_of_no_width_stays_finite():
    assert np.isfinite(forecast_score(np.array([[1.0] * 4]), BAND * 0, LEVELS, CALM * 0)).all()


def test_smoothing_looks_only_back_and_bears_gaps():
    scores = np.array([NAN, 0, 0, 8, NAN, 0])
    found = smoothed(scores, span=3)
    assert found.tolist() == [0, 0, 0, 4, 4, 2]
    later = scores.copy()
    later[5] = 99
    assert smoothed(later, span=3)[:5].tolist() == found[:5].tolist()


def test_auc_of_known_rankings():
    labels = np.array([False, False, True, True])
    assert roc_auc(np.array([1.0, 2, 3, 4]), labels) == 1.0
    assert roc_auc(np.array([4.0, 3, 2, 1]), labels) == 0.0
    assert roc_auc(np.array([1.0, 1, 1, 1]), labels) == 0.5
    assert roc_auc(np.array([1.0, 3, 2, 4]), labels) == 0.75
    assert roc_auc(np.array([1.0, 2, 3, 4]), np.zeros(4, dtype=bool)) is None


def test_thinning_keeps_the_peaks():
    scores = np.zeros(1001)
    scores[777] = 5
    thin, stride = thinned(scores)
    assert (len(thin), stride, max(thin)) == (334, 3, 5)
    assert thin[777 // 3] == 5
    assert thinned(np.zeros(0)) == ([], 1)


def test_pca_finds_a_broken_correlation_that_no_single_channel_shows():
    random = np.random.default_rng(0)
    common = random.normal(size=(500, 1))
    normal = common * [1, 2, -1] + 0.05 * random.normal(size=(500, 3)) + [10, 0, 1e3]
    reference = fit_pca(normal)
    odd = normal[:50].copy()
    odd[:, 2] = 2 * 1e3 - odd[:, 2]  # the third channel turns with the others instead of against
    labels = np.repeat([False, True], 50)
    both = np.concatenate([normal[:50], odd])
    assert roc_auc(reference.score(both), labels) > 0.9


def test_pca_bears_gaps_and_says_no_where_nothing_varies():
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 4))
    rows[:, 3] = 7.0
    rows[random.random(rows.shape) < 0.1] = NAN
    assert np.isfinite(fit_pca(rows).score(rows)).all()
    assert fit_pca(np.full((200, 2), 7.0)) is None
    assert fit_pca(rows[:11]) is None
