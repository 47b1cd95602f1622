"""What a simulated dataset says of its making: solver, members, those left out, parameters and their ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from forgia_hpc.data.manifest import Manifest
from forgia_hpc.report.figures import count, number, significant, unit, words

PARAMETER_HEAD = ["Parameter", "Unit", "Least", "Largest", "Values"]


@dataclass(frozen=True, kw_only=True)
class ParameterFacts:
    """One input of the simulations, over all that are in the dataset."""

    name: str
    ucum: str
    low: float | None  # None: no simulation has one
    high: float | None
    distinct: int


@dataclass(frozen=True, kw_only=True)
class EnsembleFacts:
    """How a campaign made a contribution, by its manifest."""

    solver: str
    kind: str
    digest: str
    planned: int | None
    left_out: Mapping[str, Mapping[str, Any]]  # member id → its ending, and why
    refined: int


def ensemble_of(manifest: Manifest) -> EnsembleFacts | None:
    """Return how a campaign made it; None where the manifest does not know of one."""
    told: Mapping[str, Any] = manifest.provenance
    solver = told.get("solver")
    if not isinstance(solver, Mapping) or "digest" not in solver:
        return None
    planned = number(_mapping(told.get("members")).get("planned"))
    left_out = _mapping(told.get("left_out"))
    refinement = _mapping(told.get("refinement"))
    return EnsembleFacts(
        solver=str(solver.get("name", "")),
        kind=str(solver.get("kind", "")),
        digest=str(solver["digest"]),
        planned=None if planned is None else int(planned),
        left_out={str(name): _mapping(why) for name, why in left_out.items()},
        refined=len(_mapping(refinement.get("members"))),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping; an empty one of what is none: a manifest may be somebody else's."""
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    """Return a list's entries as texts, and what is no list as one."""
    if value is None:
        return []
    return list(map(str, value)) if isinstance(value, list | tuple) else [str(value)]


def ensemble_rows(
    manifest: Manifest, members: int, design: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Return solver, members, left out and refined, as the page and the terminal have them."""
    one = ensemble_of(manifest)
    if one is None:
        return []
    planned = "" if one.planned is None else f" of {count(one.planned)} planned"
    return [
        ("Solver", f"{one.solver} ({one.kind}), digest {one.digest[:16]}"),
        ("Design", _drawn(design)),
        ("Members", f"{count(members)}{planned}"),
        ("Left out", _causes(one) if one.planned is not None else ""),
        ("Refined", f"{count(one.refined)} for the error bars" if one.refined else ""),
    ]


def ensemble_json(manifest: Manifest) -> dict[str, Any] | None:
    """Return the same for `--json`, complete."""
    one = ensemble_of(manifest)
    return asdict(one) if one else None


def parameter_cells(one: ParameterFacts) -> list[str]:
    """Return the cells of `PARAMETER_HEAD`."""
    ends = ("–" if value is None else significant(value) for value in (one.low, one.high))
    return [one.name, unit(one.ucum) or "–", *ends, count(one.distinct)]


def _drawn(design: Mapping[str, Any]) -> str:
    """Return how the inputs were chosen, and under what constraints."""
    if not design.get("method"):
        return ""
    seed = f", seed {design['seed']}" if design.get("seed") is not None else ""
    return "; ".join([f"{design['method']}{seed}", *_texts(design.get("constraints"))])


def _causes(one: EnsembleFacts) -> str:
    """Return how many were left out, and for what."""
    if not one.left_out:
        return "none"
    why = Counter(
        f"{told.get('ending', 'left out')}: "
        + (
            words(", ".join(_texts(told.get("checks"))))
            or words(str(told.get("failure", "unknown")))
        )
        for told in one.left_out.values()
    )
    causes = "; ".join(f"{count(many)} {cause}" for cause, many in why.most_common())
    return f"{count(len(one.left_out))} ({causes})"
