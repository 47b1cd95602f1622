"""One look at every series before it is stored: what hinders it, its largest number, whether it has gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from forgia_hpc.data import storage
from forgia_hpc.data.layout import Channel, Segment
from forgia_hpc.data.storage import Fault, Values
from forgia_hpc.runtime.world import World

CHUNK = 1 << 15  # values looked at together: they stay in the cache from one operation to the next
_ULP = 2.0**-53  # at most the distance to the next float64, as a share of the number


@dataclass(frozen=True)
class Look:
    """What a series is like. largest: of its whole numbers, 0 where it has no grid."""

    largest: float
    gaps: bool
    faults: tuple[Fault, ...] = ()


Looks = list[list[Look]]  # segment, channel


def look(values: Values, channel: Channel) -> Look:
    """Return what a series (time,) is like; the faults are those of `storage.faults`, found faster."""
    largest, gaps = 0.0, False
    for begin in range(0, len(values), CHUNK):
        one = values[begin : begin + CHUNK]
        missing = np.isnan(one)
        if missing.any():
            gaps, one = True, one[~missing]
        if len(one) and not _sound(one, channel):
            return _slowly(values, channel)
        largest = max(largest, _largest(one, channel))
    return Look(largest, gaps)


def look_at(segments: Sequence[Segment], world: World | None = None) -> Looks:
    """Return the looks at all series; ranks share them."""
    rank, size = (world.rank, world.size) if world is not None else (0, 1)
    pairs = [(n, k) for n, one in enumerate(segments) for k in range(len(one.channels))]
    mine = {
        at: look(segments[at[0]].values[at[1]], segments[at[0]].channels[at[1]])
        for at in pairs[rank::size]
    }
    if world is not None and size > 1:
        told = [[*at, asdict(one)] for at, one in mine.items()]
        for every in world.gather_all(told):
            for n, k, one in every:
                faults = tuple(Fault(**fault) for fault in one["faults"])
                mine[n, k] = Look(one["largest"], one["gaps"], faults)
    found: Looks = [[] for _ in segments]
    for n, k in pairs:
        found[n].append(mine[n, k])
    return found


def _sound(values: Values, channel: Channel) -> bool:
    """Whether valid values are certainly storable; no is only a reason to look closer."""
    low = -np.inf if channel.valid_min is None else channel.valid_min
    high = np.inf if channel.valid_max is None else channel.valid_max
    least, most = values.min(), values.max()
    if not (least >= low and most <= high and np.isfinite(least) and np.isfinite(most)):
        return False
    if channel.scale is None:
        return bool(max(-least, most) <= np.finfo(np.float32).max)
    steps = storage.grid(values, channel)
    if max(-steps.min(), steps.max()) > storage.LARGEST[storage.I32]:
        return False
    steps *= channel.scale
    steps += channel.zero
    steps -= values
    np.abs(steps, out=steps)
    allowed = np.abs(values)
    allowed *= 4 * _ULP
    return bool((steps <= allowed).all())


def _largest(values: Values, channel: Channel) -> float:
    if channel.scale is None or not len(values):
        return 0.0
    ends = storage.grid(np.array([values.min(), values.max()]), channel)
    return float(np.abs(ends).max())  # rounding keeps the order


def _slowly(values: Values, channel: Channel) -> Look:
    largest = 0.0
    if channel.scale is not None:
        largest = float(np.nanmax(np.abs(storage.grid(values, channel)), initial=0))
    gaps = bool(np.isnan(values).any())
    # JSON holds no infinity; a number that large is refused anyway
    kept = largest if np.isfinite(largest) else float(np.finfo(np.float64).max)
    return Look(kept, gaps, tuple(storage.faults(values, channel)))
