"""Seal a contribution: check it, encode it, write its directory so that it appears whole.

Order on disk: each shard as .part, closed, flushed, hashed, renamed; index.pack; card.yaml;
manifest.json; the directory itself renamed last. A killed writer leaves `.<name>.*.part` only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import index as index_
from forgia_hpc.data import shard
from forgia_hpc.data.admission import problems_of
from forgia_hpc.data.card import Card, card_from, dump_card
from forgia_hpc.data.index import Index
from forgia_hpc.data.integrity import merkle_root
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.layout import Contribution, Segment
from forgia_hpc.data.manifest import (
    CARD,
    FORMAT,
    INDEX,
    MANIFEST,
    SHARDS,
    flatten,
    load_manifest,
    version_of,
)
from forgia_hpc.data.plan import SHARD_BYTES, plan
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import sync_directory

_NS = 10**9


def seal(
    contribution: Contribution,
    card: dict[str, Any] | Card,
    into: Path,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> str:
    """Write a contribution as the dataset directory `into` and return its version.

    Raises:
        InputError: everything wrong with card and contribution, or `into` is there already.

    """
    card = card if isinstance(card, Card) else card_from(card, where=f"card of {into.name}")
    problems = problems_of(contribution, card)
    if problems:
        raise InputError(problems)
    seasons = {**card.season_steps, **contribution.season_steps}
    contribution = replace(contribution, season_steps=seasons)
    with _directory(into, overwrite=overwrite) as temporary:
        content = _write_contribution(contribution, card, temporary, shard_bytes)
    return version_of(content)


def seal_consortium(
    name: str,
    members: list[Path],
    card: dict[str, Any] | Card,
    into: Path,
    *,
    overwrite: bool = False,
) -> str:
    """Write a consortium of sealed contributions as the directory `into`; return its version.

    Raises:
        InputError: the card names other members, or is of another name.
        SealBrokenError: a member is half-copied or altered.

    """
    card = card if isinstance(card, Card) else card_from(card, where=f"card of {into.name}")
    manifests = flatten([load_manifest(member) for member in members])
    names = sorted(manifest.name for manifest in manifests)
    problems = []
    if sorted(card.members) != names:
        problems.append(Problem(field="card.members", got=sorted(card.members), limit=f"{names}"))
    if card.name != name:
        problems.append(Problem(field="card.name", got=card.name, limit=f"must be {name!r}"))
    if problems:
        raise InputError(problems)
    with _directory(into, overwrite=overwrite) as temporary:
        content = {
            "format": FORMAT,
            "name": name,
            "contributor": card.contributor,
            "files": [_write(temporary, CARD, dump_card(card).encode())],
            "members": [
                {
                    "name": one.name,
                    "version": one.version,
                    "path": os.path.relpath(one.directory.resolve(), into.resolve()),
                }
                for one in sorted(manifests, key=lambda one: one.name)
            ],
        }
        _write(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


@contextlib.contextmanager
def _directory(into: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a directory beside `into` that takes its place on a clean exit."""
    if into.exists() and not overwrite:
        raise InputError(
            Problem(
                field="into",
                got=str(into),
                limit="is there already; a sealed dataset is never changed",
                fix="choose another directory, or say overwrite",
            )
        )
    into.parent.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    temporary = into.with_name(f".{into.name}.{mark}.part")
    temporary.mkdir()
    try:
        yield temporary
        sync_directory(temporary)
        if into.exists():
            old = into.rename(into.with_name(f".{into.name}.{mark}.old"))
            temporary.rename(into)
            shutil.rmtree(old)
        else:
            temporary.rename(into)
        sync_directory(into.parent)
    except OSError as error:
        error.filename = error.filename or str(into)  # HDF5 and a failed write do not say where
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_contribution(
    contribution: Contribution, card: Card, directory: Path, shard_bytes: int
) -> dict[str, Any]:
    """Write all files, the manifest last, and return the manifest."""
    laid = plan(contribution, shard_bytes=shard_bytes)
    (directory / SHARDS).mkdir()
    index, entries = _write_shards(laid.index, laid.segments, contribution.contributor, directory)
    sync_directory(directory / SHARDS)
    content = {
        "format": FORMAT,
        "layout": TELEMETRY,
        "name": contribution.name,
        "contributor": contribution.contributor,
        "files": [
            _write(directory, INDEX, index_.pack(index)),
            _write(directory, CARD, dump_card(card).encode()),
        ],
        "shards": entries,
        "season_steps": contribution.season_steps,
        "marks": {
            "sealed": len(index.marks),
            "outside": len(contribution.marks) - len(index.marks),
        },
        "provenance": contribution.provenance,
    }
    _write(directory, MANIFEST, canonical_json(content))
    return content


def _write(directory: Path, name: str, data: bytes) -> dict[str, Any]:
    path = directory / name
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return {"path": name, "bytes": len(data), "sha256": sha256_file(path)}


def _write_shards(
    index: Index, segments: tuple[Segment, ...], contributor: str, directory: Path
) -> tuple[Index, list[dict[str, Any]]]:
    """Write every shard; return the index completed by what only the files tell, and the entries."""
    shards = index.shards.copy()
    entries: list[dict[str, Any]] = []
    stats: list[index_.Table] = []
    leaves: list[NDArray[np.uint8]] = []
    for number in range(len(shards)):
        content = shard.fill(index, number, segments)
        path = directory / shards["path"][number].decode()
        words = shard.attributes(index, number, contributor, content.content_id)
        part = path.with_name(path.name + ".part")
        shards["offset"][number] = shard.write(part, words, content, shard.tables(index, number))
        shards["bytes"][number] = part.stat().st_size
        shards["leaf0"][number] = sum(len(one) for one in leaves)
        entries.append(_entry(index, number, content, part))
        part.rename(path)
        stats.append(content.stats)
        leaves.append(content.leaves)
    complete = replace(
        index, shards=shards, stats=np.concatenate(stats), leaves=np.concatenate(leaves)
    )
    return complete, entries


def _entry(index: Index, number: int, content: shard.Content, path: Path) -> dict[str, Any]:
    """Return the manifest's entry of a shard written at `path`."""
    rows = index.segments[index.segments["shard"] == number]
    return {
        "path": index.shards["path"][number].decode(),
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "merkle_root": merkle_root(content.leaves),
        "content_id": content.content_id,
        "split": index.split_of(number).value,
        "segments": len(rows),
        "series": int(rows["series_count"].sum()),
        "steps": int(rows["steps"].sum()),
        "values": sum(len(signal) for signal in content.signals),
        **_times(rows),
    }


def _times(rows: index_.Table) -> dict[str, int | None]:
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
