"""Check a contribution of fields from the bytes up, through plain h5py: `forgia data check` for this layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.cold import find_plugin, need_filters
from forgia_hpc.data.crypto.check_sealed import open_shard
from forgia_hpc.data.crypto.keys import keyring
from forgia_hpc.data.fields import shard
from forgia_hpc.data.fields.account import Account
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import Array, place
from forgia_hpc.data.fields.opening import load_field_index
from forgia_hpc.data.fields.storage import DTYPES
from forgia_hpc.data.fields.wellformat import write_head
from forgia_hpc.data.integrity import merkle_root
from forgia_hpc.data.manifest import INDEX, Manifest, ShardEntry
from forgia_hpc.errors import ForgiaError


def check_fields(manifest: Manifest) -> list[str]:
    """Return everything wrong with the shards; their digests as files were compared before.

    Compares arrays, tables, The Well's groups, statistics and content ids with index.pack and with the values.
    """
    try:
        index = load_field_index(manifest)
    except ForgiaError as error:
        return str(error).splitlines()
    faults = []
    for number, entry in enumerate(manifest.shards):
        path = manifest.directory / entry.path
        faults += [f"{path}: {fault}" for fault in _check_shard(manifest, index, number, entry)]
    return faults


def _check_shard(
    manifest: Manifest, index: FieldIndex, number: int, entry: ShardEntry
) -> Iterator[str]:
    find_plugin()
    try:
        with open_shard(manifest, entry, keyring(manifest)) as file:
            source = source_of(file, manifest, index, number)
            wrong = list(_check_arrays(file, source, cold=entry.profile == "cold"))
            yield from wrong
            if not wrong:
                yield from _check_content(file, source, entry)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        yield f"not readable as HDF5 ({error})"


def source_of(file: h5py.File, manifest: Manifest, index: FieldIndex, number: int) -> shard.Source:
    """Return what an open shard, hot or cold, was made from."""
    facts = [row["provenance"].decode() for row in file["index/trajectories"][()]]
    return shard.Source(
        index=index,
        shard=number,
        contributor=manifest.contributor,
        facts=facts,
        stored=_FromFile(file, index),
    )


@dataclass(frozen=True)
class _FromFile:
    """Gives the stored numbers of an open shard's trajectories."""

    file: h5py.File
    index: FieldIndex

    def __call__(self, field: int, row: int) -> Array:
        one = self.index.schema.fields[field]
        found: Array = self.file[place(one)][row if one.per_trajectory else ...]
        return found


def _check_arrays(file: h5py.File, source: shard.Source, *, cold: bool) -> Iterator[str]:
    """Compare the arrays with what index.pack says of them: type, shape, place."""
    for at, one in enumerate(source.index.schema.fields):
        dataset = file.get(place(one))
        if dataset is None:
            yield f"/{place(one)} is missing"
            continue
        found = (dataset.dtype, dataset.shape)
        if found != (DTYPES[one.storage], source.shapes()[at]):
            yield f"/{place(one)} is {found}, index.pack says {source.shapes()[at]}"
        offset = int(source.index.array_of(source.shard, at)["offset"])
        if not cold and (dataset.chunks, dataset.id.get_offset()) != (None, offset):
            yield f"/{place(one)} does not lie in one piece at byte {offset}"
        if cold:
            need_filters(dataset, Path(file.filename))
            if dataset.chunks is None:
                yield f"/{place(one)} is not packed, though the manifest says cold"


def _check_content(file: h5py.File, source: shard.Source, entry: ShardEntry) -> Iterator[str]:
    """Compare what follows from the values, and everything that index.pack says, with the file."""
    account = Account(source.index, source.shard)
    for field, _, stored in shard.numbers(source):
        account.add(field, stored)
    leaves, content_id = account.leaves(), account.content_id()
    if content_id != entry.content_id:
        yield "content id differs from the manifest's"
    if merkle_root(leaves) != entry.merkle_root:
        yield "Merkle root differs from the manifest's"
    yield from _check_packed(source, account, leaves)
    yield from _check_tables(file, source, account)
    if not np.array_equal(file["integrity/leaves"][()], leaves):
        yield "/integrity/leaves differs from the leaves of the fields"
    yield from _check_tree(file, source, content_id)


