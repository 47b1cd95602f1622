"""A recipe drafted from raw files: what can be seen is filled in, everything guessed is marked `# check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.guess_clock import ClockGuess, counter_and_asset, guess_clock
from forgia_hpc.data.ingest.guess_column import ColumnGuess, guess_column
from forgia_hpc.data.ingest.sniff import Sniffed, sniff
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem

_GROUP = "machine"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What was seen in raw files of one shape."""

    name: str
    contributor: str
    files: tuple[Sniffed, ...]
    clock: ClockGuess
    asset: str | None  # the column of the machine
    columns: tuple[ColumnGuess, ...]

    def recipe(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        first = self.files[0]
        return {
            "format": "forgia.recipe/1",
            "name": self.name,
            "contributor": self.contributor,
            "licence": "LicenseRef-unknown",
            "source": "unknown",
            "files": [
                {"path": one.path.name, "sha256": sha256_file(one.path)} for one in self.files
            ],
            "tables": [{"group": _GROUP, **self._table(first)}],
            "split": {"time_share": 0.2},
            "season_steps": {_GROUP: 1},
        }

    def notes(self) -> list[str]:
        """Return what a person should look at."""
        cut = [
            f"only the beginning of {one.path.name} was looked at" for one in self.files if one.cut
        ]
        return [
            *cut,
            *(note for one in self.files for note in one.notes),
            *self.clock.notes,
            *(f"column {one.column!r} is constant" for one in self.columns if one.constant),
            *(f"column {one.column!r} is left out: {one.left_out}" for one in self._out()),
        ]

    def _table(self, first: Sniffed) -> dict[str, Any]:
        names = list(first.columns)
        found: dict[str, Any] = {
            "files": [self._file(one) for one in self.files],
            "parser": first.parser,
            "clock": _without_empty(asdict(self.clock), ("mends", "notes")),
            "defaults": {"semantic_base": f"https://example.com/{self.name}/"},
            "mends": self._mends(),
            "columns": [_column(one) for one in self.columns if not one.left_out],
        }
        if first.parser == "csv" and first.delimiter != ",":
            found["delimiter"] = first.delimiter
        if first.parser in ("csv", "whitespace") and first.encoding != "utf-8":
            found["encoding"] = first.encoding
        if first.decimal != ".":
            found["decimal"] = first.decimal
        if not first.header:
            found["header"] = names
        if any(one.scientific for one in self.columns):
            found["notation"] = "scientific"
        if self.asset is not None:
            found["assets"] = self._assets()
        if self._out():
            found["left_out"] = {one.column: one.left_out for one in self._out()}
        return found

    def _file(self, one: Sniffed) -> dict[str, Any]:
        asset = {} if self.asset is not None else {"asset": one.path.stem}
        return {"path": one.path.name, **asset, **({"transposed": True} if one.transposed else {})}

    def _assets(self) -> dict[str, Any]:
        if len(self.files) == 1:
            return {"column": self.asset}
        forms = {one.path.name: f"{one.path.stem}-{{}}" for one in self.files}
        return {"column": self.asset, "by_file": forms}

    def _mends(self) -> dict[str, Any]:
        found = dict(self.clock.mends)
        texts = sorted({text for one in self.columns for text in one.gaps})
        if texts:
            count = sum(one.gap_count for one in self.columns)
            found["text_to_gap"] = {"texts": texts, "at_most": count}
        if nulls := sum(one.nulls for one in self.columns):
            found["nan_to_gap"] = {"at_most": nulls}
        if blanks := sum(one.blanks for one in self.files):
            found["blanks"] = {"at_most": blanks}
        return found

    def _out(self) -> list[ColumnGuess]:
        return [one for one in self.columns if one.left_out]


def draft(paths: Sequence[Path], name: str = "", contributor: str = "") -> Draft:
    """Look at raw files of one shape and return a draft.

    Raises:
        InputError: a file that is no table, or files of different shapes.
    """
    files = tuple(sniff(path) for path in paths)
    _same_shape(files)
    columns = {
        key: pa.concat_arrays([one.columns[key] for one in files]) for key in files[0].columns
    }
    of_file = np.repeat(np.arange(len(files)), [one.rows for one in files])
    asset, clock = _asset_and_clock(columns, of_file)
    if clock.column is None and files[0].step_s is not None:
        clock = ClockGuess(step_s=files[0].step_s)
    group_of = _joined(of_file, columns[asset]) if asset is not None else of_file
    cuts = np.flatnonzero(np.diff(group_of)) + 1
    used = {asset, clock.column, clock.seconds_of_day}
    return Draft(
        name=name or _name(paths[0].stem),
        contributor=contributor or "my_company",
        files=files,
        clock=clock,
        asset=asset,
        columns=tuple(
            guess_column(key, cells, files[0].decimal, cuts)
            for key, cells in columns.items()
            if key not in used
        ),
    )


def _asset_and_clock(
    columns: dict[str, pa.Array], of_file: NDArray[np.int64]
) -> tuple[str | None, ClockGuess]:
    """Return the column of the machine, if there is one, and the clock."""
    clock = guess_clock(columns, of_file)
    if clock.column is None:
        found = counter_and_asset(columns)
        if found is not None:
            return found[0], ClockGuess(column=found[1], notes=("a step is one of the counter",))
        return None, clock
    if "repeated_times" not in clock.mends:
        return None, clock
    for name, cells in columns.items():
        few = len(pc.unique(cells)) * 20 <= len(cells)  # a machine has many rows
        if name == clock.column or not pa.types.is_string(cells.type) or not few:
            continue
        group_of = _joined(of_file, cells)
        again = guess_clock(columns, group_of)
        if np.diff(group_of).any() and _late(again) * 10 <= _late(clock):
            return name, again
    return None, clock


def _late(clock: ClockGuess) -> int:
    """Return how many rows have a time that was there before."""
    rule: Any = clock.mends.get("repeated_times", {})
    return int(rule.get("at_most", 0))


def _joined(of_file: NDArray[np.int64], cells: pa.Array) -> NDArray[np.int64]:
    """Return a number for each machine of each file."""
    codes = np.asarray(cells.dictionary_encode().indices, np.int64)
    return of_file * (int(codes.max(initial=0)) + 1) + codes


def _same_shape(files: Sequence[Sniffed]) -> None:
    first = files[0]
    for one in files[1:]:
        same = list(one.columns) == list(first.columns) and one.parser == first.parser
        if not same or (one.encoding, one.delimiter) != (first.encoding, first.delimiter):
            raise InputError(
                Problem(
                    field="file",
                    got=one.path.name,
                    limit=f"has other columns than {first.path.name}, or is written otherwise",
                    fix="draft each kind of file by itself, and put the tables into one recipe",
                )
            )


def _name(stem: str) -> str:
    kept = "".join(one if one.isalnum() else "_" for one in stem.lower())
    return kept.strip("_") or "my_data"


def _column(one: ColumnGuess) -> dict[str, Any]:
    name = _name(one.column) if one.column else "value"
    found: dict[str, Any] = {"column": one.column}
    if name != one.column:
        found["name"] = name
    if one.codes:
        return {**found, "role": "label", "codes": list(one.codes)}
    found |= {"ucum": one.ucum, "quantity": one.quantity}
    if one.decimals is not None and not one.scientific:
        found["decimals"] = one.decimals
    facts = {} if one.expect is None else asdict(one.expect)
    plain = {key: list(it) if isinstance(it, tuple) else it for key, it in facts.items()}
    expect = {"expect": plain} if plain else {}
    return {**found, "min": one.low, "max": one.high, **expect}


def _without_empty(facts: dict[str, Any], left: Sequence[str]) -> dict[str, Any]:
    return {
        key: value for key, value in facts.items() if key not in left and value not in (None, "")
    } | ({"column": facts["column"]} if facts.get("column") == "" else {})
