"""Rows of one machine → a regular series: order, repeated times, jitter, missing steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.clock import is_even, offset_ns, step_ns
from forgia_hpc.data.ingest.findings import CAP, Findings
from forgia_hpc.data.ingest.recipe import TableSpec
from forgia_hpc.data.ingest.repeated import repeated_rows
from forgia_hpc.data.ingest.stack import Columns, Placed, Stack, adjacent
from forgia_hpc.data.ingest.table import Table
from forgia_hpc.data.ingest.zone import offsets, to_utc
from forgia_hpc.data.layout import Channel

HELD_BYTES = 1 << 28  # a machine with more stays where its stretches are: in memory or on disk
Steps = NDArray[np.int64]


@dataclass
class Rows:
    """Rows of one machine as they stand in one file."""

    asset: str
    table: Table
    numbers: Steps  # rows of the table
    times: Steps
    values: Columns  # (channel, row)


@dataclass
class Piece:
    """An unbroken stretch; `first` counts from the asset's very first step."""

    first: int
    values: Any  # (channel, step): an array, or what looks like one and lies on disk

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return int(self.values.shape[1])


@dataclass
class Track:
    """One machine's regular series."""

    asset: str
    spec: TableSpec
    channels: tuple[Channel, ...]
    t0: int  # nanoseconds UTC of the first step, or its count
    pieces: list[Piece] = field(default_factory=list)
    rows: int = 0  # rows of the raw files that are in it
    finite: int = 0  # values that are not gaps
    filled: int = 0  # steps that no row has, inside pieces
    between: int = 0  # steps that no row has, between pieces

    @property
    def t0_ns(self) -> int | None:
        """The time of the first step, or None for a clock by index."""
        return self.t0 if self.spec.clock.format else None

    @property
    def steps(self) -> int:
        """Steps from the very first to the very last, gaps included."""
        return self.pieces[-1].first + self.pieces[-1].steps

    def step_at(self, local_ns: int) -> int:
        """Return the step of a local time (rounded to the nearest)."""
        clock = self.spec.clock
        step, ahead = step_ns(clock), offset_ns(clock)
        if clock.zone:
            ahead = int(offsets(np.array([local_ns]), clock.zone)[0][0])
        return (local_ns - ahead - self.t0 + step // 2) // step


def make_track(
    parts: list[Rows], spec: TableSpec, channels: tuple[Channel, ...], findings: Findings
) -> Track | None:
    """Return the regular series of one machine's rows, or None with the problems noted."""
    before = findings.total
    files = list(dict.fromkeys(part.table.file for part in parts))
    if spec.clock.column is None and len(files) > 1:
        limit = "a clock by row needs one file an asset"
        findings.problem(f"asset {parts[0].asset}", len(files), limit, str(files))
        return None
    stack = Stack(adjacent([part.values for part in parts]))
    if is_even([part.times for part in parts], spec.clock):
        return _even(parts, spec, channels, stack)
    times = _utc(parts, spec, findings)
    times, stack = _leave_out_repeated_rows(times, stack, parts, spec, findings)
    times, stack = _leave_out_repeated_times(times, stack, parts, spec, findings)
    if findings.total > before:
        return None
    index, t0 = _on_grid(times, stack, parts, spec, findings)
    if findings.total > before:
        return None
    track = Track(asset=parts[0].asset, spec=spec, channels=channels, t0=t0)
    track.rows = len(times)
    track.finite = stack.finite()
    _cut(track, index, stack, parts, findings)
    return track if findings.total == before else None


def _even(parts: list[Rows], spec: TableSpec, channels: tuple[Channel, ...], stack: Stack) -> Track:
    """Return the track of rows that follow each other at exactly one step."""
    track = Track(parts[0].asset, spec, channels, t0=int(parts[0].times[0]))
    track.rows, track.finite = stack.shape[1], stack.finite()
    whole = Placed(stack, slice(0, track.rows), range(track.rows), 0, track.rows)
    held = stack.shape[0] * track.rows * 8 <= HELD_BYTES
    track.pieces.append(Piece(0, whole.in_memory() if held else whole))
    return track


def _utc(parts: list[Rows], spec: TableSpec, findings: Findings) -> Steps:
    """Return the times of all rows; local ones of a named zone become UTC."""
    times = np.concatenate([part.times for part in parts])
    if not spec.clock.zone:
        return times
    utc, twice, never = to_utc(times, spec.clock.zone, spec.mends)
    for rule, rows, limit in (
        ("ambiguous_hour", twice, "comes twice when the clock goes back"),
        ("skipped_hour", never, "never comes: the clock goes forward over it"),
    ):
        if getattr(spec.mends, rule) is None:
            fix = f"mends: {{{rule}: …}}, or the zone that the clock really keeps"
            _refuse_at(
                parts, rows, "clock", f"in {spec.clock.zone} this hour {limit}", fix, findings
            )
        else:
            findings.mend(rule, parts[0].table.file, len(rows))
    return utc


def _leave_out_repeated_rows(
    times: Steps, stack: Stack, parts: list[Rows], spec: TableSpec, findings: Findings
) -> tuple[Steps, Stack]:
    """Leave out rows that stand there twice, where a clock by row could not tell."""
    if spec.clock.column is not None:
        return times, stack
    repeated = repeated_rows(stack)
    if not len(repeated):
        return times, stack
    if spec.mends.repeated_rows is None:
        limit = "equal to an earlier row in every cell"
        _refuse_at(parts, repeated, "row", limit, "mends: {repeated_rows: {}}", findings)
        return times, stack
    findings.mend("repeated_rows", parts[0].table.file, len(repeated))
    keep = np.delete(np.arange(stack.shape[1]), repeated)
    return np.arange(len(keep), dtype=np.int64), replace(stack, keep=keep)


def _leave_out_repeated_times(
    times: Steps, stack: Stack, parts: list[Rows], spec: TableSpec, findings: Findings
) -> tuple[Steps, Stack]:
    """Keep one row a time; a row that is early without being a repetition is refused."""
    newest = np.maximum.accumulate(times)
    late = np.flatnonzero(times[1:] <= newest[:-1]) + 1
    if not len(late):
        return times, stack
    on_time = np.delete(np.arange(len(times)), late)
    repeats = np.isin(times[late], times[on_time])
    backwards = late[~repeats]
    limit = "the clock runs backwards"
    _refuse_at(parts, backwards, "clock", limit, "mend the file's clock", findings)
    rule = spec.mends.repeated_times
    if rule is None:
        limit = "the time was there before"
        _refuse_at(parts, late[repeats], "clock", limit, "mends: {repeated_times: …}", findings)
        return times, stack
    if len(backwards):
        return times, stack
    findings.mend("repeated_times", parts[0].table.file, len(late))
    target = np.searchsorted(times[on_time], times[late])
    keep = on_time.copy()
    if rule.keep == "last":
        keep[target] = late  # numpy: of equal targets the last one wins
    mean = (late, target) if rule.keep == "mean" else None
    return times[on_time], replace(stack, keep=keep, mean=mean)


def _on_grid(
    times: Steps, stack: Stack, parts: list[Rows], spec: TableSpec, findings: Findings
) -> tuple[Steps, int]:
    """Return each row's step, counted from the first row's, and the first step's time."""
    if not spec.clock.format:
        return times - times[0], int(times[0])
    step = step_ns(spec.clock)
    off = (times - times[0] + step // 2) % step - step // 2
    jitter = spec.mends.jitter
    t0 = int(times[0])
    if jitter is not None:
        shift = int(np.median(off))  # the first stamp itself may be the one that is off
        t0, off = t0 + shift, off - shift
    allowed = 0 if jitter is None else round(jitter.within_s * 10**9)
    bad = np.flatnonzero(np.abs(off) > allowed)
    limit = f"off the grid of {spec.clock.step_s:g} s by more than {allowed / 1e9:g} s"
    _refuse_at(
        parts, stack.of_sources(bad), "clock", limit, "look at step_s and the file", findings
    )
    findings.mend("jitter", parts[0].table.file, int((off != 0).sum()))
    index = (times - off - t0) // step
    twice = np.flatnonzero(np.diff(index) == 0) + 1
    _refuse_at(parts, stack.of_sources(twice), "clock", "two rows fall on one step", "", findings)
    return index, t0


def _cut(track: Track, index: Steps, stack: Stack, parts: list[Rows], findings: Findings) -> None:
    """Fill short gaps with NaN, begin a new piece after long ones, refuse the rest."""
    missing = np.diff(index) - 1
    gaps = np.flatnonzero(missing)
    rule = track.spec.mends.missing_steps
    longest = 0 if rule is None else rule.longest
    too_long = gaps[missing[gaps] > longest] + 1
    limit = f"{int(missing.max(initial=0))} steps are missing, {longest} may be"
    fix = "mends: {missing_steps: {fill: …, longest: …}}"
    _refuse_at(parts, stack.of_sources(too_long), "clock", limit, fix, findings)
    if len(too_long):
        return  # a clock that jumped by years would fill memory with gaps
    findings.mend("missing_steps", parts[0].table.file, int(missing.sum()))
    fill = 0 if rule is None else rule.fill
    edges = [0, *(gaps[missing[gaps] > fill] + 1).tolist(), len(index)]
    small = stack.shape[0] * stack.shape[1] * 8 <= HELD_BYTES
    for begin, end in pairwise(edges):
        first, last = int(index[begin]), int(index[end - 1])
        lazy = Placed(stack, slice(begin, end), index[begin:end], first, last + 1)
        track.pieces.append(Piece(first, lazy.in_memory() if small else lazy))
        track.filled += lazy.shape[1] - int(end - begin)
    track.between = track.steps - sum(piece.steps for piece in track.pieces)


def _refuse_at(
    parts: list[Rows], rows: Steps, field: str, limit: str, fix: str, findings: Findings
) -> None:
    """Note rows by their positions in the joined parts."""
    ends = np.cumsum([len(part.numbers) for part in parts])
    places = []
    for row in rows[:CAP].tolist():
        at = min(int(np.searchsorted(ends, row, side="right")), len(parts) - 1)
        numbers = parts[at].numbers
        inside = min(row - int(ends[at]) + len(numbers), len(numbers) - 1)
        places.append(parts[at].table.place(int(numbers[inside])))
    got = [f"asset {parts[0].asset}"] * len(places)
    findings.cells(field, rows, got, places, limit, fix)
