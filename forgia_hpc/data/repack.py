"""From hot to cold and back: the same dataset, stored otherwise.

A cold dataset keeps index.pack, card.yaml and all content ids; its manifest names each hot shard's size and
SHA-256 and the hot version, so that what comes back is known to the byte.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data import shard as telemetry
from forgia_hpc.data.cold import find_plugin, need_filters, packing
from forgia_hpc.data.fields import shard as fields
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.fields.layout import place
from forgia_hpc.data.fields.opening import load_field_index
from forgia_hpc.data.fields.validate import source_of
from forgia_hpc.data.manifest import MANIFEST, SHARDS, Manifest, load_manifest, version_of
from forgia_hpc.data.reader import load_index
from forgia_hpc.data.validate import signals_of
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import sync_directory

CHUNK_BYTES = 256 << 10
PACKED_GROUPS = ("signals", "t0_fields", "t1_fields", "t2_fields", "packed")

Progress = Callable[[str, int, int], None]  # what, done, of how many bytes
_Remake = Callable[
    [int, h5py.File, Path], None
]  # number of a shard, the cold one, the hot one's path


def to_cold(directory: Path, into: Path, filter_: str, told: Progress) -> str:
    """Write the cold form of a hot dataset's directory; return its version.

    Raises:
        InputError: it is no hot contribution, `into` is there, or the filter is not installed.
        SealBrokenError: a shard was altered.
    """
    manifest = _of(directory, "hot")
    packing(filter_, 2)
    content: dict[str, Any] = {**manifest.content, "hot_version": manifest.version, "shards": []}
    with appearing(into, overwrite=False) as temporary:
        _copy_files(manifest, temporary)
        for number, entry in enumerate(manifest.shards):
            told(entry.path, number, len(manifest.shards))
            _expect(directory / entry.path, entry.sha256)
            part = temporary / f"{entry.path}.part"
            _pack(directory / entry.path, part, filter_)
            content["shards"].append(_cold_entry(manifest.content["shards"][number], part))
            part.rename(temporary / entry.path)
        sync_directory(temporary / SHARDS)
        write_file(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


def to_hot(directory: Path, into: Path, told: Progress) -> str:
    """Write the hot form of a cold dataset's directory, to the byte what it was; return its version.

    Raises:
        InputError: it is no cold contribution, or `into` is there.
        SealBrokenError: what is unpacked is not what was sealed.
    """
    manifest = _of(directory, "cold")
    content = dict(manifest.content)
    wanted = content.pop("hot_version")
    content["shards"] = [_hot_entry(entry) for entry in content["shards"]]
    remake = _remake_fields(manifest) if manifest.layout == FIELDS else _remake_telemetry(manifest)
    find_plugin()
    with appearing(into, overwrite=False) as temporary:
        _copy_files(manifest, temporary)
        for number, entry in enumerate(manifest.shards):
            told(entry.path, number, len(manifest.shards))
            path = temporary / entry.path
            part = path.with_name(f"{path.name}.part")
            with h5py.File(directory / entry.path, "r", locking=False) as cold:
                remake(number, cold, part)
            _expect(part, entry.hot_sha256)
            part.rename(path)
        sync_directory(temporary / SHARDS)
        if version_of(content) != wanted:
            raise SealBrokenError(
                f"{directory}: its manifest does not give the hot version {wanted}"
            )
        write_file(temporary, MANIFEST, canonical_json(content))
    return str(wanted)


def _of(directory: Path, profile: str) -> Manifest:
    """Return the manifest of a contribution whose shards all are of this profile."""
    manifest = load_manifest(directory)
    found = sorted({entry.profile for entry in manifest.shards})
    encrypted = any(entry.key_id for entry in manifest.shards)
    if found != [profile] or encrypted:
        got = "a consortium" if manifest.members else ", ".join(found) or "no shards"
        fix = "repack its members" if manifest.members else "see forgia data info"
        if encrypted:
            got, fix = f"encrypted, {got}", "forgia data decrypt it, repack it, encrypt it again"
        limit = f"must be a contribution with {profile} shards"
        raise InputError(
            Problem(field="dataset", got=got, limit=limit, where=str(directory), fix=fix)
        )
    return manifest


def _copy_files(manifest: Manifest, into: Path) -> None:
    """Copy what is the same hot and cold: index.pack, card.yaml, policies."""
    (into / SHARDS).mkdir()
    for entry in manifest.files:
        _expect(manifest.directory / entry.path, entry.sha256)
        (into / entry.path).parent.mkdir(exist_ok=True)
        shutil.copyfile(manifest.directory / entry.path, into / entry.path)
        _flush(into / entry.path)


def _expect(path: Path, sha256: str) -> None:
    if sha256_file(path) != sha256:
        raise SealBrokenError(f"{path.name}: its SHA-256 is not the sealed one ({path})")


def _flush(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _cold_entry(entry: dict[str, Any], part: Path) -> dict[str, Any]:
    return {
        **entry,
        "profile": "cold",
        "bytes": part.stat().st_size,
        "sha256": sha256_file(part),
        "hot_bytes": entry["bytes"],
        "hot_sha256": entry["sha256"],
    }


def _hot_entry(entry: dict[str, Any]) -> dict[str, Any]:
    ours = ("profile", "hot_bytes", "hot_sha256")
    kept = {key: value for key, value in entry.items() if key not in ours}
    return {**kept, "bytes": entry["hot_bytes"], "sha256": entry["hot_sha256"]}


def _pack(source: Path, target: Path, filter_: str) -> None:
    """Copy a shard object by object; its large arrays into chunks, through the filter."""
    find_plugin()
    with (
        h5py.File(source, "r", locking=False) as hot,
        h5py.File(target, "x", libver=("earliest", "v110")) as cold,
    ):
        _copy_attributes(hot, cold)
        hot.visititems(lambda name, one: _pack_one(name, one, cold, filter_))
    _flush(target)


def _pack_one(name: str, one: h5py.Dataset | h5py.Group, cold: h5py.File, filter_: str) -> None:
    if isinstance(one, h5py.Group):
        made: Any = cold.create_group(name)
    elif name.partition("/")[0] in PACKED_GROUPS and one.size:
        chunks = chunks_of(one.shape, one.dtype.itemsize)
        more = packing(filter_, one.dtype.itemsize)
        made = cold.create_dataset(
            name, one.shape, one.dtype, chunks=chunks, track_times=False, **more
        )
        for at in one.iter_chunks() if one.chunks else _rows(one.shape, chunks):
            made[at] = one[at]
    else:
        made = cold.create_dataset(name, data=one[()], dtype=one.dtype, track_times=False)
    _copy_attributes(one, made)


def _rows(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
    """Yield slices of the first axis, whole chunks each, at most about 64 MiB."""
    row = int(np.prod(shape[1:])) * 8
    step = max(1, (64 << 20) // max(row * chunks[0], 1)) * chunks[0]
    for begin in range(0, shape[0], step):
        yield slice(begin, begin + step)


def _copy_attributes(source: h5py.HLObject, target: h5py.HLObject) -> None:
    for name in source.attrs:
        stored = source.attrs.get_id(name)
        target.attrs.create(name, source.attrs[name], shape=stored.shape, dtype=stored.dtype)


def chunks_of(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return a chunk of at most 256 KiB: whole last axes, then a part of one, and 1 of those before."""
    room = CHUNK_BYTES // itemsize
    chunks = []
    for size in reversed(shape):
        chunks.append(max(1, min(size, room)))
        room = room // size if size <= room else 1
    return tuple(reversed(chunks))


def _remake_telemetry(manifest: Manifest) -> _Remake:
    index = load_index(manifest)

    def remake(number: int, cold: h5py.File, path: Path) -> None:
        masks = cold["masks/valid"][()]
        content = telemetry.describe(index, number, signals_of(cold), masks)
        words = telemetry.attributes(index, number, manifest.contributor, content.content_id)
        # sums hang on a CPU's order of adding: those that were sealed are taken, not these
        channels = len(index.channels)
        content.stats[:] = index.stats[number * channels : (number + 1) * channels]
        telemetry.write(path, words, content, telemetry.tables(index, number))

    return remake


def _remake_fields(manifest: Manifest) -> _Remake:
    index = load_field_index(manifest)

    def remake(number: int, cold: h5py.File, path: Path) -> None:
        for one in index.schema.fields:
            need_filters(cold[place(one)], Path(cold.filename))
        fields.write(path, source_of(cold, manifest, index, number), sealed=True)

    return remake
