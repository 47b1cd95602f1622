"""What a contribution must keep before it is sealed: every problem found, none mended."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from forgia_hpc.data.card import Card
from forgia_hpc.data.layout import Channel, Contribution, Segment
from forgia_hpc.data.writing.looks import Looks, look_at
from forgia_hpc.errors import Problem

ROLES = ("signal", "setting", "label", "target")
INPUT_ROLES = ("signal", "setting")  # what a model may see; the rest is for evaluation
_NS = 10**9


def first_steps(segments: tuple[Segment, ...]) -> list[int]:
    """Return the step of its asset's own clock at which each segment begins.

    With times: steps since the earliest t0_ns of the asset, rounded. With a clock by index: the
    segments of an asset's group follow each other in the order given.
    """
    starts: dict[str, int] = {}
    for segment in segments:
        if segment.t0_ns is not None:
            starts[segment.asset] = min(starts.get(segment.asset, segment.t0_ns), segment.t0_ns)
    ends: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for segment in segments:
        key = (segment.asset, segment.group)
        first = ends[key]
        if segment.t0_ns is not None:
            elapsed = segment.t0_ns - starts[segment.asset]
            first = round(Fraction(elapsed * segment.rate_num, segment.rate_den * _NS))
        found.append(first)
        ends[key] = first + segment.values.shape[-1]
    return found


def problems_of(
    contribution: Contribution, card: Card, looks: Looks | None = None
) -> list[Problem]:
    """Return everything that hinders sealing this contribution under this card."""
    shapes = [
        *_card_problems(contribution, card),
        *_channel_problems(contribution),
        *_segment_problems(contribution),
    ]
    if shapes:
        return shapes  # what follows counts on whole segments and channels
    return [
        *_clock_problems(contribution),
        *_mark_problems(contribution),
        *_value_problems(contribution, looks or look_at(contribution.segments)),
    ]


def _card_problems(contribution: Contribution, card: Card) -> Iterator[Problem]:
    for name in ("name", "contributor"):
        ours, theirs = getattr(contribution, name), getattr(card, name)
        if ours != theirs:
            yield Problem(field=f"card.{name}", got=theirs, limit=f"the contribution says {ours!r}")
    for named in sorted({segment.policy for segment in contribution.segments}):
        if card.policy_named(named) is None:
            limit = f"the card has {', '.join(card.terms)}"
            yield Problem(field="policy", got=named or "none named", limit=limit)
    if card.members:
        yield Problem(field="card.members", got=list(card.members), limit="a consortium's only")
    groups = {segment.group for segment in contribution.segments}
    for group, steps in {**card.season_steps, **contribution.season_steps}.items():
        if group not in groups:
            yield Problem(field=f"season_steps.{group}", got=steps, limit="no such group")
        elif type(steps) is not int or steps < 1:
            yield Problem(field=f"season_steps.{group}", got=steps, limit="at least 1")
        elif contribution.season_steps.get(group, steps) != card.season_steps.get(group, steps):
            limit = f"the card says {card.season_steps[group]}"
            yield Problem(field=f"season_steps.{group}", got=steps, limit=limit)


def _channel_problems(contribution: Contribution) -> Iterator[Problem]:
    known: dict[tuple[str, str], Channel] = {}
    for segment in contribution.segments:
        for channel in segment.channels:
            key = (segment.group, channel.name)
            if key not in known:
                known[key] = channel
                yield from _one_channel(segment.group, channel)
            elif known[key] != channel:
                yield Problem(
                    field="/".join(key),
                    got=channel,
                    limit=f"differs from {known[key]} of another segment",
                    where=segment.asset,
                    fix="one definition for a channel of a group",
                )


def _one_channel(group: str, channel: Channel) -> Iterator[Problem]:
    field = f"{group}/{channel.name}"
    for name in ("name", "ucum", "quantity", "semantic_id"):
        if not getattr(channel, name):
            yield Problem(field=f"{field}.{name}", got="", limit="a text is needed")
    if channel.role not in ROLES:
        yield Problem(field=f"{field}.role", got=channel.role, limit=f"one of {', '.join(ROLES)}")
    scale = 1.0 if channel.scale is None else channel.scale
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(channel.zero)):
        got = (channel.scale, channel.zero)
        yield Problem(field=f"{field}.scale", got=got, limit="finite, and the scale above 0")
    for name in ("valid_min", "valid_max"):
        if not math.isfinite(getattr(channel, name) or 0.0):
            got = getattr(channel, name)
            yield Problem(field=f"{field}.{name}", got=got, limit="finite, or None")


def _segment_problems(contribution: Contribution) -> Iterator[Problem]:
    if not contribution.segments:
        yield Problem(field="segments", got="none", limit="at least one", where=contribution.name)
    for number, segment in enumerate(contribution.segments):
        field = f"segments[{number}]"
        shape = segment.values.shape
        if len(shape) != 2 or shape[0] != len(segment.channels) or 0 in shape:
            limit = f"({len(segment.channels)} channels, at least 1 step)"
            yield Problem(field=f"{field}.values", got=shape, limit=limit, where=segment.asset)
        if segment.rate_num < 1 or segment.rate_den < 1:
            got = f"{segment.rate_num}/{segment.rate_den}"
            yield Problem(field=f"{field}.rate", got=got, limit="above 0", where=segment.asset)
        for name, count in Counter(channel.name for channel in segment.channels).items():
            if count > 1:
                yield Problem(
                    field=f"{field}.channels", got=name, limit="once", where=segment.asset
                )


def _clock_problems(contribution: Contribution) -> Iterator[Problem]:
    clocks: dict[str, set[bool]] = defaultdict(set)
    stretches: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    firsts = first_steps(contribution.segments)
    for first, segment in zip(firsts, contribution.segments, strict=True):
        clocks[segment.asset].add(segment.t0_ns is None)
        end = first + segment.values.shape[1]
        stretches[segment.asset, segment.group].append((first, end))
    for asset, kinds in clocks.items():
        if len(kinds) > 1:
            limit = "times for all of an asset's segments, or for none"
            yield Problem(field="t0_ns", got="both", limit=limit, where=asset)
    for (asset, group), stretch in stretches.items():
        stretch.sort()
        for (_, end), (begin, _) in itertools.pairwise(stretch):
            if begin < end:
                yield Problem(
                    field=f"{group}: first step of a segment",
                    got=begin,
                    limit=f"the one before lasts to step {end - 1}: no step may be in two",
                    where=asset,
                )


def _mark_problems(contribution: Contribution) -> Iterator[Problem]:
    rates: dict[str, set[Fraction]] = defaultdict(set)
    for segment in contribution.segments:
        rates[segment.asset].add(Fraction(segment.rate_num, segment.rate_den))
    for number, mark in enumerate(contribution.marks):
        field = f"marks[{number}]"
        if mark.asset not in rates:
            yield Problem(field=field, got=mark.asset, limit="no segment has this asset")
        elif len(rates[mark.asset]) > 1:
            limit = "an asset with marks has one rate: steps would be ambiguous"
            yield Problem(field=field, got=mark.asset, limit=limit)
        if mark.last < mark.first or mark.first < 0 or not math.isfinite(mark.value):
            yield Problem(field=field, got=mark, limit="0 <= first <= last, finite value")


def _value_problems(contribution: Contribution, looks: Looks) -> Iterator[Problem]:
    """One problem for each channel and kind of fault, with how many more there are."""
    found: dict[tuple[str, str], Problem] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for segment, mine in zip(contribution.segments, looks, strict=True):
        for channel, one in zip(segment.channels, mine, strict=True):
            for fault in one.faults:
                field = f"{segment.group}/{channel.name}"
                counts[field, fault.limit] += fault.count
                found.setdefault(
                    (field, fault.limit),
                    Problem(
                        field=field,
                        got=fault.value,
                        limit=fault.limit,
                        where=f"asset {segment.asset}, row {fault.row}",
                        fix="mend the recipe's scale, zero or limits, or leave scale out (float32)",
                    ),
                )
    for key, problem in found.items():
        more = f" ({counts[key]} values)" if counts[key] > 1 else ""
        yield replace(problem, limit=problem.limit + more)
