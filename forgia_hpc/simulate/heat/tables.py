"""Tables as a person writes them: a number, or rows [temperature, value]. Checked, then as the solver has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.case import Table

Floats = NDArray[np.float64]


def table(words: Any, field: str, *, least: float = -np.inf, above: float = -np.inf) -> Table:
    """Return the table of a number (the same at all temperatures) or of rows [temperature, value].

    Raises:
        InputError: rows that are none, temperatures that do not rise, a value below `least` or not `above`.
    """
    if isinstance(words, Table):
        words = list(zip(words.temperature, words.values, strict=True))
    at, values = (
        (np.zeros(1), np.array([float(words)])) if is_number(words) else _columns(words, field)
    )
    problems = [
        Problem(field=field, got=got, limit=limit)
        for got, limit in _faults(at, values, least, above)
    ]
    if problems:
        raise InputError(problems)
    return Table(temperature=tuple(at.tolist()), values=tuple(values.tolist()))


def value(of: Table, temperature: ArrayLike) -> Floats:
    """Return a table's quantity at each temperature; beyond its ends the first and last value hold."""
    return np.asarray(np.interp(np.asarray(temperature, np.float64), of.temperature, of.values))


def is_number(words: Any) -> bool:
    """Whether words are one number."""
    return isinstance(words, int | float) and not isinstance(words, bool)


def number(words: Any, field: str, *, least: float = -np.inf, above: float = -np.inf) -> float:
    """Return one number, checked as a table of one row is.

    Raises:
        InputError: no number, or one out of its limits.
    """
    if not is_number(words):
        raise InputError(Problem(field=field, got=words, limit="a number is needed"))
    return table(words, field, least=least, above=above).values[0]


def _columns(words: Any, field: str) -> tuple[Floats, Floats]:
    rows = list(words.items()) if isinstance(words, Mapping) else words
    good = isinstance(rows, Sequence) and not isinstance(rows, str) and len(rows) > 0
    try:
        cells = np.array([[float(cell) for cell in row] for row in rows]) if good else np.empty(0)
    except (TypeError, ValueError):
        cells = np.empty(0)
    if cells.ndim != 2 or cells.shape[1] != 2:
        limit = "a number, or rows [temperature in °C, value]"
        raise InputError(Problem(field=field, got=words, limit=limit))
    return cells[:, 0].copy(), cells[:, 1].copy()


def _faults(at: Floats, values: Floats, least: float, above: float) -> Iterator[tuple[Any, str]]:
    if not (np.isfinite(at).all() and np.isfinite(values).all()):
        yield values.tolist(), "finite numbers only"
        return
    falls = np.flatnonzero(np.diff(at) <= 0)
    if falls.size:
        first = int(falls[0])
        yield at[first : first + 2].tolist(), "temperatures that rise from row to row"
    lowest = int(values.argmin())
    place = f" (at {at[lowest]:g} °C)" if at.size > 1 else ""
    if values[lowest] < least:
        yield float(values[lowest]), f"at least {least:g}{place}"
    elif values[lowest] <= above:
        yield float(values[lowest]), f"above {above:g}{place}"
