"""The error bars of a simulated dataset, as its page and the terminal say them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from forgia_hpc.report.dataset_bars import error_bars, error_rows


def contribution(refinement: Any) -> Any:
    channel = SimpleNamespace(channel=SimpleNamespace(name="temperature", ucum="Cel"))
    manifest = SimpleNamespace(provenance={"refinement": refinement} if refinement else {})
    return SimpleNamespace(manifest=manifest, channels=[channel])


def test_an_error_of_a_temperature_is_a_difference_in_kelvin() -> None:
    one = contribution({"errors": {"temperature": {"rms": 0.25, "max": 2.5}}, "order": 2})
    assert error_rows(one) == [("Error of temperature", "0.250 K rms, 2.50 K at most")]
    assert error_bars(one) == {"temperature": {"rms": 0.25, "max": 2.5}}


def test_a_dataset_without_refined_members_says_nothing() -> None:
    assert error_rows(contribution(None)) == []
