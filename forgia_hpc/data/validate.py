"""Check a dataset's directory from the bytes up: what `forgia data check` and a release gate ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import shard, storage
from forgia_hpc.data.access.policies import sealed_policies
from forgia_hpc.data.beside import beside
from forgia_hpc.data.card import load_card
from forgia_hpc.data.cold import find_plugin, need_filters
from forgia_hpc.data.crypto.check_sealed import check_signatures, check_wraps, open_shard
from forgia_hpc.data.crypto.keys import keyring
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.fields.validate import check_fields
from forgia_hpc.data.index import Index
from forgia_hpc.data.integrity import merkle_root
from forgia_hpc.data.manifest import INDEX, MANIFEST, Manifest, ShardEntry, load_manifest
from forgia_hpc.data.packed import STAT
from forgia_hpc.data.presence import verify_files
from forgia_hpc.data.reader import load_index
from forgia_hpc.data.writing.splits import split_faults, stretches_of
from forgia_hpc.errors import ForgiaError


def check(directory: Path) -> list[str]:
    """Return everything wrong with a dataset's directory, members of a consortium too.

    Reads every byte: digests of files and leaves, the HDF5 structure through plain h5py, tables and
    offsets against index.pack, masks, statistics and content ids against the values; signatures,
    and the wraps of data keys.

    Raises:
        InputError: shards are encrypted, and not to this person's key; what can be read without is sound.
    """
    try:
        manifest = load_manifest(directory)
        members = manifest.contributions() if manifest.members else []
    except ForgiaError as error:
        return str(error).splitlines()
    faults = [*_check_files(manifest), *_check_card(manifest), *check_signatures(manifest)]
    faults += [] if faults else check_wraps(manifest, keyring(manifest))
    if manifest.shards and not faults:
        fields = manifest.layout == FIELDS
        faults += check_fields(manifest) if fields else _check_shards(manifest)
    return faults + [fault for member in members for fault in check(member.directory)]


def _check_files(manifest: Manifest) -> Iterator[str]:
    yield from verify_files(replace(manifest, members=()), manifest.directory)
    known = {entry.path for entry in (*manifest.files, *manifest.shards)} | {MANIFEST}
    known |= beside(manifest)
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
    try:
        sealed_policies(manifest, card)
    except ForgiaError as error:
        yield from str(error).splitlines()


def _check_shards(manifest: Manifest) -> list[str]:
    try:
        index = load_index(manifest)
    except ForgiaError as error:
        return str(error).splitlines()
    found = split_faults(stretches_of(index))
    faults = [f"{manifest.directory}: split of {what}: {why}" for what, why in found]
    for number, entry in enumerate(manifest.shards):
        path = manifest.directory / entry.path
        faults += [f"{path}: {fault}" for fault in _check_shard(manifest, index, number, entry)]
    return faults


def _check_shard(manifest: Manifest, index: Index, number: int, entry: ShardEntry) -> Iterator[str]:
    find_plugin()
    try:
        with open_shard(manifest, entry, keyring(manifest)) as file:
            yield from _check_signals(file, index, number, cold=entry.profile == "cold")
            content = shard.describe(index, number, signals_of(file), _read(file, "masks/valid"))
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


def signals_of(file: h5py.File) -> tuple[NDArray[Any], ...]:
    """Return the arrays i16, i32, f32 of an open shard; empty where not used."""
    for dataset in file["signals"].values():
        need_filters(dataset, Path(file.filename))
    return tuple(
        _read(file, f"signals/{name}") if f"signals/{name}" in file else np.zeros(0, dtype)
        for name, dtype in zip(storage.STORAGES, storage.DTYPES, strict=True)
    )


def _check_signals(file: h5py.File, index: Index, number: int, *, cold: bool) -> Iterator[str]:
    """Compare the arrays with what index.pack says of them: type, length, place (of a hot shard)."""
    row = index.shards[number]
    for kind, name in enumerate(storage.STORAGES):
        dataset = file.get(f"signals/{name}")
        count, offset = int(row["count"][kind]), int(row["offset"][kind])
        if dataset is None:
            if count:
                yield f"/signals/{name} is missing"
            continue
        found: tuple[Any, ...] = (dataset.dtype, dataset.shape)
        wanted: tuple[Any, ...] = (storage.DTYPES[kind], (count,))
        if not cold:
            found += (dataset.chunks, dataset.id.get_offset())
            wanted += (None, offset)
        if found != wanted:
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
    for name in STAT.names or ():
        if not np.isfinite(content.stats[name]).all():
            yield f"/stats {name} is not finite"
    if not _same(_read(file, "stats"), packed):
        yield "/stats differs from index.pack"
    if not all(_close(packed[name], content.stats[name]) for name in STAT.names or ()):
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
