"""Tracks → segments: whole machines are held out, and of every other machine the last share of its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from fractions import Fraction

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.labels import matching
from forgia_hpc.data.ingest.track import Track
from forgia_hpc.data.ingest.wanted import PolicySpec, SplitSpec
from forgia_hpc.data.layout import Segment, Split

SEGMENT_BYTES = 1 << 27  # of float32; no window reaches over the end of a segment


def split_tracks(
    tracks: dict[str, Track], spec: SplitSpec, findings: Findings
) -> tuple[Segment, ...]:
    """Return the segments of every machine, in the order of the tracks and of time."""
    held_out = set(matching(spec.machines, tracks))
    for pattern in spec.machines:
        if not matching((pattern,), tracks):
            findings.problem("split.machines", pattern, "no such machine")
    if held_out == set(tracks):
        findings.problem(
            "split.machines", ", ".join(spec.machines), "no machine is left to train on"
        )
    segments: list[Segment] = []
    for name, track in tracks.items():
        if name in held_out:
            segments += _segments(track, 0, track.steps, Split.held_out_machines)
            continue
        border = track.steps - round(track.steps * spec.time_share)
        segments += _segments(track, 0, border, Split.train)
        segments += _segments(track, border, track.steps, Split.held_out_time)
    return tuple(segments)


def _segments(track: Track, begin: int, end: int, split: Split) -> Iterator[Segment]:
    """Yield what lies between two steps of a track."""
    clock = track.spec.clock
    step = Fraction(str(clock.step_s)) if clock.step_s is not None else Fraction(1)
    for piece in track.pieces:
        first, last = max(begin, piece.first), min(end, piece.first + piece.steps)
        if first >= last:
            continue
        t0, most = track.t0_ns, most_steps(len(track.channels))
        for begun in range(first, last, most):
            ended = min(begun + most, last)
            yield Segment(
                asset=track.asset,
                group=track.spec.group,
                split=split,
                channels=track.channels,
                values=piece.values[:, begun - piece.first : ended - piece.first],
                t0_ns=None if t0 is None else t0 + int(begun * step * 10**9),
                rate_num=step.denominator,
                rate_den=step.numerator,
                policy=track.spec.policy,
            )


def most_steps(channels: int) -> int:
    """Return the steps of the longest segment: one lies in one shard, which memory holds while it is written."""
    return max(SEGMENT_BYTES // (4 * channels), 1)


def assign_policies(
    segments: tuple[Segment, ...], rules: tuple[PolicySpec, ...], findings: Findings
) -> tuple[Segment, ...]:
    """Return the segments with the policies that the rules give them; a rule that fits none is refused."""
    found = list(segments)
    for rule in rules:
        fits = [at for at, one in enumerate(segments) if _fits(rule, one)]
        if not fits:
            findings.problem("policies", rule.policy, "nothing fits its rule")
        for at in fits:
            found[at] = replace(found[at], policy=rule.policy)
    return tuple(found)


def _fits(rule: PolicySpec, segment: Segment) -> bool:
    return (
        (not rule.groups or segment.group in rule.groups)
        and (not rule.splits or segment.split.value in rule.splits)
        and (not rule.machines or any(fnmatchcase(segment.asset, one) for one in rule.machines))
    )
