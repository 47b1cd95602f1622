"""Rows of one machine → a regular series: order, repeated times, jitter, missing steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.clock import offset_ns, step_ns
from forgia_hpc.data.ingest.findings import CAP, Findings
from forgia_hpc.data.ingest.recipe import TableSpec
from forgia_hpc.data.ingest.table import Table
from forgia_hpc.data.layout import Channel

MANY = 8  # so many channels never take the same values twice, unless a block of lines was copied
Values = NDArray[np.float64]
Steps = NDArray[np.int64]


@dataclass
class Rows:
    """Rows of one machine as they stand in one file."""

    asset: str
    table: Table
    numbers: Steps  # rows of the table
    times: Steps
    values: Values  # (channel, row)


@dataclass
class Piece:
    """An unbroken stretch; `first` counts from the asset's very first step."""

    first: int
    values: Values  # (channel, step)

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
        step = step_ns(self.spec.clock)
        return (local_ns - offset_ns(self.spec.clock) - self.t0 + step // 2) // step


def make_track(
    parts: list[Rows], spec: TableSpec, channels: tuple[Channel, ...], findings: Findings
) -> Track | None:
    """Return the regular series of one machine's rows, or None with the problems noted."""
    before = findings.total
    kept = [_leave_out_repeated_rows(part, spec, findings) for part in parts]
    times = np.concatenate([part.times for part in kept])
    values = np.concatenate([part.values for part in kept], axis=1)
    places = [part.table.place(int(row)) for part in kept for row in part.numbers[:1]]
    if spec.clock.column is None and len(parts) > 1:
        findings.problem(
            f"asset {parts[0].asset}",
            len(parts),
            "a clock by row needs one file an asset",
            str(places),
        )
        return None
    times, values = _leave_out_repeated_times(times, values, kept, spec, findings)
    if findings.total > before:
        return None
    index, t0 = _on_grid(times, kept[0], spec, findings)
    if findings.total > before:
        return None
    track = Track(asset=parts[0].asset, spec=spec, channels=channels, t0=t0)
    track.rows = len(times)
    track.finite = int(np.isfinite(values).sum())
    _cut(track, index, values, kept[0], findings)
    return track if findings.total == before else None


def _leave_out_repeated_rows(part: Rows, spec: TableSpec, findings: Findings) -> Rows:
    """Leave out rows that stand there twice, where a clock by row could not tell."""
    if spec.clock.column is not None:
        return part
    repeated = _repeated_rows(part.values)
    if spec.mends.repeated_rows is None:
        limit = "equal to an earlier row in every cell"
        _refuse(part, repeated, "row", limit, "mends: {repeated_rows: {}}", findings)
        return part
    findings.mend("repeated_rows", part.table.file, len(repeated))
    keep = np.delete(np.arange(part.values.shape[1]), repeated)
    numbers, times = part.numbers[keep], np.arange(len(keep), dtype=np.int64)
    return Rows(part.asset, part.table, numbers, times, part.values[:, keep])


def _repeated_rows(values: Values) -> Steps:
    """Return the rows equal to the row before, or, where a chance is ruled out, to any earlier row."""
    channels, steps = values.shape
    if channels < 2:
        return np.zeros(0, dtype=np.int64)  # one quiet sensor repeats itself
    if channels >= MANY:
        _, first = np.unique(values, axis=1, return_index=True, equal_nan=True)
        return np.setdiff1d(np.arange(steps), first)
    left, right = values[:, :-1], values[:, 1:]
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    return np.flatnonzero(same.all(axis=0)) + 1


def _leave_out_repeated_times(
    times: Steps, values: Values, parts: list[Rows], spec: TableSpec, findings: Findings
) -> tuple[Steps, Values]:
    """Keep one row a time; a row that is early without being a repetition is refused."""
    newest = np.maximum.accumulate(times)
    late = np.flatnonzero(times[1:] <= newest[:-1]) + 1
    if not len(late):
        return times, values
    on_time = np.delete(np.arange(len(times)), late)
    repeats = np.isin(times[late], times[on_time])
    backwards = late[~repeats]
    limit = "the clock runs backwards"
    _refuse_at(parts, backwards, "clock", limit, "mend the file's clock", findings)
    rule = spec.mends.repeated_times
    if rule is None:
        limit = "the time was there before"
        _refuse_at(parts, late[repeats], "clock", limit, "mends: {repeated_times: …}", findings)
        return times, values
    if len(backwards):
        return times, values
    findings.mend("repeated_times", parts[0].table.file, len(late))
    return _merge(times, values, late, on_time, rule.keep)


def _merge(
    times: Steps, values: Values, late: Steps, on_time: Steps, keep: str
) -> tuple[Steps, Values]:
    kept = values[:, on_time].copy()
    target = np.searchsorted(times[on_time], times[late])
    if keep == "last":
        kept[:, target] = values[:, late]  # numpy: of equal targets the last one wins
    if keep == "mean":
        valid = np.isfinite(values)
        total, count = np.where(valid, values, 0.0), valid.astype(np.float64)
        sums, counts = total[:, on_time].copy(), count[:, on_time].copy()
        for channel in range(len(values)):
            np.add.at(sums[channel], target, total[channel, late])
            np.add.at(counts[channel], target, count[channel, late])
        kept = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return times[on_time], kept


def _on_grid(times: Steps, part: Rows, spec: TableSpec, findings: Findings) -> tuple[Steps, int]:
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
    _refuse(part, bad, "clock", limit, "look at step_s and the file", findings)
    findings.mend("jitter", part.table.file, int((off != 0).sum()))
    index = (times - off - t0) // step
    twice = np.flatnonzero(np.diff(index) == 0) + 1
    _refuse(part, twice, "clock", "two rows fall on one step", "", findings)
    return index, t0


def _cut(track: Track, index: Steps, values: Values, part: Rows, findings: Findings) -> None:
    """Fill short gaps with NaN, begin a new piece after long ones, refuse the rest."""
    missing = np.diff(index) - 1
    gaps = np.flatnonzero(missing)
    rule = track.spec.mends.missing_steps
    longest = 0 if rule is None else rule.longest
    too_long = gaps[missing[gaps] > longest] + 1
    limit = f"{int(missing.max(initial=0))} steps are missing, {longest} may be"
    fix = "mends: {missing_steps: {fill: …, longest: …}}"
    _refuse(part, too_long, "clock", limit, fix, findings)
    findings.mend("missing_steps", part.table.file, int(missing.sum()))
    fill = 0 if rule is None else rule.fill
    edges = [0, *(gaps[missing[gaps] > fill] + 1).tolist(), len(index)]
    for begin, end in pairwise(edges):
        first, last = int(index[begin]), int(index[end - 1])
        piece = np.full((len(values), last - first + 1), np.nan)
        piece[:, index[begin:end] - first] = values[:, begin:end]
        track.pieces.append(Piece(first, piece))
        track.filled += piece.shape[1] - int(end - begin)
    track.between = track.steps - sum(piece.steps for piece in track.pieces)


def _refuse(part: Rows, rows: Steps, field: str, limit: str, fix: str, findings: Findings) -> None:
    """Note rows of one part by their positions in it."""
    _refuse_at([part], rows, field, limit, fix, findings)


def _refuse_at(
    parts: list[Rows], rows: Steps, field: str, limit: str, fix: str, findings: Findings
) -> None:
    """Note rows by their positions in the joined parts."""
    joined = [(part, int(number)) for part in parts for number in part.numbers]
    places = []
    for row in rows[:CAP]:
        part, number = joined[min(int(row), len(joined) - 1)]
        places.append(part.table.place(number))
    got = [f"asset {parts[0].asset}"] * len(places)
    findings.cells(field, rows, got, places, limit, fix)
