"""Open a dataset: what a grant lists and nothing else, or a whole directory."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from forgia_hpc.data import index as index_
from forgia_hpc.data.layout import Mark, Segment, Split
from forgia_hpc.data.manifest import (
    GRANT_FORMAT,
    INDEX,
    Manifest,
    find_faults,
    flatten,
    load_manifest,
)
from forgia_hpc.data.opened import OpenContribution
from forgia_hpc.data.windows import WindowIndex
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.schema.data import Data


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

    def __init__(self, sources: list[OpenContribution], stack: ExitStack) -> None:
        """Take the open contributions and what closes them."""
        self.sources = sources
        self.names = tuple(source.manifest.name for source in sources)
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
            if _refused(source, split)
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


def open_dataset(grant: dict[str, Any] | Path, *, verify: bool = True) -> Dataset:
    """Open what a grant lists, or everything of a directory (a contribution or a consortium).

    Each shard is checked for size now and, with `verify`, leaf by leaf when it is first touched.

    Raises:
        InputError: no such dataset, or the grant has ended.
        SealBrokenError: every file that is missing, half-copied, altered or not of the version granted.

    """
    granted = _granted(grant) if isinstance(grant, dict) else _everything(grant)
    faults = [
        fault
        for manifest, paths in granted
        for fault in find_faults(manifest, manifest.directory, shards=paths)
    ]
    if faults:
        raise SealBrokenError("\n".join(faults))
    with ExitStack() as stack:
        sources = [
            OpenContribution(manifest, load_index(manifest), paths, verify=verify, stack=stack)
            for manifest, paths in granted
        ]
        return Dataset(sources, stack.pop_all())


def load_index(manifest: Manifest) -> index_.Index:
    """Return the index of a contribution, checked against the manifest's digest."""
    path = manifest.directory / INDEX
    sealed = {entry.path: entry.sha256 for entry in manifest.files}
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sealed.get(INDEX):
        raise SealBrokenError(f"{path}: altered: its SHA-256 is not the sealed one")
    index = index_.unpack(data, where=str(path))
    listed = [(entry.path, entry.bytes, entry.split) for entry in manifest.shards]
    known = [
        (row["path"].decode(), int(row["bytes"]), index.split_of(number))
        for number, row in enumerate(index.shards)
    ]
    if listed != known:
        raise SealBrokenError(f"{path}: lists other shards than the manifest")
    return index


Granted = list[tuple[Manifest, Collection[str]]]


def _everything(directory: Path) -> Granted:
    manifests = flatten([load_manifest(directory)])
    return [(manifest, {entry.path for entry in manifest.shards}) for manifest in manifests]


def _granted(grant: dict[str, Any]) -> Granted:
    """Return manifests and granted paths, after comparing with what lies in the directories."""
    if grant.get("format") != GRANT_FORMAT:
        limit = f"must be {GRANT_FORMAT}"
        raise InputError(Problem(field="grant.format", got=grant.get("format"), limit=limit))
    ends = grant.get("expires", "")
    now = datetime.datetime.now(datetime.UTC)
    if ends and datetime.datetime.fromisoformat(ends) <= now:
        raise InputError(
            Problem(field="grant.expires", got=ends, limit=f"it is {now.isoformat()} now")
        )
    found: Granted = []
    faults = []
    for entry in grant["contributions"]:
        manifest = load_manifest(Path(entry["directory"]))
        wanted = f"{entry['contribution']}@{entry['version'][:12]}"
        if (manifest.name, manifest.version) != (entry["contribution"], entry["version"]):
            faults.append(f"{manifest.directory}: is {manifest.identifier}, granted was {wanted}")
            continue
        sealed = {(one.path, one.bytes, one.sha256) for one in manifest.shards}
        faults += [
            f"{manifest.directory / one['path']}: granted, but the manifest lists no such shard"
            for one in entry["shards"]
            if (one["path"], one["bytes"], one["sha256"]) not in sealed
        ]
        found.append((manifest, {one["path"] for one in entry["shards"]}))
    if faults:
        raise SealBrokenError("\n".join(faults))
    return found


def _refused(source: OpenContribution, split: Split) -> bool:
    """Return whether the contribution has shards of the split and none may be read."""
    shards = [
        number
        for number in range(len(source.index.shards))
        if source.index.split_of(number) is split
    ]
    return bool(shards) and not source.granted.intersection(shards)
