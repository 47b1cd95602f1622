"""Reads CalculiX's .frd results, text form: nodes and nodal results (ccx manual, "frd file format")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_TIME = slice(12, 24)  # columns of a block's head: the time
_NODE, _WIDTH = slice(3, 13), 12  # of a row: the node's number, then numbers of twelve characters


def read_frd(path: Path) -> tuple[Values, list[tuple[float, dict[str, Values]]]]:
    """Return the coordinates (node, 3), and of each written time name → (node, component); by rising node number.

    Raises:
        ValueError: the file is cut off, or no .frd in text form.
    """
    coordinates, time = np.empty((0, 3)), 0.0
    found: list[tuple[float, dict[str, Values]]] = []
    with path.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("    2C"):
                coordinates = _block(lines, 3, path)
            elif line.startswith("  100C"):
                time = float(line[_TIME])
            elif line.startswith(" -4"):
                if not found or found[-1][0] != time:
                    found.append((time, {}))
                found[-1][1][line[5:13].strip()] = _block(lines, int(line[13:18]), path)
            elif line.startswith(" 9999"):
                return coordinates, found
    raise ValueError(f"{path.name} is cut off: it has no end mark")


def _block(lines: Iterator[str], components: int, path: Path) -> Values:
    """Read the rows up to the end of a block. DISP announces ALL as well, which is not written."""
    rows: dict[int, list[float]] = {}
    for line in lines:
        if line.startswith(" -3"):
            return np.array([rows[node] for node in sorted(rows)], np.float64)
        if line.startswith(" -1"):
            rest = line[_NODE.stop :].rstrip("\n")
            numbers = [float(rest[at : at + _WIDTH]) for at in range(0, len(rest), _WIDTH)]
            rows[int(line[_NODE])] = numbers[:components]
    raise ValueError(f"{path.name} is cut off within a block of results")
