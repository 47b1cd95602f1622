"""Splits by machine and time: what is held out must not have been trained on, under another name either."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from forgia_hpc.data.index import Index
from forgia_hpc.data.layout import Contribution, Split
from forgia_hpc.data.writing.admission import first_steps
from forgia_hpc.errors import Problem

# asset, group, split, first step of the asset's clock, steps
Stretch = tuple[str, str, Split, int, int]


def split_problems(contribution: Contribution) -> list[Problem]:
    """Return what is wrong with the splits of a contribution before it is sealed."""
    firsts = first_steps(contribution.segments)
    stretches = [
        (one.asset, one.group, one.split, first, one.values.shape[-1])
        for one, first in zip(contribution.segments, firsts, strict=True)
    ]
    return [Problem(field="split", got=got, limit=limit) for got, limit in split_faults(stretches)]


def stretches_of(index: Index) -> list[Stretch]:
    """Return the segments of a sealed contribution."""
    return [
        (
            index.assets[row["asset"]],
            index.groups[row["group"]],
            index.split_of(int(row["shard"])),
            int(row["first"]),
            int(row["steps"]),
        )
        for row in index.segments
    ]


def split_faults(stretches: Iterable[Stretch]) -> Iterator[tuple[str, str]]:
    """Yield (what, why): a held-out machine in another split; training steps at or after held-out ones.

    A window, its context included, lies within one segment, so no evaluated window reaches into training
    steps where segments do not overlap.
    """
    splits: dict[str, set[Split]] = defaultdict(set)
    trained: dict[tuple[str, str], int] = {}
    judged: dict[tuple[str, str], int] = {}
    for asset, group, split, first, steps in stretches:
        splits[asset].add(split)
        key = (asset, group)
        if split is Split.train:
            trained[key] = max(trained.get(key, first + steps), first + steps)
        elif split is Split.held_out_time:
            judged[key] = min(judged.get(key, first), first)
    for asset, found in sorted(splits.items()):
        if Split.held_out_machines in found and len(found) > 1:
            others = ", ".join(sorted(one.value for one in found - {Split.held_out_machines}))
            yield asset, f"a machine of held_out_machines is in {others} too"
    for key in sorted(trained.keys() & judged.keys()):
        if trained[key] > judged[key]:
            limit = f"trained on up to step {trained[key]}, held out from step {judged[key]} on"
            yield f"{key[0]}, {key[1]}", limit
