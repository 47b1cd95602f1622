"""All shards of a contribution: ranks share them, and one that a killed writer has sealed already is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import index as index_
from forgia_hpc.data import shard, storage
from forgia_hpc.data.index import Index
from forgia_hpc.data.integrity import leaf_hashes, merkle_root
from forgia_hpc.data.layout import Segment
from forgia_hpc.data.packed import Table
from forgia_hpc.digest import sha256_file
from forgia_hpc.runtime.world import World

_NS = 10**9
Told = Callable[[str, int, int], None]  # what is done, how many, of how many


@dataclass(frozen=True, kw_only=True)
class Written:
    """What only the file of a shard tells."""

    bytes: int
    offset: list[int]
    stats: Table
    leaves: NDArray[np.uint8]
    content_id: str


def write_shards(
    index: Index,
    segments: tuple[Segment, ...],
    contributor: str,
    directory: Path,
    *,
    world: World | None = None,
    told: Told | None = None,
) -> tuple[Index, list[dict[str, Any]]]:
    """Write every shard; return the index completed by what only the files tell, and the manifest's entries."""
    rank, size = (world.rank, world.size) if world is not None else (0, 1)
    count = len(index.shards)
    mine: dict[int, tuple[Written, str]] = {}
    for number in range(rank, count, size):
        path = directory / index.shards["path"][number].decode()
        written = _kept(index, number, contributor, path)
        if written is None:
            written = _write(index, number, segments, contributor, path)
        mine[number] = written, sha256_file(path)
        if told is not None:
            told(path.name, min(number + size, count), count)
    digests = {number: digest for number, (_, digest) in mine.items()}
    if world is not None and size > 1:
        for every in world.gather_all(list(digests.items())):
            digests |= {int(number): digest for number, digest in every}
    every_one = [
        mine[number][0]
        if number in mine
        else _read_back(directory / index.shards["path"][number].decode())
        for number in range(count)
    ]
    return _completed(index, every_one), [
        _entry(index, number, one, digests[number]) for number, one in enumerate(every_one)
    ]


def _write(
    index: Index, number: int, segments: tuple[Segment, ...], contributor: str, path: Path
) -> Written:
    """Write one shard beside its place, and rename it there when it is whole and on disk."""
    content = shard.fill(index, number, segments)
    words = shard.attributes(index, number, contributor, content.content_id)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # of a writer that was killed
    offset = shard.write(part, words, content, shard.tables(index, number))
    part.rename(path)
    return Written(
        bytes=path.stat().st_size,
        offset=offset,
        stats=content.stats,
        leaves=content.leaves,
        content_id=content.content_id,
    )


def _kept(index: Index, number: int, contributor: str, path: Path) -> Written | None:
    """Return what a killed writer has sealed, if it is this shard and its bytes are what it says."""
    if not path.is_file():
        return None
    try:
        found = _read_back(path)
        whole = _is_whole(index, number, contributor, path, found)
    except (OSError, KeyError, ValueError, RuntimeError):
        whole = False  # a machine that lost power: the file is made again
    if whole:
        return found
    path.unlink()
    return None


def _is_whole(index: Index, number: int, contributor: str, path: Path, found: Written) -> bool:
    with h5py.File(path, "r") as file:
        words = shard.attributes(index, number, contributor, found.content_id)
        if {name: str(text) for name, text in _texts(file).items()} != words:
            return False
        counts = index.shards["count"][number].tolist()
        signals = [
            file[f"signals/{name}"][()] if wanted else np.zeros(0, dtype)
            for name, wanted, dtype in zip(storage.STORAGES, counts, storage.DTYPES, strict=True)
        ]
        masks = file["masks/valid"][()]
    again = shard.describe(index, number, tuple(signals), masks)
    leaves = np.concatenate([leaf_hashes(one.view(np.uint8).data) for one in signals])
    return (
        [len(one) for one in signals] == counts
        and np.array_equal(leaves, found.leaves)
        and again.content_id == found.content_id
        and again.stats.tobytes() == found.stats.tobytes()
    )


def _texts(file: h5py.File) -> dict[str, str]:
    return {
        name: text.decode() if isinstance(text, bytes) else text
        for name, text in file.attrs.items()
    }


def _read_back(path: Path) -> Written:
    """Return what the file of a sealed shard tells."""
    with h5py.File(path, "r") as file:
        return Written(
            bytes=path.stat().st_size,
            offset=[
                file[f"signals/{name}"].id.get_offset() if f"signals/{name}" in file else 0
                for name in storage.STORAGES
            ],
            stats=file["stats"][()],
            leaves=file["integrity/leaves"][()],
            content_id=_texts(file)["content_id"],
        )


def _completed(index: Index, written: list[Written]) -> Index:
    shards = index.shards.copy()
    for number, one in enumerate(written):
        shards["offset"][number] = one.offset
        shards["bytes"][number] = one.bytes
        shards["leaf0"][number] = sum(len(before.leaves) for before in written[:number])
    return replace(
        index,
        shards=shards,
        stats=np.concatenate([one.stats for one in written]),
        leaves=np.concatenate([one.leaves for one in written]),
    )


def _entry(index: Index, number: int, written: Written, sha256: str) -> dict[str, Any]:
    """Return the manifest's entry of a shard."""
    rows = index.segments[index.segments["shard"] == number]
    return {
        "path": index.shards["path"][number].decode(),
        "bytes": written.bytes,
        "sha256": sha256,
        "merkle_root": merkle_root(written.leaves),
        "content_id": written.content_id,
        "split": index.split_of(number).value,
        "segments": len(rows),
        "series": int(rows["series_count"].sum()),
        "steps": int(rows["steps"].sum()),
        "values": int(index.shards["count"][number].sum()),
        **_times(rows),
    }


def _times(rows: Table) -> dict[str, int | None]:
    """Return the first and the last moment measured, where there is a clock."""
    clocked = [row for row in rows if row["t0_ns"] != index_.NO_CLOCK]
    if not clocked:
        return {"t_min_ns": None, "t_max_ns": None}
    lasts = [
        int(row["t0_ns"])
        + (int(row["steps"]) - 1) * _NS * int(row["rate_den"]) // int(row["rate_num"])
        for row in clocked
    ]
    return {"t_min_ns": min(int(row["t0_ns"]) for row in clocked), "t_max_ns": max(lasts)}
