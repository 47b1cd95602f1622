"""Check a dataset's directory from the bytes up: what `forgia data check` and a release gate ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import index as index_
from forgia_hpc.data import shard, storage
from forgia_hpc.data.card import load_card
from forgia_hpc.data.index import Index
from forgia_hpc.data.integrity import merkle_root
from forgia_hpc.data.manifest import (
    INDEX,
    MANIFEST,
    Manifest,
    ShardEntry,
    load_manifest,
    verify_files,
)
from forgia_hpc.data.reader import load_index
from forgia_hpc.errors import ForgiaError


def check(directory: Path) -> list[str]:
    """Return everything wrong with a dataset's directory, members of a consortium too.

    Reads every byte: digests of files and leaves, the HDF5 structure through plain h5py, tables and
    offsets against index.pack, masks, statistics and content ids against the values.
    """
    try:
        manifest = load_manifest(directory)
        members = manifest.contributions() if manifest.members else []
    except ForgiaError as error:
        return str(error).splitlines()
    faults = [*_check_files(manifest), *_check_card(manifest)]
    if manifest.shards and not faults:
        faults += _check_shards(manifest)
    return faults + [fault for member in members for fault in check(member.directory)]


def _check_files(manifest: Manifest) -> Iterator[str]:
    yield from verify_files(replace(manifest, members=()), manifest.directory)
    known = {entry.path for entry in (*manifest.files, *manifest.shards)} | {MANIFEST}
    for path in sorted(manifest.directory.rglob("*")):
        if path.is_file() and path.relative_to(manifest.directory).as_posix() not in known:
            yield f"{path}: not listed in {MANIFEST}"


def _check_card(manifest: Manifest) -> Iterator[str]:
    try:
        card = load_card(manifest.directory)
    except ForgiaError as error:
        yield from str(error).splitlines()
        return
    if (card.name, card.contributor) != (manifest.name, manifest.contributor):
        yield f"{manifest.directory}: card.yaml is {card.name}'s, of {card.contributor}"


def _check_shards(manifest: Manifest) -> list[str]:
    try:
        index = load_index(manifest)
    except ForgiaError as error:
        return str(error).splitlines()
    faults = []
    for number, entry in enumerate(manifest.shards):
        path = manifest.directory / entry.path
        faults += [f"{path}: {fault}" for fault in _check_shard(manifest, index, number, entry)]
    return faults


def _check_shard(manifest: Manifest, index: Index, number: int, entry: ShardEntry) -> Iterator[str]:
    try:
        # locking=False: sealed files are never written, and locks fail on many parallel file systems
        with h5py.File(manifest.directory / entry.path, "r", locking=False) as file:
            yield from _check_signals(file, index, number)
            content = shard.describe(index, number, _signals(file), _read(file, "masks/valid"))
            words = shard.attributes(index, number, manifest.contributor, content.content_id)
            yield from _check_tables(file, index, number, words)
            yield from _check_content(file, index, number, content)
    except (OSError, KeyError, ValueError, TypeError) as error:
        yield f"not readable as HDF5 ({error})"
        return
    if content.content_id != entry.content_id:
        yield "content id differs from the manifest's"
    if merkle_root(content.leaves) != entry.merkle_root:
        yield "Merkle root differs from the manifest's"


def _read(file: h5py.File, name: str) -> NDArray[Any]:
    found: NDArray[Any] = file[name][()]
    return found


def _signals(file: h5py.File) -> tuple[NDArray[Any], ...]:
    return tuple(
        _read(file, f"signals/{name}") if f"signals/{name}" in file else np.zeros(0, dtype)
        for name, dtype in zip(storage.STORAGES, storage.DTYPES, strict=True)
    )


def _check_signals(file: h5py.File, index: Index, number: int) -> Iterator[str]:
    """Compare the arrays with what index.pack says of them: type, length, place."""
    row = index.shards[number]
    for kind, name in enumerate(storage.STORAGES):
        dataset = file.get(f"signals/{name}")
        count, offset = int(row["count"][kind]), int(row["offset"][kind])
        if dataset is None:
            if count:
                yield f"/signals/{name} is missing"
            continue
        found = (dataset.dtype, dataset.shape, dataset.chunks, dataset.id.get_offset())
        if found != (storage.DTYPES[kind], (count,), None, offset):
            yield f"/signals/{name} is {found}, index.pack says {count} numbers at byte {offset}"


def _check_tables(
    file: h5py.File, index: Index, number: int, words: dict[str, str]
) -> Iterator[str]:
    for name, table in shard.tables(index, number).items():
        if not _same(_read(file, name), table):
            yield f"/{name} differs from index.pack"
    found = {name: value.decode() for name, value in file.attrs.items()}
    for name in sorted(found.keys() | words.keys()):
        if found.get(name) != words.get(name):
            yield f"@{name} is {found.get(name)!r}, should be {words.get(name)!r}"


def _check_content(
    file: h5py.File, index: Index, number: int, content: shard.Content
) -> Iterator[str]:
    """Compare what follows from the values: leaves, statistics, masks."""
    begin = int(index.shards["leaf0"][number])
    packed_leaves = index.leaves[begin : begin + len(content.leaves)]
    for name, leaves in (
        (INDEX, packed_leaves),
        ("/integrity/leaves", _read(file, "integrity/leaves")),
    ):
        if not np.array_equal(leaves, content.leaves):
            yield f"{name} differs from the leaves of /signals"
    channels = len(index.channels)
    packed = index.stats[number * channels : (number + 1) * channels]
    for name in index_.STAT.names or ():
        if not np.isfinite(content.stats[name]).all():
            yield f"/stats {name} is not finite"
    if not _same(_read(file, "stats"), packed):
        yield "/stats differs from index.pack"
    if not all(_close(packed[name], content.stats[name]) for name in index_.STAT.names or ()):
        yield "/stats differs from the values"
    if not np.array_equal(content.masks, _masks(index, number, content)):
        yield "/masks/valid differs from the missing values of /signals"


def _close(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """Return whether sums agree as far as another CPU's order of adding allows."""
    return np.allclose(found, wanted, rtol=1e-9, atol=0)


def _masks(index: Index, number: int, content: shard.Content) -> NDArray[np.uint8]:
    """Return the masks as the sentinels and NaNs of the signals have them."""
    masks = bytearray()
    for row in shard.rows_of(index, number):
        gaps = np.isnan(shard.decoded(index, row, content.signals))
        if gaps.any():
            masks += shard.pack_mask(~gaps)
    return np.frombuffer(bytes(masks), np.uint8)


def _same(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """Return whether two tables hold the same bytes in the same fields."""
    return found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()
