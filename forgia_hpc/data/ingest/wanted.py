"""What a recipe wants beside its tables: labels, the split, and our own generator's raw files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class LabelSpec:
    """Where marks come from; which keys a kind needs stands in labels.py."""

    kind: Literal["windows", "table", "stretch", "end_of_run", "remaining"]
    code: str = ""
    file: str = ""
    key: str = ""  # windows: the key of the list in the JSON file
    assets: tuple[str, ...] = ()  # patterns such as `train-*`
    format: str = ""  # of strptime
    first: int = 0  # stretch: first step; the last is the run's last
    value: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """Held-out machines, and of every other machine the last share of its time."""

    machines: tuple[str, ...] = ()  # patterns such as `test-*`
    time_share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """A policy of the card for some of the data, whatever their table says; of several that fit, the last."""

    policy: str
    groups: tuple[str, ...] = ()  # none: all
    machines: tuple[str, ...] = ()  # patterns such as `test-*`
    splits: tuple[Literal["train", "held_out_time", "held_out_machines"], ...] = ()


@dataclass(frozen=True, kw_only=True)
class GeneratorSpec:
    """Our own generator writes the raw files: deterministic by seed."""

    machine: Literal["press", "furnace", "compressor"]
    seed: int
    machines: int
    steps: int
