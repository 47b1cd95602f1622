"""Local times of a named zone → UTC; the hour that comes twice and the one that never comes are found."""

from __future__ import annotations

import datetime
import zoneinfo

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.recipe import Mends

Steps = NDArray[np.int64]
_QUARTER = 900 * 10**9
_DAY = 86_400 * 10**9
_EPOCH = datetime.datetime(1970, 1, 1)


def offsets(local: Steps, name: str) -> tuple[Steps, Steps]:
    """Return what each local time is ahead of UTC, read as the first and as the second of its kind.

    The first is greater where a time comes twice, and smaller where it never comes.
    """
    zone = zoneinfo.ZoneInfo(name)
    days, of_day = np.unique(local // _DAY, return_inverse=True)
    first, second = np.empty(len(local), np.int64), np.empty(len(local), np.int64)
    plain = np.array([_constant(int(day), zone) for day in days])
    for number in np.flatnonzero(~plain):
        rows = np.flatnonzero(of_day == number)
        quarters, of_quarter = np.unique(local[rows] // _QUARTER, return_inverse=True)
        both = np.array([_both(int(quarter) * _QUARTER, zone) for quarter in quarters])
        first[rows], second[rows] = both[of_quarter].T
    usual = np.array([_both(int(day) * _DAY, zone)[0] for day in days])[of_day]
    rows = np.flatnonzero(plain[of_day])
    first[rows] = second[rows] = usual[rows]
    return first, second


def to_utc(local: Steps, name: str, mends: Mends) -> tuple[Steps, Steps, Steps]:
    """Return UTC (row), and the rows of an ambiguous and of a skipped hour, in the order of the rows."""
    first, second = offsets(local, name)
    twice, never = first > second, first < second
    chosen = first.copy()
    rule = mends.ambiguous_hour
    if rule is not None and rule.take == "second":
        chosen = np.where(twice, second, first)
    if rule is not None and rule.take == "by_order":
        chosen = np.where(_second_time(local, twice), second, first)
    return local - chosen, np.flatnonzero(twice), np.flatnonzero(never)


def _second_time(local: Steps, twice: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows of ambiguous hours are of the second one: from where the clock went back."""
    found = np.zeros(len(local), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], twice, [False]]).astype(np.int8)))
    for begin, end in edges.reshape(-1, 2):
        back = np.flatnonzero(np.diff(local[begin:end]) <= 0)
        if len(back):
            found[begin + back[0] + 1 : end] = True
    return found


def _constant(day: int, zone: zoneinfo.ZoneInfo) -> bool:
    """Whether a day, its evening before and its morning after have one offset."""
    hours = range(-2, 27)
    ahead = {_both(day * _DAY + hour * 3600 * 10**9, zone) for hour in hours}
    return len(ahead) == 1 and len(set(next(iter(ahead)))) == 1


def _both(local_ns: int, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    moment = _EPOCH + datetime.timedelta(microseconds=local_ns // 1000)
    first, second = (
        zone.utcoffset(moment.replace(fold=fold)) or datetime.timedelta() for fold in (0, 1)
    )
    second_s = round(second.total_seconds())
    return round(first.total_seconds()) * 10**9, second_s * 10**9
