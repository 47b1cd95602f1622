"""Boiling curves against the textbook's worked numbers; a user's curve by its corners; moving sources."""

from __future__ import annotations

import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.boiling import (
    WATER,
    Curve,
    critical,
    film,
    nucleate,
    pool_boiling,
    smallest,
)
from forgia_hpc.simulate.heat.sources import MovingGaussian
from forgia_hpc.simulate.heat.tables import value


def test_water_as_incropera_has_it() -> None:
    # Incropera and DeWitt, example 10.1 (118 °C, polished copper) and 10.1's comments; 18.9 kW/m² from (10.7)
    assert float(nucleate(WATER, np.array(18.0))) == pytest.approx(836e3, rel=2e-3)
    assert critical(WATER) == pytest.approx(1.26e6, rel=3e-3)
    assert smallest(WATER) == pytest.approx(18.9e3, rel=5e-3)


def test_pool_boiling_meets_its_regimes() -> None:
    curve = pool_boiling(WATER, convection=50.0)
    at, h = np.array(curve.temperature), np.array(curve.values)
    flux = h * (at - 100.0)
    assert np.all(np.diff(at) > 0)
    assert flux.max() == pytest.approx(critical(WATER), rel=1e-6)
    after = flux[flux.argmax() :]
    assert after.min() == pytest.approx(smallest(WATER), rel=1e-6)
    assert value(curve, 60.0) == 50.0
    assert float(value(curve, 900.0)) * 800 == pytest.approx(
        float(film(WATER, np.array(800.0))), rel=2e-3
    )
    with pytest.raises(InputError, match="above 0"):
        pool_boiling(WATER, convection=0.0)


def test_a_curve_by_its_corners() -> None:
    words = {"convection": 400.0, "boils": 100.0, "peak": 9000.0, "peak_at": 300.0, "film": 300.0}
    curve = Curve(**words, leidenfrost=700.0).table()
    assert value(curve, [20.0, 300.0, 500.0, 900.0]).tolist() == [400.0, 9000.0, 4650.0, 300.0]
    with pytest.raises(InputError, match="boils < peak_at < leidenfrost"):
        Curve(**words, leidenfrost=200.0)
    with pytest.raises(InputError, match="each h above 0"):
        Curve(**{**words, "film": -1.0}, leidenfrost=700.0)


def test_a_beam_holds_its_power_and_runs() -> None:
    beam = MovingGaussian(power=160.0, speed=0.5, sigma=0.1, start=(0.0, 0.0, 0.5), end_s=2.0)
    axis = np.arange(-1.0, 2.0, 0.05) + 0.025
    cells = (axis[:, None, None], axis[:, None], axis)
    for seconds in (0.0, 1.0):
        density = beam(seconds, cells)
        assert density.sum() * 0.05**3 == pytest.approx(160.0, rel=1e-6)
        peak = np.unravel_index(density.argmax(), density.shape)
        assert abs(axis[peak[2]] - (0.5 + 0.5 * seconds)) < 0.03
    assert float(beam(2.0, cells)) == 0.0
    with pytest.raises(InputError, match=r"source.sigma: got 0.0, above 0 m"):
        MovingGaussian(power=1.0, speed=1.0, sigma=0.0, start=(0, 0, 0))
