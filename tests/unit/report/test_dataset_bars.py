"""The error bars of a simulated dataset, as its page and the terminal say them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from forgia_hpc.report.dataset_bars import error_bars, error_rows, shown


def contribution(refinement: Any, low: float = 20.0) -> Any:
    channel = SimpleNamespace(
        channel=SimpleNamespace(name="temperature", ucum="Cel"), low=low, high=90.0
    )
    manifest = SimpleNamespace(provenance={"refinement": refinement} if refinement else {})
    return SimpleNamespace(manifest=manifest, channels=[channel])


def test_an_error_of_a_temperature_is_a_difference_in_kelvin() -> None:
    one = contribution({"errors": {"temperature": {"rms": 0.25, "max": 2.5}}, "order": 2})
    assert error_rows(one) == [("Error of temperature", "0.250 K rms, 2.50 K at most")]
    assert error_bars(one) == {"temperature": {"rms": 0.25, "max": 2.5}}


def test_a_dataset_without_refined_members_says_nothing() -> None:
    assert error_rows(contribution(None)) == []


@pytest.mark.parametrize(
    ("low", "why"), [(20.0, "the same on both meshes"), (90.0, "one number all over")]
)
def test_an_error_that_refinement_could_not_show_is_no_error_of_0(low: float, why: str) -> None:
    one = contribution({"errors": {"temperature": {"rms": 0.0, "max": 0.0}}}, low)
    [(_, said)] = error_rows(one)
    assert said.startswith("no error bar: ")
    assert why in said
    assert shown({"rms": 0.0, "max": 0.0}) is None
    assert shown({"rms": 0.0, "max": 1e-9}) == {"rms": 0.0, "max": 1e-9}
