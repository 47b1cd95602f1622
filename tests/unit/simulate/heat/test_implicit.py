"""Implicit steps where the temperature's own size says nothing, and where rounding is multiplied."""

from __future__ import annotations

import numpy as np
import pytest

from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Fixed,
    Symmetry,
    constant_material,
    solve,
)
from forgia_hpc.simulate.member import MemberError


def plate(**words: object) -> Case:
    cooled = Convection(h=750.0, ambient=0.0)
    plain = {
        "grid": Box(shape=(10, 6), lengths=(1.0, 0.6)),
        "material": constant_material(52.0, 1.0),
        "boundaries": {
            "x-": Symmetry(),
            "x+": cooled,
            "y-": Fixed(temperature=100.0),
            "y+": cooled,
        },
        "initial": 0.0,
        "end_s": 1.0,
        "scheme": "implicit",
        "step_s": 0.05,
    }
    return Case(**{**plain, **words})


def test_a_start_at_zero_is_as_good_as_any() -> None:
    cold, warm = (solve(plate(initial=start)).temperature[-1] for start in (0.0, 20.0))
    assert np.allclose(cold, warm, rtol=0, atol=1e-7)
    assert cold.max() > 80


def test_nothing_happens_at_zero_in_a_bath_of_zero() -> None:
    still = {side: Convection(h=10.0, ambient=0.0) for side in ("x-", "x+", "y-", "y+")}
    assert not solve(plate(boundaries=still)).temperature.any()


@pytest.mark.parametrize(("dtype", "limits", "off"), [("f64", 1e7, 1e-4), ("f32", 2e3, 0.01)])
def test_a_step_of_very_many_explicit_limits_is_solved(
    dtype: str, limits: float, off: float
) -> None:
    right = solve(plate(end_s=10.0)).temperature[-1]
    limit = solve(plate(end_s=0.05)).facts["explicit_limit_s"]
    step = limit * limits
    got = solve(plate(dtype=dtype, initial=20.0, step_s=step, end_s=20 * step))
    assert np.abs(got.temperature[-1] - right).max() < off


def test_rounding_that_would_show_is_refused() -> None:
    with pytest.raises(MemberError, match="not_converged"):
        solve(plate(dtype="f32", initial=20.0, step_s=1e6, end_s=2e6))
