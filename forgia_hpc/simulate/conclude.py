"""Seal what a campaign has admitted: every array compared with the journal, shards shared among the ranks.

A shard holds a fixed range of the planned members, so its bytes hang on nothing but which of them were admitted:
not on groups, ranks, blocks or kills. A shard that a stopped conclusion has finished is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py

from forgia_hpc.data.card import Card
from forgia_hpc.data.fields import shard
from forgia_hpc.data.fields.admission import problems_of
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import Array, FieldSet, Trajectory, place
from forgia_hpc.data.fields.plan import SHARD_BYTES, Run, lay, trajectory_bytes
from forgia_hpc.data.fields.words import text_of
from forgia_hpc.data.fields.writer import complete_index, manifest_content, shard_entry
from forgia_hpc.data.manifest import MANIFEST, SHARDS, version_of
from forgia_hpc.data.packed import SPLITS
from forgia_hpc.data.writing.appear import appearing_together, write_file
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import InputError, JobFailedError, StoppedError
from forgia_hpc.rundir import sync_directory
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.simulate.admission.stranger import shard_faults
from forgia_hpc.simulate.journal import Journal
from forgia_hpc.simulate.kept import Kept, UnsoundMember
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.trajectories import Reordered

PARTS = 8  # of the planned members, at least, where they are many
SMALL_BYTES = 32 << 20  # of a shard; a hundred files of a megabyte serve nobody
Told = Callable[[int, int], None]  # shards done, of how many


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """What is sealed, where, and by whom."""

    given: FieldSet
    members: Sequence[Member]  # one a trajectory, in order
    card: Card
    into: Path
    kept: Kept  # gives a member's arrays as they are stored, compared with the journal
    key: str  # the same for what would give the same shards
    planned: int  # members of level 0, admitted or not
    shard_members: int  # 0: chosen
    done: dict[str, str] = field(default_factory=dict)  # key/path → SHA-256 of a shard done earlier


def shard_runs(sealing: Sealing) -> list[Run]:
    """Return which trajectories each shard holds: by split, by steps, by range of the planned members."""
    given = sealing.given
    kinds = [(SPLITS.index(one.split), len(one.times)) for one in given.trajectories]
    steps = max(count for _, count in kinds)
    size = sealing.shard_members or _chosen(sealing.planned, trajectory_bytes(given.schema, steps))

    def kind(at: int) -> tuple[int, int, int]:
        return (*kinds[at], sealing.members[at].number // size)

    rows = sorted(range(len(kinds)), key=kind)
    return [(SPLITS[key[0]], key[1], list(rows_)) for key, rows_ in groupby(rows, kind)]


def _chosen(planned: int, member_bytes: int) -> int:
    """Return the members of a shard: so few that several ranks have one, as far as they are not too small."""
    least, most = (max(1, one // max(1, member_bytes)) for one in (SMALL_BYTES, SHARD_BYTES))
    return min(most, max(least, planned // PARTS))


def seal(sealing: Sealing, world: World, stop: StopFlag, journal: Journal, told: Told) -> str:
    """Write the dataset with all ranks and return its version.

    Raises:
        UnsoundMembers: some can't be sealed; nothing is.
        InputError: what no dataset may be, or the directory is another writer's.
        StoppedError: asked to stop between two shards; what is done stays.
    """
    if problems := problems_of(sealing.given, sealing.card):
        raise InputError(problems)
    runs = shard_runs(sealing)
    order = [at for _, _, rows in runs for at in rows]
    trajectories = Reordered(sealing.given.trajectories, order)
    index = lay(sealing.given.name, sealing.given.schema, runs, trajectories)
    key = sealing.key
    with appearing_together(sealing.into, world, overwrite=True, key=key) as temporary:
        if world.is_root:
            (temporary / SHARDS).mkdir(exist_ok=True)
        world.barrier()
        writing = _Writing(sealing, index, order, trajectories, temporary, key)
        unsound = _write_all(writing, world, stop, (journal, told))
        if unsound:
            raise UnsoundMembers(unsound)
        content = _manifest(writing, world)
    return version_of(content)


class UnsoundMembers(Exception):  # noqa: N818 - a finding, not an error of ours
    """Members that can't be sealed, and why."""

    def __init__(self, found: dict[int, str]) -> None:
        """Take why by the member's number."""
        super().__init__(f"{len(found)} members are unsound")
        self.found = found


