"""What a column of a raw file may be: numbers with decimals and a range, codes, a text. For a draft."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.expect import measure
from forgia_hpc.data.ingest.guess_unit import guess_unit
from forgia_hpc.data.ingest.recipe import Expect

MOST_CODES, MOST_GAPS = 64, 8
_NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
SCIENTIFIC = r"^-?\d\.\d+[eE][+-]\d\d$"


@dataclass(frozen=True, kw_only=True)
class ColumnGuess:
    """A column; codes: a text with few values; left_out: why it is no channel."""

    column: str
    ucum: str = ""
    quantity: str = ""
    why: str = ""
    decimals: int | None = None
    low: float = 0.0
    high: float = 0.0
    scientific: bool = False
    constant: bool = False
    gaps: tuple[str, ...] = ()
    gap_count: int = 0
    nulls: int = 0
    codes: tuple[str, ...] = ()
    left_out: str = ""
    expect: Expect | None = None


def guess_column(name: str, cells: pa.Array, decimal: str, cuts: NDArray[np.int64]) -> ColumnGuess:
    """Return what a column may be; `cuts`: where another machine's rows begin."""
    if not pa.types.is_string(cells.type):
        return _typed(name, cells, cuts)
    text = pc.replace_substring(cells, ",", ".") if decimal == "," else cells
    good = np.asarray(pc.match_substring_regex(text, _NUMBER), dtype=bool)
    if good.mean() < 0.5:
        return _texts(name, cells)
    gaps = tuple(pc.unique(cells.filter(pa.array(~good))).to_pylist())
    if len(gaps) > MOST_GAPS:
        return ColumnGuess(column=name, left_out="numbers among many other texts")
    numbers = text.filter(pa.array(good))
    values = np.full(len(cells), np.nan)
    values[good] = np.asarray(pc.cast(numbers, pa.float64()))
    scientific = bool(pc.all(pc.match_substring_regex(numbers, SCIENTIFIC)).as_py())
    exponents = bool(pc.any(pc.match_substring_regex(numbers, "[eE]")).as_py())
    decimals = None if exponents else _decimals(numbers, values)
    found = _numbers(name, values, decimals, cuts)
    return ColumnGuess(
        **{**vars(found), "scientific": scientific, "gaps": gaps, "gap_count": int((~good).sum())}
    )


def _typed(name: str, cells: pa.Array, cuts: NDArray[np.int64]) -> ColumnGuess:
    kind = cells.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return ColumnGuess(column=name, left_out=f"of type {kind}")
    whole = cells.cast(pa.int8()) if pa.types.is_boolean(kind) else cells
    values = np.asarray(pc.cast(whole, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    decimals = None if pa.types.is_floating(kind) else 0
    found = _numbers(name, values, decimals, cuts)
    return ColumnGuess(**{**vars(found), "nulls": int(np.isnan(values).sum())})


def _texts(name: str, cells: pa.Array) -> ColumnGuess:
    codes = tuple(pc.unique(cells).to_pylist())
    if len(codes) > MOST_CODES:
        return ColumnGuess(column=name, left_out="a text with many values")
    return ColumnGuess(column=name, codes=codes, why="a text with few values")


def _numbers(
    name: str, values: NDArray[np.float64], decimals: int | None, cuts: NDArray[np.int64]
) -> ColumnGuess:
    valid = values[np.isfinite(values)]
    if not len(valid):
        return ColumnGuess(column=name, left_out="no number in it")
    ucum, quantity, why = guess_unit(name)
    least, most = float(valid.min()), float(valid.max())
    low, high = _range(least, most)
    return ColumnGuess(
        column=name,
        ucum=ucum,
        quantity=quantity,
        why=why,
        decimals=decimals,
        low=low,
        high=high,
        constant=least == most,
        expect=measure(np.split(values, cuts)),
    )


def _decimals(numbers: pa.Array, values: NDArray[np.float64]) -> int | None:
    """Return the most decimals of any number; None where they don't fit a grid of int32."""
    parts = pc.extract_regex(numbers, r"\.(?P<d>\d*)$")
    lengths = pc.utf8_length(pc.fill_null(pc.struct_field(parts, "d"), ""))
    found = int(pc.max(lengths).as_py() or 0)
    largest = float(np.nanmax(np.abs(values), initial=0)) * 10.0**found
    return found if found <= 9 and largest < 2**30 else None


def _range(least: float, most: float) -> tuple[float, float]:
    """Return a valid range with half the span as margin; what was never negative stays so."""
    margin = (most - least) / 2 or abs(most) / 2 or 1.0
    low = _outward(least - margin, math.floor)
    high = _outward(most + margin, math.ceil)
    return (max(low, 0.0) if least >= 0 else low), (min(high, 0.0) if most < 0 else high)


def _outward(value: float, rounded: object) -> float:
    """Return the value with three digits, rounded away from the data."""
    if value == 0:
        return 0.0
    power = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{rounded(value / power) * power:.6g}")  # type: ignore[operator]
