"""Open a dataset: what a grant lists and nothing else, or a whole directory."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from forgia_hpc.data import index as index_
from forgia_hpc.data.access.grant import ends_of, read_grant
from forgia_hpc.data.crypto.keys import Keyring, keyring
from forgia_hpc.data.glance import Entries, glance
from forgia_hpc.data.index_file import index_bytes
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.layout import Mark, Segment, Split
from forgia_hpc.data.layouts import of_layout
from forgia_hpc.data.manifest import Manifest, flatten
from forgia_hpc.data.presence import find_faults
from forgia_hpc.data.reading.files import choose_io
from forgia_hpc.data.reading.open_arrays import OpenArrays
from forgia_hpc.data.reading.opened import Access, OpenContribution
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.schema.data import Data

# each contribution, and the paths of the shards that may be read; None: all of many
Listed = list[tuple[Manifest, Collection[str] | None]]


@dataclass(frozen=True, kw_only=True)
class SegmentFacts:
    """A segment without its values."""

    number: int
    asset: str
    group: str
    split: Split
    first: int  # step of the asset's own clock, as marks count
    steps: int
    season_steps: int


class Dataset:
    """Contributions open for reading; a `with` block closes them."""

    def __init__(
        self, sources: list[OpenContribution], stack: ExitStack, grant: dict[str, Any] | None = None
    ) -> None:
        """Take the open contributions, what closes them, and the grant that opened them."""
        self.sources = sources
        self.names = tuple(source.manifest.name for source in sources)
        self.ends = ends_of(grant or {})  # from then on nothing may be read any more
        self._partial = (grant or {}).get("partial") == "allow"
        self._stack = stack

    def __enter__(self) -> Dataset:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Unmap every shard."""
        self._stack.close()

    def windows(self, split: Split, data: Data) -> WindowIndex:
        """Return the windows of a split that may be read.

        Raises:
            InputError: data.contributions names one that is not there; a contribution has this split
                but none of it is granted.

        """
        chosen = data.contributions or list(self.names)
        problems = [
            Problem(
                field="data.contributions",
                got=name,
                limit=f"open are {', '.join(self.names)}",
                fix="ask for one of these",
            )
            for name in chosen
            if name not in self.names
        ]
        sources = [source for source in self.sources if source.manifest.name in chosen]
        problems += [
            Problem(
                field="grant",
                got=f"{source.manifest.name}, {split.value}",
                limit="none of its shards is granted",
                where="grant.json",
                fix="grant the split, or leave the contribution out",
            )
            for source in sources
            if _refused(source, split) and not self._partial
        ]
        if problems:
            raise InputError(problems)
        return WindowIndex(sources, split, data)

    def source(self, name: str) -> OpenContribution:
        """Return the open contribution of this name."""
        return self.sources[self.names.index(name)]

    def segments(self, name: str, split: Split | None = None) -> list[SegmentFacts]:
        """Return the granted segments of a contribution, of one split or all."""
        source = self.source(name)
        index = source.index
        return [
            SegmentFacts(
                number=number,
                asset=index.assets[row["asset"]],
                group=index.groups[row["group"]],
                split=index.split_of(int(row["shard"])),
                first=int(row["first"]),
                steps=int(row["steps"]),
                season_steps=index.season_steps[row["group"]],
            )
            for number, row in enumerate(index.segments)
            if int(row["shard"]) in source.granted
            and split in (None, index.split_of(int(row["shard"])))
        ]

    def segment(self, name: str, number: int) -> Segment:
        """Return a whole segment, all roles, exact float64."""
        source = self.source(name)
        if int(source.index.segments["shard"][number]) not in source.granted:
            got = f"{name}, segment {number}"
            raise InputError(Problem(field="grant", got=got, limit="its shard is not granted"))
        return source.segment(number)

    def marks(self, name: str) -> list[Mark]:
        """Return the marks of a contribution that touch a granted segment."""
        source = self.source(name)
        index = source.index
        rows = index.segments[np.isin(index.segments["shard"], list(source.granted))]
        return [
            index.mark(mark)
            for mark in index.marks
            if index_.overlapping(rows, mark["asset"], mark["first"], mark["last"]).any()
        ]


def open_dataset(grant: dict[str, Any] | Path, *, verify: bool = True, io: str = "auto") -> Dataset:
    """Open what a grant lists, or everything of a directory (a contribution or a consortium).

    Each shard is opened when it is first touched; with `verify`, its leaves are hashed as they are touched.

    Raises:
        InputError: no such dataset, or the grant has ended.
        SealBrokenError: every file that is missing, half-copied, altered or not of the version granted.

    """
    listed: Listed = list(read_grant(grant)) if isinstance(grant, dict) else _everything(grant)
    granted = of_layout(listed, TELEMETRY)  # a consortium may have fields beside it
    faults = [fault for manifest, paths in granted for fault in _faults(manifest, paths)]
    if faults:
        raise SealBrokenError("\n".join(faults))
    with ExitStack() as stack:
        arrays = OpenArrays()
        stack.callback(arrays.clear)
        held = grant if isinstance(grant, dict) else None
        sources = []
        for manifest, paths in granted:
            chosen = choose_io(io, manifest.directory)
            ring = keyring(manifest, held)
            access = Access(arrays=arrays, io=chosen, verify=verify, keyring=ring)
            sources.append(OpenContribution(manifest, load_index(manifest, ring), paths, access))
        return Dataset(sources, stack.pop_all(), grant if isinstance(grant, dict) else None)


def load_index(manifest: Manifest, ring: Keyring | None = None) -> index_.Index:
    """Return the index of a contribution, checked against the manifest's digest."""
    path, data = index_bytes(manifest, ring)
    index = index_.unpack(data, where=str(path))
    if isinstance(manifest.shards, Entries):
        return index  # its digest is the manifest's; the entries are `data check`'s
    # a cold dataset's index is the hot one's: it tells where everything lies once it is hot again
    listed = [(one.path, one.hot_bytes or one.bytes, one.split) for one in manifest.shards]
    known = [
        (row["path"].decode(), int(row["bytes"]), index.split_of(number))
        for number, row in enumerate(index.shards)
    ]
    if listed != known:
        raise SealBrokenError(f"{path}: lists other shards than the manifest")
    return index


def _everything(directory: Path) -> Listed:
    """Return the contributions of a directory and the paths of their shards, None where these are many."""
    return [
        (one, None if isinstance(one.shards, Entries) else {entry.path for entry in one.shards})
        for one in flatten([glance(directory)])
    ]


def _faults(manifest: Manifest, paths: Collection[str] | None) -> list[str]:
    """Return what is missing or of another size.

    Of a large dataset only index and card: a call for each of ten thousand shards is minutes on a parallel
    file system. Its shards are compared when each is first touched.
    """
    if paths is None:
        return find_faults(replace(manifest, shards=()), manifest.directory)
    return find_faults(manifest, manifest.directory, shards=paths)


def _refused(source: OpenContribution, split: Split) -> bool:
    """Return whether the contribution has shards of the split and none may be read."""
    shards = source.index.shards_of(split)
    return len(shards) > 0 and not source.granted.intersection(shards.tolist())
