"""The numerical error of a simulated dataset, as a campaign's refined members showed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forgia_hpc.report.dataset_words import ContributionFacts
from forgia_hpc.report.figures import significant


def error_bars(one: ContributionFacts) -> Mapping[str, Mapping[str, float]]:
    """Return by field {"rms", "max"} in its unit; empty where no member was refined."""
    refinement: Any = one.manifest.provenance.get("refinement")
    errors: Any = refinement.get("errors") if isinstance(refinement, Mapping) else None
    found: Mapping[str, Mapping[str, float]] = errors if isinstance(errors, Mapping) else {}
    return found


def error_rows(one: ContributionFacts) -> list[tuple[str, str]]:
    """Return a row a field, as the page and the terminal have it."""
    constant = {entry.channel.name for entry in one.channels if entry.low == entry.high}
    units = {entry.channel.name: entry.channel.ucum for entry in one.channels}
    return [
        (
            f"Error of {name}",
            f"{_told(bar['rms'], units, name)} rms, {_told(bar['max'], units, name)} at most"
            if shown(bar)
            else unshown(varies=name not in constant),
        )
        for name, bar in sorted(error_bars(one).items())
    ]


def shown(bar: Mapping[str, float]) -> dict[str, float] | None:
    """Return an error that refinement has shown; None where both meshes gave the very same: it shows nothing."""
    return dict(bar) if any(bar.values()) else None


def unshown(*, varies: bool) -> str:
    """Return why a field has no error bar. `varies`: the dataset's members have it, the refined ones did not."""
    if not varies:
        return "no error bar: it is one number all over, in all members"
    return "no error bar: the refined members gave the same on both meshes"


def _told(value: float, units: Mapping[str, str], name: str) -> str:
    """Return an error with its unit: of a temperature in °C it is a difference, in K."""
    unit = {"Cel": "K", "1": ""}.get(units.get(name, ""), units.get(name, ""))
    return f"{significant(value)} {unit}".strip()
