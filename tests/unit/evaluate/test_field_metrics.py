import numpy as np
import pytest

from forgia_hpc.data.fields.layout import Axis, Grid
from forgia_hpc.evaluate.field_metrics import band_errors, drift, rmse, volumes, vrmse

RANDOM = np.random.default_rng(3)
ALL = np.ones((12, 12), bool)
WALLS, RINGS = np.zeros(2, bool), np.ones(2, bool)


def test_vrmse_is_the_error_over_the_deviation_in_space():
    truth, predicted = RANDOM.normal(5, 3, (2, 4, 3, 12, 12))
    found = vrmse(truth, predicted, ALL)
    error = np.sqrt(((predicted - truth) ** 2).mean((-1, -2)))
    np.testing.assert_allclose(found, error / truth.std((-1, -2), ddof=1), rtol=1e-6)
    np.testing.assert_allclose(rmse(truth, predicted, ALL), error)
    assert found.shape == (4, 3)
    assert (vrmse(truth, truth, ALL) == 0).all()


def test_the_mean_of_the_truth_scores_one_and_a_flat_field_is_no_division_by_zero():
    truth = RANDOM.normal(5, 3, (1, 1, 12, 12))
    mean = np.full_like(truth, truth.mean())
    assert vrmse(truth, mean, ALL)[0, 0] == pytest.approx(1.0, rel=0.01)
    assert np.isfinite(vrmse(mean, mean + 1, ALL)).all()


def test_cells_outside_and_missing_ones_do_not_count():
    truth = RANDOM.normal(5, 3, (1, 1, 12, 12))
    predicted, inside = truth + 1.0, ALL.copy()
    inside[6:] = False
    predicted[..., 6:, :] = np.nan
    truth[0, 0, 0, 0] = np.nan
    kept = np.delete(truth[0, 0, :6].ravel(), 0)
    assert vrmse(truth, predicted, inside)[0, 0] == pytest.approx(1 / kept.std(ddof=1))
    assert drift(truth, predicted, inside, np.array([2.0]))[0, 0] == pytest.approx(0.5)
    assert np.isfinite(band_errors(truth, predicted, inside, WALLS)).all()


def test_what_is_only_moved_about_does_not_drift():
    truth = RANDOM.normal(5, 3, (1, 1, 12, 12))
    assert drift(truth, truth[..., ::-1], ALL, np.array([1.0]))[0, 0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("waves", "band"), [(1, 0), (3, 1), (6, 2)])
def test_an_error_of_one_wavelength_stands_in_its_band(waves, band):
    at = np.arange(12) / 12 * 2 * np.pi
    truth = sum(np.cos(each * at)[None] for each in (1, 3, 6)) + np.zeros((12, 1))
    predicted = truth + 0.1 * np.cos(waves * at)
    found = band_errors(truth[None, None], predicted[None, None], ALL, RINGS)[0, 0]
    assert found[band] == pytest.approx(0.1, rel=1e-3)
    assert np.delete(found, band).max() < 1e-6


def test_a_slope_is_no_jump_where_the_axis_ends():
    truth = RANDOM.normal(0, 1, (1, 1, 12, 12))
    predicted = truth + np.linspace(-1, 1, 12)[:, None]
    walls, rings = (band_errors(truth, predicted, ALL, each)[0, 0] for each in (WALLS, RINGS))
    assert walls[2] < 0.5 * rings[2]


def turned(kind, *names, first=0.5):
    axes = [Axis(name=name, coordinates=np.arange(4) + first) for name in names]
    return Grid(axes=tuple(axes), kind=kind)


def test_cells_about_an_axis_or_a_centre_count_by_their_volume():
    of = np.array([1, 3, 5, 7]) / 4
    np.testing.assert_allclose(volumes(turned("cylindrical", "z", "r")), np.tile(of, (4, 1)))
    of = np.array([1, 7, 19, 37]) / 16
    np.testing.assert_allclose(volumes(turned("spherical", "r")), of)
    hollow = np.array([9, 11, 13, 15]) / 12  # from 4 to 8
    np.testing.assert_allclose(volumes(turned("cylindrical", "z", "r", first=4.5))[0], hollow)
    for names in (("z", "r"), ("y", "x"), ("r",)):
        assert (volumes(turned("cartesian", *names)) == 1).all()


def test_an_error_at_the_rim_weighs_more_than_one_at_the_axis():
    counts = volumes(turned("cylindrical", "z", "r"))
    truth = RANDOM.normal(5, 3, (1, 1, 4, 4))
    rim, axis = truth.copy(), truth.copy()
    rim[..., -1] += 1
    axis[..., 0] += 1
    assert rmse(truth, rim, counts)[0, 0] == pytest.approx(np.sqrt(7 / 16))
    assert rmse(truth, axis, counts)[0, 0] == pytest.approx(np.sqrt(1 / 16))
    ratio = vrmse(truth, rim, counts) / vrmse(truth, axis, counts)
    assert ratio[0, 0] == pytest.approx(np.sqrt(7))
    assert drift(truth, rim, counts, np.array([1.0]))[0, 0] == pytest.approx(7 / 16)


def test_a_field_that_is_zero_all_over_has_no_waves_to_compare_with():
    truth = np.zeros((1, 1, 12, 12))
    assert np.isnan(band_errors(truth, truth + 100.0, ALL, WALLS)).all()
    assert np.isfinite(vrmse(truth, truth + 100.0, ALL)).all()
