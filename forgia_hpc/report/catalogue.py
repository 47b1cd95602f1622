"""What `data list` and `data diff` show on a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from forgia_hpc.data.catalogue.difference import Change, raised
from forgia_hpc.data.catalogue.listing import Listed
from forgia_hpc.report.figures import count, size, words
from forgia_hpc.report.terminal_parts import ACCENT, grid, pairs, plain

_HEAD = ("Dataset", "Layout", "From", "Splits", "State", "Ends", "Steps", "Size")
_SOON_DAYS = 30
_MOST = 12  # names in one line; --json has all


def listing_table(found: Sequence[Listed], now: datetime.datetime) -> Table:
    """Return a row for each dataset."""
    shown = grid(*_HEAD, numbers_from=6)
    state = shown.columns[4]
    state.no_wrap, state.overflow, state.min_width = False, "fold", 10
    for one in found:
        days = one.days_left(now)
        shown.add_row(
            plain(one.identifier),
            plain(", ".join(map(_layout, one.layouts))),
            plain(_from(one)),
            plain(", ".join(map(_split, one.steps)) or "–"),
            plain(_state(one)),
            plain(ending(days), "bold" if days is not None and days < _SOON_DAYS else ""),
            plain(count(sum(one.steps.values()))),
            plain(size(one.bytes)),
        )
    return shown


def words_of_fault(one: Listed) -> str:
    """Return what is wrong with a dataset and its signatures, or nothing."""
    faults = [one.fault, *(each.fault for each in one.signatures)]
    return "\n".join(f"{one.identifier}: {fault}" for fault in faults if fault)


def ending(days: int | None) -> str:
    """Return when the first policy ends."""
    if days is None:
        return "–"
    if days < 0:
        return "ended"
    return {0: "today", 1: "in 1 day"}.get(days, f"in {count(days)} days")


def _layout(name: str) -> str:
    """`forgia.telemetry/1` is telemetry to whoever looks at a list."""
    return name.removeprefix("forgia.").partition("/")[0]


def _split(name: str) -> str:
    """`held_out_time` is time to whoever looks at a list."""
    return words(name.removeprefix("held_out_"))


def _from(one: Listed) -> str:
    if len(one.contributors) == 1:
        return one.contributors[0]
    return f"{len(one.contributors)} contributors" if one.contributors else "–"


def _state(one: Listed) -> str:
    """Return what sets a dataset apart from one that is plain, hot and unsigned."""
    found = [
        f"in {one.directory}" if one.directory != one.name else "",
        f"version {one.frozen}" if one.frozen else "",
        "encrypted" if one.encrypted else "",
        "cold" if "cold" in one.profiles else "",
        _signed(one),
        _withdrawn(one),
        # a consortium seals the versions of its members: another one is another dataset
        "broken" if one.fault else "",
    ]
    return ", ".join(filter(None, found)) or "–"


def _withdrawn(one: Listed) -> str:
    wrong = any(each.state == "wrong" for each in one.signatures if each.about != "dataset")
    word = " (signature wrong)" if wrong else ""
    return f"{one.tombstones} withdrawn{word}" if one.tombstones else ""


def _signed(one: Listed) -> str:
    """Return for whom a dataset is signed; `trusted` and `wrong` are said, `right` is what one expects."""
    states: dict[str, str] = {}
    for each in one.signatures:
        if each.about == "dataset" and states.get(each.who) in (None, "right"):
            states[each.who] = each.state
    told = [who if state == "right" else f"{who} ({state})" for who, state in states.items()]
    return f"signed: {', '.join(told)}" if told else ""


def show_changes(changes: Sequence[Change], console: Console) -> None:
    """Show what became of each contribution; those that are the same in one line."""
    same = [one.after for one in changes if one.word == "same"]
    for one in changes:
        if one.word != "same":
            console.print(plain(_headline(one), f"bold {ACCENT}"))
            console.print(Padding(pairs(_lines(one)), (0, 0, 1, 2)))
    if same:
        console.print(plain(f"the same: {', '.join(same)}"))
    if len(same) == len(changes):
        console.print(plain("nothing has changed"))
    else:
        console.print(plain(f"raises the {raised(list(changes))} part of a version"))


def _headline(one: Change) -> str:
    if one.word == "changed":
        return f"{one.before} → {one.after.rpartition('@')[2]}"
    return f"{one.after or one.before}  {one.word}"


def _lines(one: Change) -> list[tuple[str, str]]:
    """Return what changed, each kind in a line."""
    rows = [
        ("Content", "" if one.word != "changed" else "same" if one.same_content else "other"),
        ("Steps", _numbers(one.steps)),
        ("Values", _numbers(one.values)),
        ("Bytes", _numbers(one.bytes)),
        ("Shards in", _named(one.shards_added)),
        ("Shards out", _named(one.shards_removed)),
        ("Shards with other values", _named(one.shards_altered)),
        ("Stored otherwise", _named(one.shards_stored)),
        ("Channels in", _named(one.channels_added)),
        ("Channels out", _named(one.channels_removed)),
        *(("Channel", line) for line in one.channels_altered),
        ("Channels", "encrypted, not compared" if one.channels_unknown else ""),
        *(("Terms", line) for line in one.terms),
        *(("Card", line) for line in one.facts),
    ]
    return [(name, value) for name, value in rows if value]


def _numbers(two: tuple[int, int]) -> str:
    before, after = two
    return "" if before == after else f"{before:,} → {after:,} ({after - before:+,})"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
