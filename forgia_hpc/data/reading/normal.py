"""Normalisation from the statistics that were sealed with the data: no pass over the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.layout import Split
from forgia_hpc.data.packed import Table
from forgia_hpc.data.reading.arrays import Ints
from forgia_hpc.data.reading.decode import Floats
from forgia_hpc.data.reading.opened import OpenContribution

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Count, mean and standard deviation of each channel; mean 0 and deviation 0 where nothing was measured."""

    n: Ints
    mean: Numbers
    deviation: Numbers


def merged(stats: Table) -> Moments:
    """Merge statistics (shard, channel) into (channel,), by Chan, Golub and LeVeque's formula for many parts."""
    n = stats["n"].sum(axis=0)
    many = np.maximum(n, 1)
    mean = (stats["n"] * stats["mean"]).sum(axis=0) / many
    m2 = (stats["m2"] + stats["n"] * (stats["mean"] - mean) ** 2).sum(axis=0)
    return Moments(n, np.where(n > 0, mean, 0.0), np.sqrt(np.where(n > 0, m2, 0.0) / many))


def moments_of(source: OpenContribution) -> Moments:
    """Return a contribution's moments over its granted training shards; over all granted where there is none.

    Held-out data must not leak into what training sees.
    """
    index = source.index
    granted = sorted(source.granted)
    training = [shard for shard in granted if index.split_of(shard) is Split.train]
    stats = index.stats.reshape(len(index.shards), len(index.channels))
    return merged(stats[training or granted])


class Normal:
    """(value - mean) / deviation, a pair a series; a channel that stood still keeps its scale."""

    def __init__(self, moments: Moments, channel: Ints) -> None:
        """Spread the moments of channels over the table of series."""
        scale = np.where(moments.deviation > 0, moments.deviation, 1.0)
        self._mean = moments.mean[channel].astype("<f4")
        self._scale = scale[channel].astype("<f4")

    def apply(self, values: Floats, series: Ints) -> None:
        """Normalise rows (row, time) in place; NaN stays NaN."""
        np.subtract(values, self._mean[series][:, None], out=values)
        np.divide(values, self._scale[series][:, None], out=values)

    def undo(self, values: Floats, series: Ints) -> None:
        """Return rows to physical values, in place."""
        np.multiply(values, self._scale[series][:, None], out=values)
        np.add(values, self._mean[series][:, None], out=values)


def normal_of(source: OpenContribution) -> Normal:
    """Return the normalisation of a contribution's series."""
    return Normal(moments_of(source), source.index.series["channel"].astype(np.int64))
