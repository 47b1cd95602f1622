"""What a withdrawal will do, before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.manifest import MANIFEST, Manifest, ShardEntry, load_manifest
from forgia_hpc.errors import InputError, Problem, SealBrokenError


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """What a withdrawal will do, before anything is touched."""

    manifest: Manifest  # of the contribution
    shards: tuple[ShardEntry, ...]  # that go
    consortia: tuple[Manifest, ...]  # that name it
    frozen: tuple[Manifest, ...] = ()  # versions that name it, and can't be read any more
    own: bool  # the contribution itself gets a new version; False: it only leaves a consortium
    unread: tuple[
        str, ...
    ] = ()  # neighbours that may name it and are broken: they can't be read, nor hinder it

    @property
    def whole(self) -> bool:
        """Return whether nothing of it stays."""
        return len(self.shards) == len(self.manifest.shards)

    @property
    def key_ids(self) -> list[str]:
        """Return the data keys that are destroyed."""
        if not self.own:
            return []
        files = self.manifest.files if self.whole else ()
        return [one.key_id for one in (*self.shards, *files) if one.key_id]

    @property
    def paths(self) -> set[str]:
        """Return the paths of what goes."""
        return {one.path for one in self.shards}


def plan_withdrawal(
    directory: Path, shards: Sequence[str] = (), consortium: Path | None = None
) -> Withdrawal:
    """Return what withdrawing a contribution, or some of its shards, will do.

    Args:
        directory: of the contribution; consortia beside it that name it are found.
        shards: paths as in its manifest; all unless given.
        consortium: leave only this one; the contribution stays as it is.

    Raises:
        InputError: no such shard, nothing left to withdraw, or the consortium does not name it.
    """
    manifest = load_manifest(directory)
    chosen = tuple(one for one in manifest.shards if not shards or one.path in shards)
    problems = [
        problem("--shards", name, f"{manifest.name} has no such shard")
        for name in shards
        if name not in {one.path for one in manifest.shards}
    ]
    if manifest.members or not chosen:
        limit = "a contribution with shards is withdrawn, not a consortium or an empty one"
        problems.append(problem("CONTRIBUTION", manifest.name, limit))
    if shards and consortium:
        limit = "some shards are withdrawn from the contribution itself, for every consortium"
        problems.append(problem("--from", consortium.name, limit))
    if shards and manifest.layout != TELEMETRY:
        problems.append(problem("--shards", manifest.layout, f"only of {TELEMETRY}: else whole"))
    beside, unread = ([load_manifest(consortium)], []) if consortium else _beside(directory)
    consortia = tuple(one for one in beside if _names(one, manifest))
    if consortium and not consortia:
        problems.append(problem("--from", consortium.name, f"does not name {manifest.name}"))
    if problems:
        raise InputError(problems)
    return Withdrawal(
        manifest=manifest,
        shards=chosen,
        consortia=consortia,
        frozen=tuple(one for one in beside if _is_lost(one, manifest)),
        own=consortium is None,
        unread=tuple(unread),
    )


def problem(field: str, got: str, limit: str) -> Problem:
    """Return a problem of a withdrawal."""
    return Problem(field=field, got=got, limit=limit)


def _beside(directory: Path) -> tuple[list[Manifest], list[str]]:
    """Return the datasets of the same root, and what is wrong with those that can't be read."""
    found, unread = [], []
    for path in sorted(directory.resolve().parent.glob(f"*/{MANIFEST}")):
        if path.parent.name.startswith(".") or path.parent == directory.resolve():
            continue
        try:
            if _holds_shards(path):
                continue
            found.append(load_manifest(path.parent))
        except (InputError, SealBrokenError, OSError) as error:
            unread.append(str(error))
    return found, unread


def _holds_shards(path: Path) -> bool:
    """Return whether a manifest is a contribution's: it names no other, and ten thousand shards are not parsed."""
    data = path.read_bytes()
    return b'"shards":' in data and b'"members":' not in data


def _names(consortium: Manifest, manifest: Manifest) -> bool:
    if "frozen" in consortium.content:
        return False  # it never changes: it is refused once a member is no longer what it names
    wanted = manifest.directory.resolve()
    return any((consortium.directory / one.path).resolve() == wanted for one in consortium.members)


def _is_lost(frozen: Manifest, manifest: Manifest) -> bool:
    """Return whether a frozen version can be read until this version of a contribution is gone."""
    wanted = (manifest.directory.resolve(), manifest.version)
    return "frozen" in frozen.content and any(
        ((frozen.directory / one.path).resolve(), one.version) == wanted for one in frozen.members
    )
