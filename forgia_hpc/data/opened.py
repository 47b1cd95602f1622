"""One contribution, open: its index, and the mapped arrays of the shards that may be read."""

from __future__ import annotations

import mmap
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import index as index_
from forgia_hpc.data import storage
from forgia_hpc.data.integrity import leaf_count
from forgia_hpc.data.layout import Segment
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.data.mapped import Ints, MappedArray, map_file

NOT_GRANTED = -1


class OpenContribution:
    """Reads series of a contribution; knows nothing of windows."""

    def __init__(
        self,
        manifest: Manifest,
        index: index_.Index,
        granted: Collection[str],
        *,
        verify: bool,
        stack: ExitStack,
    ) -> None:
        """Map the granted shards; `stack` unmaps them."""
        self.manifest = manifest
        self.index = index
        paths = [path.decode() for path in index.shards["path"].tolist()]
        self.granted = frozenset(at for at, path in enumerate(paths) if path in granted)
        self._arrays: dict[int, MappedArray] = {}
        for shard in sorted(self.granted):
            self._map(shard, paths[shard], verify=verify, stack=stack)
        stack.callback(self._arrays.clear)
        self._prepare()

    def _map(self, shard: int, path: str, *, verify: bool, stack: ExitStack) -> None:
        row = self.index.shards[shard]
        whole = map_file(self.manifest.directory / path, int(row["bytes"]))
        stack.callback(_unmap, whole)
        leaf = int(row["leaf0"])
        for number in range(len(storage.DTYPES)):
            dtype: np.dtype[Any] = storage.DTYPES[number]
            count, offset = int(row["count"][number]), int(row["offset"][number])
            leaves = self.index.leaves[leaf : leaf + leaf_count(count * dtype.itemsize)]
            leaf += len(leaves)
            if count:
                flat = np.frombuffer(whole, dtype, count, offset)
                name = f"{self.manifest.directory / path} /signals/{storage.STORAGES[number]}"
                array = MappedArray(flat, leaves if verify else leaves[:0], name)
                self._arrays[_place(shard, number)] = array

    def _prepare(self) -> None:
        """Spread the tables so that each series has its own number of everything."""
        index, series = self.index, self.index.series
        words = [entry.channel for entry in index.channels]
        scales = np.array([1.0 if one.scale is None else one.scale for one in words])
        zeros = np.array([one.zero for one in words])
        storages = np.array([entry.storage for entry in index.channels], np.int64)
        shards = index.segments["shard"][series["segment"]].astype(np.int64)
        self._place = _place(shards, storages[series["channel"]])
        self._place[~np.isin(shards, list(self.granted))] = NOT_GRANTED
        self._offset = series["offset"].astype(np.int64)
        self._scale = scales[series["channel"]][:, None]
        self._zero = zeros[series["channel"]][:, None]
        self._scale32, self._zero32 = self._scale.astype("<f4"), self._zero.astype("<f4")
        self._gaps = series["mask"] != index_.NO_MASK

    def gather(self, series: Ints, starts: Ints, length: int) -> NDArray[np.float32]:
        """Return float32 (row, length): series[row] from its step starts[row] on.

        NaN where nothing valid was measured, and before a series' step 0 (negative starts). The
        caller keeps starts + length within the series.
        """
        places = self._place[series]
        if (places == places[0]).all():
            found = self._read(int(places[0]), series, starts, length)
        else:
            found = np.empty((len(series), length), np.float32)
            for place in np.unique(places).tolist():
                rows = np.flatnonzero(places == place)
                found[rows] = self._read(place, series[rows], starts[rows], length)
        early = np.flatnonzero(starts < 0)
        if len(early):
            before = np.arange(length) < -starts[early, None]
            found[early] = np.where(before, np.float32(np.nan), found[early])
        return found

    def _read(self, place: int, series: Ints, starts: Ints, length: int) -> NDArray[np.float32]:
        """Return the values (row, length) of series that share one array.

        i16 decodes in float32 (integers up to 2**15 are exact in it), i32 in float64.
        """
        stored = self._arrays[place].read(self._offset[series] + starts, length)
        kind = place % len(storage.STORAGES)
        if kind == storage.F32:
            return stored
        if kind == storage.I16:
            values = stored.astype(np.float32)
            values *= self._scale32[series]
            if self._zero32[series].any():
                values += self._zero32[series]
        else:
            values = (stored * self._scale[series] + self._zero[series]).astype(np.float32)
        if self._gaps[series].any():
            values[stored == storage.SENTINELS[kind]] = np.nan
        return values

    def segment(self, number: int) -> Segment:
        """Return a whole segment with every channel (labels and targets too), decoded exactly."""
        row = self.index.segments[number]
        rows = np.array(self.index.series_of(number), np.int64)
        channels, values = [], []
        for series in rows.tolist():
            entry = self.index.channels[self.index.series["channel"][series]]
            array = self._arrays[int(self._place[series])]
            stored = array.read(self._offset[[series]], int(row["steps"]))[0]
            channels.append(entry.channel)
            values.append(storage.decode(stored, entry.channel, entry.storage))
        return Segment(
            asset=self.index.assets[row["asset"]],
            group=self.index.groups[row["group"]],
            split=self.index.split_of(int(row["shard"])),
            channels=tuple(channels),
            values=np.stack(values),
            t0_ns=None if row["t0_ns"] == index_.NO_CLOCK else int(row["t0_ns"]),
            rate_num=int(row["rate_num"]),
            rate_den=int(row["rate_den"]),
        )


def _place(shard: Any, kind: Any) -> Any:
    return shard * len(storage.STORAGES) + kind


def _unmap(whole: mmap.mmap) -> None:
    try:
        whole.close()
    except BufferError:
        return  # somebody still holds a MappedArray; the mapping goes with its last reference
