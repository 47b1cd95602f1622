"""Stored integers become float32 batches: the rule of the specification, a cacheful at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import storage
from forgia_hpc.data.index import NO_MASK, Index
from forgia_hpc.data.reading.arrays import Ints, Stored

Floats = NDArray[np.float32]


class Decoder:
    """Scale, zero and gaps of every series of a contribution."""

    def __init__(self, index: Index) -> None:
        """Spread the channels' numbers over the table of series."""
        words = [entry.channel for entry in index.channels]
        channel = index.series["channel"]
        self._scale = np.array([1.0 if one.scale is None else one.scale for one in words])[channel]
        self._zero = np.array([one.zero for one in words])[channel]
        self._scale32, self._zero32 = self._scale.astype("<f4"), self._zero.astype("<f4")
        self._gaps = index.series["mask"] != NO_MASK
        # adding 0.0 matters to -0.0 only, which a positive scale never gives
        self._plain = not self._zero32.any() and bool((self._scale32 > 0).all())
        self._whole = not self._gaps.any()

    def decode(self, kind: int, stored: Stored, series: Ints, out: Floats) -> None:
        """Write the values (row, time) of stored numbers into `out`, NaN where nothing was measured.

        i16 decodes in float32 (integers up to 2**15 are exact in it), i32 in float64.
        """
        if kind == storage.F32:
            np.copyto(out, stored)
            return
        if kind == storage.I16:
            np.copyto(out, stored)
            np.multiply(out, self._scale32[series][:, None], out=out)
            if not self._plain:
                np.add(out, self._zero32[series][:, None], out=out)
        else:
            out[:] = stored * self._scale[series][:, None] + self._zero[series][:, None]
        if not self._whole and self._gaps[series].any():
            out[stored == storage.SENTINELS[kind]] = np.nan
