"""The words of the telemetry layout, without HDF5: channels, segments, events and labels in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = "forgia.telemetry/1"


class Split(Enum):
    """What a segment may be used for."""

    train = "train"
    held_out_time = "held_out_time"
    held_out_machines = "held_out_machines"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One measured quantity. Physical value = stored integer * scale + zero; scale None: stored as float32."""

    name: str
    ucum: str  # a UCUM code, "1" for none
    quantity: str  # e.g. "temperature"
    semantic_id: (
        str  # an IRI; our own https://forgia.example/… where there is no other with a source
    )
    qudt: str = ""
    scale: float | None = None
    zero: float = 0.0
    valid_min: float | None = None  # physical limits that a value must keep
    valid_max: float | None = None
    role: str = "signal"  # signal | setting | label | target
    codes: tuple[str, ...] = ()  # names of the integers of a channel that was text


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One unbroken stretch of the synchronous channels of one machine.

    values: float64 (channel, time), NaN where nothing valid was measured.
    t0_ns: nanoseconds since 1970 UTC of the first step, or None for a clock by index.
    rate_num/rate_den: steps a second, exactly (5 min: 1/300).
    """

    asset: str
    group: str
    split: Split
    channels: tuple[Channel, ...]
    values: NDArray[np.float64]
    t0_ns: int | None
    rate_num: int
    rate_den: int
    policy: str = ""  # the name of a policy of the card; empty: its only one


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An event or a label: a stretch of one machine's steps with a code and a value.

    first/last are steps of the asset's own clock, counted from its very first step, last included.
    """

    asset: str
    code: str  # e.g. "failure", "fault_4", "remaining_useful_life"
    first: int
    last: int
    value: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """Everything of one contributor, ready to be sealed."""

    name: str
    contributor: str
    segments: tuple[Segment, ...]
    marks: tuple[Mark, ...] = ()
    season_steps: dict[str, int] = field(
        default_factory=dict
    )  # group → steps of a season; 1 where there is none
    provenance: dict[str, object] = field(
        default_factory=dict
    )  # sources with SHA-256, recipe digest, mends with counts
