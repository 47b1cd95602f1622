"""One contribution, open: its index, and the arrays of the shards that may be read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from forgia_hpc.data import index as index_
from forgia_hpc.data import storage
from forgia_hpc.data.glance import Entries
from forgia_hpc.data.integrity import leaf_count
from forgia_hpc.data.layout import Segment
from forgia_hpc.data.manifest import FileEntry, Manifest
from forgia_hpc.data.reading.arrays import Array, Ints, Place
from forgia_hpc.data.reading.decode import Decoder, Floats
from forgia_hpc.data.reading.leaves import Leaves
from forgia_hpc.data.reading.open_arrays import OpenArrays
from forgia_hpc.errors import InputError, Problem

NOT_GRANTED = -1
_ITEMS = [np.dtype(one).itemsize for one in ("<i2", "<i4", "<f4")]  # of storage.DTYPES
BLOCK_BYTES = 256 << 10  # stored numbers decoded at once: what a core's own cache holds, twice over


@dataclass(frozen=True, kw_only=True)
class Access:
    """How the shards of a contribution are read."""

    arrays: OpenArrays
    io: str  # mmap or pread, of plain hot shards
    verify: bool = True  # compare each leaf's SHA-256 when it is first touched
    keyring: Any = None  # of encrypted shards


class OpenContribution:
    """Reads series of a contribution; knows nothing of windows. Opens a shard when it is first touched."""

    def __init__(
        self,
        manifest: Manifest,
        index: index_.Index,
        granted: Collection[str] | None,
        access: Access,
    ) -> None:
        """Spread the tables so that each series has its own number of everything; granted None: all."""
        self.manifest = manifest
        self.index = index
        self.access = access
        shards = range(len(index.shards)) if granted is None else _numbers(manifest, granted)
        self.granted = frozenset(shards)
        series, segments = index.series, index.segments
        storages = np.array([entry.storage for entry in index.channels], np.int64)
        owner = segments["shard"][series["segment"]].astype(np.int64)
        allowed = np.zeros(len(index.shards), np.bool_)
        allowed[list(self.granted)] = True
        number = owner * len(storage.STORAGES) + storages[series["channel"]]
        self._place = np.where(allowed[owner], number, NOT_GRANTED)
        self._offset = np.ascontiguousarray(series["offset"], np.int64)
        self._decoder = Decoder(index)
        self._places: dict[int, Place] = {}

    def gather(self, series: Ints, starts: Ints, length: int, out: Floats | None = None) -> Floats:
        """Return float32 (row, length): series[row] from its step starts[row] on; in `out` where given.

        NaN where nothing valid was measured, and before a series' step 0 (negative starts). The caller
        keeps starts + length within the series, or blanks what is beyond.

        Raises:
            SealBrokenError: a shard is gone, cut off or altered; names it.

        """
        if not len(series):
            return np.empty((0, length), np.float32)
        places = self._place[series]
        begins = self._offset[series] + starts
        if (places == places[0]).all():
            found = self._read(int(places[0]), series, begins, length, out)
        else:
            found = np.empty((len(series), length), np.float32) if out is None else out
            for rows in _alike(places):
                place = int(places[rows[0]])
                found[rows] = self._read(place, series[rows], begins[rows], length, None)
        if int(starts.min()) < 0:
            early = np.flatnonzero(starts < 0)
            before = np.arange(length) < -starts[early, None]
            found[early] = np.where(before, np.float32(np.nan), found[early])
        return found

    def _read(
        self, number: int, series: Ints, begins: Ints, length: int, out: Floats | None
    ) -> Floats:
        """Return the values (row, length) of series that share one array; what lies outside it is arbitrary."""
        place, array = self._open(number)
        kind, last = number % len(storage.STORAGES), place.count - length
        if last < 0 or int(begins.min()) < 0 or int(begins.max()) > last:
            return self._read_edges(number, series, begins, length, out)
        stored = array.read(begins, length)
        if kind == storage.F32 and out is None:
            return stored
        found = np.empty((len(begins), length), np.float32) if out is None else out
        step = max(BLOCK_BYTES // (length * place.dtype.itemsize), 1)
        for at in range(0, len(begins), step):
            part = slice(at, at + step)
            self._decoder.decode(kind, stored[part], series[part], found[part])
        return found

    def _read_edges(
        self, number: int, series: Ints, begins: Ints, length: int, out: Floats | None
    ) -> Floats:
        """Read rows that reach over the array's own ends: the caller blanks what is not their series'."""
        found = np.zeros((len(begins), length), np.float32) if out is None else out
        count = self._open(number)[0].count
        first, end = np.maximum(begins, 0), np.minimum(begins + length, count)
        whole = end - first == length
        if whole.any():
            found[whole] = self._read(number, series[whole], begins[whole], length, None)
        for row in np.flatnonzero(~whole & (end > first)).tolist():
            one, size = slice(row, row + 1), int(end[row] - first[row])
            at = int(first[row] - begins[row])
            found[one, at : at + size] = self._read(number, series[one], first[one], size, None)
        return found

    def _open(self, number: int) -> tuple[Place, Array]:
        place = self._places.get(number) or self._describe(number)
        return place, self.access.arrays.get(place, self.access.io)

    def _describe(self, number: int) -> Place:
        """Return where an array lies; kept, because it also knows which leaves were hashed."""
        if number == NOT_GRANTED:
            limit = "the series asked for is in a shard that is not granted"
            raise InputError(Problem(field="grant", got=self.manifest.name, limit=limit))
        shard, kind = divmod(number, len(storage.STORAGES))
        row = self.index.shards[shard]
        dtype = storage.DTYPES[kind]
        counts = zip(row["count"].tolist(), _ITEMS, strict=True)
        sizes = [leaf_count(count * item) for count, item in counts]
        leaf = int(row["leaf0"]) + sum(sizes[:kind])
        leaves = self.index.leaves[leaf : leaf + (sizes[kind] if self.access.verify else 0)]
        file = self._file(shard)
        path = self.manifest.directory / file.path
        place = Place(
            path=path,
            file_bytes=file.bytes,
            storage=storage.STORAGES[kind],
            dtype=dtype,
            count=int(row["count"][kind]),
            offset=int(row["offset"][kind]),
            leaves=Leaves(f"{path} /signals/{storage.STORAGES[kind]}", leaves, dtype.itemsize),
            keyring=self.access.keyring,
            profile=getattr(file, "profile", "hot"),
            key_id=file.key_id,
        )
        return self._places.setdefault(number, place)

    def _file(self, shard: int) -> FileEntry:
        """Return a shard's file; the index has the path and size of its plain hot form only."""
        if not isinstance(self.manifest.shards, Entries):
            return self.manifest.shards[shard]
        row = self.index.shards[shard]
        return FileEntry(path=row["path"].decode(), bytes=int(row["bytes"]), sha256="")

    def segment(self, number: int) -> Segment:
        """Return a whole segment with every channel (labels and targets too), decoded exactly."""
        row = self.index.segments[number]
        rows = np.array(self.index.series_of(number), np.int64)
        channels, values = [], []
        for series in rows.tolist():
            entry = self.index.channels[self.index.series["channel"][series]]
            _, array = self._open(int(self._place[series]))
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


def _numbers(manifest: Manifest, granted: Collection[str]) -> list[int]:
    """Return the shards of these paths; manifest and index list them in the same order."""
    return [at for at, entry in enumerate(manifest.shards) if entry.path in granted]


def _alike(places: Ints) -> list[Ints]:
    """Return the rows of each place."""
    order = np.argsort(places, kind="stable")
    cuts = np.flatnonzero(np.diff(places[order])) + 1
    return [rows for rows in np.split(order, cuts) if len(rows)]
