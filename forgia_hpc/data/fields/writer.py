"""Seal trajectories: check them, write their shards one by one, so that the directory appears whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.card import Card, card_from, dump_card
from forgia_hpc.data.fields import shard, storage
from forgia_hpc.data.fields.admission import problems_of, shape_problem
from forgia_hpc.data.fields.index import FieldIndex, pack
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.fields.layout import Array, FieldSet, Trajectory
from forgia_hpc.data.fields.plan import SHARD_BYTES, FieldPlan, plan
from forgia_hpc.data.fields.words import text_of
from forgia_hpc.data.integrity import merkle_root
from forgia_hpc.data.manifest import CARD, FORMAT, INDEX, MANIFEST, SHARDS, version_of
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.data.writing.policies import write_policies
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import sync_directory


def seal_fields(
    given: FieldSet,
    card: dict[str, Any] | Card,
    into: Path,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    per_shard: int = 0,
) -> str:
    """Write trajectories as the dataset directory `into` and return its version.

    One trajectory is in memory at a time, if its `values` load themselves.

    Raises:
        InputError: everything wrong with card and schema; the first value that can't be stored; or `into`
            is there already.

    """
    card = card if isinstance(card, Card) else card_from(card, where=f"card of {into.name}")
    if problems := problems_of(given, card):
        raise InputError(problems)
    laid = plan(given, shard_bytes=shard_bytes, per_shard=per_shard)
    with appearing(into, overwrite=overwrite) as temporary:
        (temporary / SHARDS).mkdir()
        sources = [
            shard.Source(
                index=laid.index,
                shard=number,
                contributor=given.contributor,
                facts=_facts(laid, number),
                stored=_Encoder(laid, given.shared, number),
            )
            for number in range(len(laid.index.shards))
        ]
        index, entries = write_shards(sources, temporary)
        content = manifest_content(given, index, entries, card, temporary)
        write_file(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


def write_shards(
    sources: Sequence[shard.Source], directory: Path
) -> tuple[FieldIndex, list[dict[str, Any]]]:
    """Write every shard; return the index completed by what only the files tell, and the entries."""
    written: list[shard.Written] = []
    entries: list[dict[str, Any]] = []
    for source in sources:
        path = directory / source.index.shards["path"][source.shard].decode()
        part = path.with_name(path.name + ".part")
        found = shard.write(part, source)
        entries.append(shard_entry(source, found, part, sha256_file(part)))
        part.rename(path)
        written.append(found)
    sync_directory(directory / SHARDS)
    return complete_index(sources[0].index, written, [one["bytes"] for one in entries]), entries


def complete_index(
    index: FieldIndex, written: Sequence[shard.Written], sizes: Sequence[int]
) -> FieldIndex:
    """Return the index with what only the files tell; sizes: of the files, in bytes."""
    shards, arrays = index.shards.copy(), index.arrays.copy()
    shards["bytes"] = sizes
    shards["leaf0"] = np.cumsum([0, *(len(one.leaves) for one in written)])[:-1]
    arrays["offset"] = np.concatenate([one.offsets for one in written])
    return replace(
        index,
        shards=shards,
        arrays=arrays,
        stats=np.concatenate([one.stats for one in written]),
        deltas=np.concatenate([one.deltas for one in written]),
        leaves=np.concatenate([one.leaves for one in written]),
    )


def manifest_content(
    given: FieldSet, index: FieldIndex, entries: list[dict[str, Any]], card: Card, directory: Path
) -> dict[str, Any]:
    """Write index.pack, card.yaml and the terms, and return what the manifest says."""
    named = [card.policy_named("") or ""] * len(entries)
    policies, digests = write_policies(card, named, directory)
    return {
        "format": FORMAT,
        "layout": FIELDS,
        "name": given.name,
        "contributor": given.contributor,
        "files": [
            write_file(directory, INDEX, pack(index)),
            write_file(directory, CARD, dump_card(card).encode()),
            *policies,
        ],
        "shards": [
            {**entry, **({"policy": digest} if digest else {})}
            for entry, digest in zip(entries, digests, strict=True)
        ],
        "provenance": given.provenance,
    }


def shard_entry(
    source: shard.Source, found: shard.Written, path: Path, sha256: str
) -> dict[str, Any]:
    """Return the manifest's entry of a shard written at `path`."""
    index = source.index
    row = index.shards[source.shard]
    count, steps = int(row["trajectories"]), int(row["steps"])
    return {
        "path": row["path"].decode(),
        "bytes": path.stat().st_size,
        "sha256": sha256,
        "merkle_root": merkle_root(found.leaves),
        "content_id": found.content_id,
        "split": index.split_of(source.shard).value,
        "segments": count,
        "series": count * len(index.schema.channels(range(len(index.schema.fields)))),
        "steps": count * steps,
        "values": sum(int(np.prod(shape)) for shape in source.shapes()),
        "t_min_ns": None,
        "t_max_ns": None,
    }


def _facts(laid: FieldPlan, number: int) -> list[str]:
    return [text_of(dict(laid.trajectories[row].provenance)) for row in laid.index.rows_of(number)]


@dataclass(frozen=True)
class _Encoder:
    """Gives the stored numbers of one shard's trajectories; checks each array when it comes."""

    laid: FieldPlan
    shared: Mapping[str, Array]
    shard: int

    def __call__(self, field: int, row: int) -> Array:
        """Return the stored numbers of a field of a trajectory, or of a shared one."""
        schema = self.laid.index.schema
        one = schema.fields[field]
        trajectory = self._trajectory(row)
        values = np.asarray((trajectory.values if one.per_trajectory else self.shared)[one.name])
        where = f"trajectory {trajectory.member}.{one.name}" if one.per_trajectory else one.name
        problems = shape_problem(values, one.shape(schema.grid, len(trajectory.times)), where)
        if not problems and (fault := storage.fault(values, one)):
            problems = [Problem(field=where, got=fault, limit=f"must fit into {one.storage}")]
        if problems:
            raise InputError(problems)
        return storage.encode(values, one)

    def _trajectory(self, row: int) -> Trajectory:
        return self.laid.trajectories[self.laid.index.rows_of(self.shard)[row]]