@dataclass
class _Writing:
    sealing: Sealing
    index: FieldIndex
    order: list[int]
    trajectories: Sequence[Trajectory]
    directory: Path
    key: str
    digests: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # of written shards, read as a stranger would

    def path(self, number: int) -> str:
        return str(self.index.shards["path"][number].decode())

    def source(self, number: int, *, told: bool = True) -> shard.Source:
        """Return what a shard is made from; `told`: with what is said of each trajectory."""
        rows = self.index.rows_of(number)
        about = (self.trajectories[row].provenance for row in (rows if told else ()))
        return shard.Source(
            index=self.index,
            shard=number,
            contributor=self.sealing.given.contributor,
            facts=[text_of(dict(one)) for one in about],
            stored=lambda at, row: self._stored(at, rows[row]),
        )

    def _stored(self, at: int, row: int) -> Array:
        one = self.index.schema.fields[at]
        if not one.per_trajectory:
            return self.sealing.given.shared[one.name]
        return self.sealing.kept.read(self.sealing.members[self.order[row]], f"fields/{one.name}")


def _write_all(
    writing: _Writing, world: World, stop: StopFlag, notes: tuple[Journal, Told]
) -> dict[int, str]:
    """Write every shard, each rank its own; return what is unsound, on every rank."""
    journal, told = notes
    count = len(writing.index.shards)
    unsound: dict[int, str] = {}
    for first in range(0, count, world.size):
        if world.any(stop.requested):
            raise StoppedError(f"stopped after {first} of {count} shards")
        number = first + world.rank
        if number < count:
            unsound |= _write(writing, number, journal)
        if world.is_root:
            told(min(first + world.size, count), count)
    found: dict[int, str] = {}
    told_of = [list(writing.digests.items()), list(unsound.items()), writing.faults]
    faults: list[str] = []
    for digests, bad, wrong in world.gather_all(told_of):
        writing.digests |= {int(number): text for number, text in digests}
        faults += wrong
        found |= {int(at): why for at, why in bad}
    if faults:
        raise JobFailedError(
            f"a shard is not what was admitted, so nothing is: {'; '.join(faults[:5])}"
        )
    return found


def _faults(writing: _Writing, path: Path, number: int) -> list[str]:
    """Return what a stranger finds wrong in a written shard."""
    sealing = writing.sealing
    members = [sealing.members[writing.order[row]] for row in writing.index.rows_of(number)]
    return shard_faults(path, writing.index.schema, members, sealing.kept)


def _write(writing: _Writing, number: int, journal: Journal) -> dict[int, str]:
    """Write one shard, unless it is there; return the first member of it that is unsound."""
    path = writing.directory / writing.path(number)
    name = f"{writing.key[:16]}/{writing.path(number)}"
    if path.is_file() and sha256_file(path) == writing.sealing.done.get(name):
        writing.digests[number] = writing.sealing.done[name]
        return {}
    path.unlink(missing_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        shard.write(part, writing.source(number))
    except UnsoundMember as error:
        part.unlink(missing_ok=True)
        return {error.number: str(error)}
    except OSError:  # a full disk: the shards that are done wait for the next attempt
        part.unlink(missing_ok=True)
        raise
    if faults := _faults(writing, part, number):
        writing.faults += faults
        return {}
    part.rename(path)
    writing.digests[number] = sha256_file(path)
    journal.write({"what": "sealed", "shard": name, "sha256": writing.digests[number]})
    return {}


def _manifest(writing: _Writing, world: World) -> dict[str, Any]:
    """Write index, card and manifest on the first rank; return the manifest's content on every rank."""
    content: dict[str, Any] = {}
    if world.is_root:
        sealing, index = writing.sealing, writing.index
        paths = [writing.directory / writing.path(at) for at in range(len(index.shards))]
        written = [_read_back(path, index) for path in paths]
        sync_directory(writing.directory / SHARDS)
        entries = [
            shard_entry(writing.source(at, told=False), one, paths[at], writing.digests[at])
            for at, one in enumerate(written)
        ]
        whole = complete_index(index, written, [one["bytes"] for one in entries])
        content = manifest_content(sealing.given, whole, entries, sealing.card, writing.directory)
        write_file(writing.directory, MANIFEST, canonical_json(content))
    return dict(world.broadcast(content))


def _read_back(path: Path, index: FieldIndex) -> shard.Written:
    """Return what the file of a shard tells, whichever rank has written it."""
    with h5py.File(path, "r") as file:
        text = file.attrs["content_id"]
        return shard.Written(
            offsets=[int(file[place(one)].id.get_offset()) for one in index.schema.fields],
            stats=file["stats"][()],
            deltas=file["stats_delta"][()],
            leaves=file["integrity/leaves"][()],
            content_id=text.decode() if isinstance(text, bytes) else str(text),
        )
