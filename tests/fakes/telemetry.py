"""Small made-up contributions with rough edges: gaps, three storages, roles, short segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from forgia_hpc.data.layout import Channel, Contribution, Mark, Segment, Split
from forgia_hpc.data.writer import seal

NS = 10**9
T0 = 1_600_000_000 * NS
IRI = "https://forgia.example/quantity/"

CHANNELS = (
    Channel(
        name="temperature",
        ucum="Cel",
        quantity="temperature",
        semantic_id=IRI + "temperature",
        scale=0.01,
        zero=-40.0,
    ),
    Channel(name="counter", ucum="1", quantity="count", semantic_id=IRI + "count", scale=0.001),
    Channel(name="vibration", ucum="m/s2", quantity="acceleration", semantic_id=IRI + "a"),
    Channel(
        name="mode",
        ucum="1",
        quantity="state",
        semantic_id=IRI + "mode",
        scale=1.0,
        role="setting",
        codes=("idle", "run"),
    ),
    Channel(
        name="fault", ucum="1", quantity="state", semantic_id=IRI + "fault", scale=1.0, role="label"
    ),
)


def values(rng: np.random.Generator, steps: int) -> np.ndarray:
    """(channel, time) of CHANNELS, with gaps in all but the label."""
    found = np.stack(
        [
            np.round(rng.normal(20, 5, steps), 2),
            np.round(rng.uniform(0, 5e4, steps), 3),
            rng.normal(0, 1, steps),
            rng.integers(0, 2, steps).astype(float),
            rng.integers(0, 2, steps).astype(float),
        ]
    )
    found[:4][rng.random((4, steps)) < 0.05] = np.nan
    return found


def segment(
    rng: np.random.Generator, asset: str, split: Split, steps: int, first: int = 0
) -> Segment:
    """A stretch of one machine, 5 min a step, beginning at a step of its own clock."""
    return Segment(
        asset=asset,
        group="process",
        split=split,
        channels=CHANNELS,
        values=values(rng, steps),
        t0_ns=T0 + first * 300 * NS,
        rate_num=1,
        rate_den=300,
    )


def contribution(name: str = "mill", seed: int = 0, steps: int = 400) -> Contribution:
    """Two machines; the first one's end, and the second one, are held out."""
    rng = np.random.default_rng(seed)
    return Contribution(
        name=name,
        contributor="acme",
        segments=(
            segment(rng, "press", Split.train, steps),
            segment(rng, "press", Split.held_out_time, steps // 4, first=steps + 7),
            segment(rng, "oven", Split.held_out_machines, steps // 2),
            segment(rng, "saw", Split.train, 60),
        ),
        marks=(
            Mark(asset="press", code="failure", first=steps - 10, last=steps + 20),
            Mark(asset="oven", code="service", first=3, last=3, value=2.0),
            Mark(asset="press", code="service", first=10**6, last=10**6),
        ),
        season_steps={"process": 288},
        provenance={"sources": [{"path": "made up", "seed": seed}]},
    )


def card(name: str = "mill", **more: object) -> dict[str, object]:
    """The card of a contribution of `contribution`."""
    return {
        "format": "forgia.card/1",
        "name": name,
        "title": "A mill",
        "contributor": "acme",
        "description": "Made up for tests.",
        "licence": "MIT",
        "source": "tests/fakes/telemetry.py",
        **more,
    }


def sealed(root: Path, name: str = "mill", seed: int = 0, **more: object) -> Path:
    """Seal a contribution under a root and return its directory; `more` goes to the card."""
    seal(contribution(name, seed), card(name, **more), root / name)
    return root / name
