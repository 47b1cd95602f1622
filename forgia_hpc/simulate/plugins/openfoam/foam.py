"""Reads and writes OpenFOAM's fields in text form (User Guide, 4.2: file format)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def write_times(case: Path) -> list[tuple[float, Path]]:
    """Return the directories of the times that were written, with their times, in order."""
    found = [(_time(path.name), path) for path in case.iterdir() if path.is_dir()]
    return sorted((time, path) for time, path in found if time is not None)


def read_field(path: Path, cells: int, components: int) -> Values:
    """Return the internal field: (cell,) of a scalar, (cell, component) of a vector.

    Raises:
        ValueError: cut off, or another number of cells.
    """
    text = path.read_text(encoding="ascii")
    _, found, rest = text.partition("internalField")
    kind, _, rest = rest.lstrip().partition(" ")
    whole: tuple[int, ...] = (cells,) if components == 1 else (cells, components)
    if kind == "uniform":
        value = np.array(rest.partition(";")[0].strip("() \n").split(), np.float64)
        return np.broadcast_to(value if components > 1 else value[0], whole).astype(np.float64)
    count, opened, body = rest.partition("\n(\n")
    body, closed, _ = body.partition("\n)\n")
    if not found or not opened or not closed:
        raise ValueError(f"{path.parent.name}/{path.name} is cut off")
    numbers = np.array(body.replace("(", " ").replace(")", " ").split(), np.float64)
    if int(count.split()[-1]) != cells or numbers.size != cells * components:
        raise ValueError(f"{path.parent.name}/{path.name} holds {numbers.size} numbers")
    return numbers.reshape(whole)


def as_list(values: Values) -> str:
    """Return a nonuniform list: one scalar, or one vector (x y z) in parentheses, a line."""
    if values.ndim == 1:
        rows = [repr(value) for value in values.tolist()]
    else:
        rows = [f"({' '.join(map(repr, row))})" for row in values.tolist()]
    return "\n".join([str(len(rows)), "(", *rows, ")"])


def _time(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None
