"""What is said of a dataset, as values: contributions, their splits and channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forgia_hpc.data.card import Card
from forgia_hpc.data.layout import Channel, Split
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.report.dataset_ensemble import ParameterFacts

EXCERPT_STEPS = 240
MOST_EXCERPTS = 400  # channels of a contribution with a plot; beyond, the page stays quick


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """How much of a contribution one split holds."""

    split: Split
    machines: int | None  # None: encrypted, without the key
    segments: int
    series: int
    steps: int
    values: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class ChannelFacts:
    """One channel of a group, over all splits."""

    channel: Channel
    group: str
    step_seconds: tuple[float, ...]  # each rate found
    season_steps: int
    valid: float | None  # share of the steps that hold a value
    mean: float | None
    low: float | None
    high: float | None
    excerpt: list[float | None]  # consecutive steps from the middle of the longest training segment


@dataclass(frozen=True, kw_only=True)
class ContributionFacts:
    """One contribution."""

    manifest: Manifest
    card: Card
    splits: list[SplitFacts]
    channels: list[ChannelFacts]
    machines: int
    marks: dict[str, int]  # code → how often
    first_ns: int | None
    last_ns: int | None
    parameters: list[ParameterFacts] = field(default_factory=list)  # of simulations
    design: Mapping[str, object] = field(default_factory=dict)  # of these, as the ensemble asked
    closed: str = ""  # why no channel is told: encrypted without the key, or withdrawn


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """A contribution, or a consortium of several."""

    manifest: Manifest
    card: Card
    contributions: list[ContributionFacts]