def _check_packed(source: shard.Source, account: Account, leaves: Array) -> Iterator[str]:
    index, number = source.index, source.shard
    begin = int(index.shards["leaf0"][number])
    if not np.array_equal(index.leaves[begin : begin + len(leaves)], leaves):
        yield f"{INDEX} differs from the leaves of the fields"
    channels = len(account.stats)
    for name, found in (("stats", account.stats), ("deltas", account.deltas)):
        packed = getattr(index, name)[number * channels : (number + 1) * channels]
        if not _close(packed, found):
            yield f"{INDEX} {name} differ from the values"


def _check_tables(file: h5py.File, source: shard.Source, account: Account) -> Iterator[str]:
    for name, table in shard.tables(source, account).items():
        found = file[name][()]
        same = found.dtype == table.dtype and found.tobytes() == table.tobytes()
        if not (same or (name.startswith("stats") and _close(found, table))):
            yield f"/{name} differs from index.pack or the values"


def _close(found: Array, wanted: Array) -> bool:
    """Return whether sums agree as far as another CPU's order of adding allows."""
    names = wanted.dtype.names or ()
    return found.shape == wanted.shape and all(
        np.allclose(found[name], wanted[name], rtol=1e-9, atol=1e-12) for name in names
    )


def _check_tree(file: h5py.File, source: shard.Source, content_id: str) -> Iterator[str]:
    """Compare The Well's groups and all attributes with what index.pack would give; no more may be there."""
    with h5py.File("wanted", "w", driver="core", backing_store=False) as wanted:
        write_head(wanted, source.index, source.shard)
        yield from _differing(file, wanted)
        words = shard.attributes(source, content_id)
        known = {**dict(wanted.attrs), **{name: text.encode() for name, text in words.items()}}
    yield from _differing_attributes("", dict(file.attrs), known)
    ours = {place(one) for one in source.index.schema.fields} | {"integrity/leaves"}
    ours |= set(shard.tables(source, Account(source.index, source.shard)))
    for name in _datasets(file):
        top = name.partition("/")[0]
        if name not in ours and top not in ("dimensions", "boundary_conditions", "scalars"):
            yield f"/{name} does not belong there"


def _differing(file: h5py.File, wanted: h5py.File) -> Iterator[str]:
    for top in ("dimensions", "boundary_conditions", "scalars"):
        for name in sorted({*_members(file, top), *_members(wanted, top)}):
            found, right = file.get(name), wanted.get(name)
            if found is None or right is None:
                yield f"/{name} is {'missing' if found is None else 'unknown to index.pack'}"
                continue
            if isinstance(right, h5py.Dataset) and not _same(found[()], right[()]):
                yield f"/{name} differs from index.pack"
            yield from _differing_attributes(name, dict(found.attrs), dict(right.attrs))


def _differing_attributes(
    name: str, found: dict[str, Any], wanted: dict[str, Any]
) -> Iterator[str]:
    for key in sorted({*found, *wanted}):
        if key not in found or key not in wanted or not _same(found[key], wanted[key]):
            yield f"/{name}@{key} is {found.get(key)!r}, should be {wanted.get(key)!r}"


def _members(file: h5py.File, top: str) -> list[str]:
    found = [top] if top in file else []
    if found:
        file[top].visit(lambda name: found.append(f"{top}/{name}"))
    return found


def _datasets(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, one: found.append(name) if isinstance(one, h5py.Dataset) else None)
    return found


def _same(found: Any, wanted: Any) -> bool:
    return np.shape(found) == np.shape(wanted) and bool(np.all(found == wanted))
