"""The numerical error of a simulated dataset, as a campaign's refined members showed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forgia_hpc.report.dataset_words import ContributionFacts
from forgia_hpc.report.figures import significant


def error_bars(one: ContributionFacts) -> Mapping[str, Mapping[str, float]]:
    """Return by field {"rms", "max"} in its unit; empty where no member was refined."""
    refinement: Any = one.manifest.provenance.get("refinement") or {}
    found: Mapping[str, Mapping[str, float]] = refinement.get("errors") or {}
    return found


def error_rows(one: ContributionFacts) -> list[tuple[str, str]]:
    """Return a row a field, as the page and the terminal have it."""
    units = {entry.channel.name: entry.channel.ucum for entry in one.channels}
    return [
        (
            f"Error of {name}",
            f"{_told(bar['rms'], units, name)} rms, {_told(bar['max'], units, name)} at most",
        )
        for name, bar in sorted(error_bars(one).items())
    ]


def _told(value: float, units: Mapping[str, str], name: str) -> str:
    """Return an error with its unit: of a temperature in °C it is a difference, in K."""
    unit = {"Cel": "K", "1": ""}.get(units.get(name, ""), units.get(name, ""))
    return f"{significant(value)} {unit}".strip()
