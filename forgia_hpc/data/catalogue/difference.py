"""What differs between two datasets, or two versions of one, and which part of a version that raises.

The parts of a version are Croissant's. PATCH: the data are the same, stored or described otherwise. MINOR: what
was there is still there, and something is new. MAJOR: what was there has changed or gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forgia_hpc.data.catalogue.part import Part

RAISES = ("none", "patch", "minor", "major")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of one contribution. Shards are told by path, the rest in lines."""

    contribution: str
    word: str  # same | added | removed | changed
    before: str = ""  # identifiers
    after: str = ""
    steps: tuple[int, int] = (0, 0)  # before, after
    values: tuple[int, int] = (0, 0)
    bytes: tuple[int, int] = (0, 0)
    same_content: bool = True
    shards_added: tuple[str, ...] = ()
    shards_removed: tuple[str, ...] = ()
    shards_altered: tuple[str, ...] = ()  # same path, other values
    shards_stored: tuple[str, ...] = ()  # same values in other bytes: packed, encrypted
    channels_added: tuple[str, ...] = ()
    channels_removed: tuple[str, ...] = ()
    channels_altered: tuple[str, ...] = ()
    channels_unknown: bool = False  # encrypted, without the key
    terms: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def raises(self) -> str:
        """The part of a version that this raises."""
        if self.word == "removed" or self.shards_removed or self.shards_altered:
            return "major"
        if self.channels_removed or self.channels_altered:
            return "major"
        if self.word == "added" or self.shards_added or self.channels_added:
            return "minor"
        return "none" if self.word == "same" else "patch"


def compare(before: Mapping[str, Part], after: Mapping[str, Part]) -> list[Change]:
    """Return what became of each contribution, in order of names; two single ones are compared by any name."""
    if len(before) == len(after) == 1:
        return [_change(next(iter(before.values())), next(iter(after.values())))]
    return [_change(before.get(name), after.get(name)) for name in sorted({*before, *after})]


def raised(changes: list[Change]) -> str:
    """Return the highest part of a version that these changes raise."""
    return max((one.raises for one in changes), key=RAISES.index, default="none")


def _change(before: Part | None, after: Part | None) -> Change:
    if before is None or after is None:
        return _whole(before, after)
    ids_before, ids_after = _ids(before), _ids(after)
    gone, new = ids_before - ids_after, ids_after - ids_before
    removed = {path for path, one in before.shards.items() if one["content_id"] in gone}
    added = {path for path, one in after.shards.items() if one["content_id"] in new}
    channels = _channels(before, after)
    return Change(
        contribution=after.name,
        word="same" if before.version == after.version else "changed",
        before=before.identifier,
        after=after.identifier,
        steps=_total("steps", before, after),
        values=_total("values", before, after),
        bytes=_total("bytes", before, after),
        same_content=ids_before == ids_after,
        shards_added=tuple(sorted(added - removed)),
        shards_removed=tuple(sorted(removed - added)),
        shards_altered=tuple(sorted(removed & added)),
        shards_stored=tuple(_stored(before, after)),
        channels_added=channels[0],
        channels_removed=channels[1],
        channels_altered=channels[2],
        channels_unknown=before.channels is None or after.channels is None,
        terms=tuple(_terms(before, after)),
        facts=tuple(_facts(before, after)),
    )


def _whole(before: Part | None, after: Part | None) -> Change:
    """Return the change of a contribution that came or went."""
    part = after or before
    assert part is not None
    return Change(
        contribution=part.name,
        word="added" if after else "removed",
        before=before.identifier if before else "",
        after=after.identifier if after else "",
        steps=_total("steps", before, after),
        values=_total("values", before, after),
        bytes=_total("bytes", before, after),
        same_content=False,
    )


def _total(fact: str, before: Part | None, after: Part | None) -> tuple[int, int]:
    return (before.total(fact) if before else 0, after.total(fact) if after else 0)


def _ids(part: Part) -> set[str]:
    return {shard["content_id"] for shard in part.shards.values()}


def _stored(before: Part, after: Part) -> Iterator[str]:
    """Yield the shards whose values are the same and whose bytes are not."""
    known = {one["content_id"]: one["sha256"] for one in before.shards.values()}
    for path, one in after.shards.items():
        if known.get(one["content_id"], one["sha256"]) != one["sha256"]:
            yield path


def _channels(
    before: Part, after: Part
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the channels added, removed, and in lines what changed of those that stayed."""
    old, new = before.channels, after.channels
    if old is None or new is None:
        return (), (), ()
    altered = [
        f"{name}: {fact} {old[name].get(fact) or 'none'} → {new[name].get(fact) or 'none'}"
        for name in sorted(old.keys() & new.keys())
        for fact in sorted(old[name].keys() | new[name].keys())
        if old[name].get(fact, "") != new[name].get(fact, "")
    ]
    return (
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(altered),
    )


def _terms(before: Part, after: Part) -> Iterator[str]:
    """Yield what changed of the policies, in words."""
    for name in sorted({*before.terms, *after.terms}):
        of = f" ({name})" if name else ""
        old = {row[0]: row[1] for row in before.terms.get(name, [])}
        new = {row[0]: row[1] for row in after.terms.get(name, [])}
        for what in dict.fromkeys((*old, *new)):
            if old.get(what) != new.get(what):
                yield f"{what}{of}: {old.get(what, 'not said')} → {new.get(what, 'not said')}"


def _facts(before: Part, after: Part) -> Iterator[str]:
    """Yield what changed of the card, the contributor and the layout."""
    old = {
        "name": before.name,
        "contributor": before.contributor,
        "layout": before.layout,
        **before.card,
    }
    new = {
        "name": after.name,
        "contributor": after.contributor,
        "layout": after.layout,
        **after.card,
    }
    for name, value in new.items():
        if old.get(name) != value:
            yield f"{name}: {old.get(name) or 'none'} → {value or 'none'}"
