"""A design from a file: a row a member, a column an input, its unit in the header: `ambient [degC]`."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.member import Input
from forgia_hpc.simulate.spread import outside, takes
from forgia_hpc.simulate.units import value_in

_HEADER = re.compile(r"\s*([^\[]*?)\s*(?:\[(.+)\])?\s*")
_MANY = 10  # problems of a file that are told; the rest is counted


def read_rows(path: Path, known: Sequence[Input]) -> Mapping[str, NDArray[np.float64]]:
    """Return the columns of a file in the solver's units: name → (row,).

    Raises:
        InputError: no such file, no header, an unknown column, a value that is none or that the solver won't take.
    """
    lines = _lines(path)
    if len(lines) < 2:
        limit = "a header and at least one row are needed"
        raise InputError(Problem(field="ensemble.csv", got=str(path), limit=limit))
    _refuse_semicolons(lines[0][1], path)
    columns = _columns(lines[0][1], known, path.name)
    problems: list[Problem] = []
    found: list[list[float]] = []
    for number, cells in lines[1:]:
        if len(cells) != len(columns):
            limit = f"{len(columns)} values, as the header has"
            problems.append(_problem(path.name, number, f"{len(cells)} values", limit))
            continue
        try:
            found.append(_row(cells, columns, f"{path.name}:{number}"))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError([*problems[:_MANY], *_rest(path.name, problems)])
    table = np.array(found, np.float64)
    return {one.name: table[:, at] for at, (one, _) in enumerate(columns)}


def repeated(path: Path) -> list[int]:
    """Return the lines of a readable file that have the numbers of an earlier one."""
    before: set[tuple[float, ...]] = set()
    found = []
    for number, cells in _lines(path)[1:]:
        row = tuple(map(float, cells))
        if row in before:
            found.append(number)
        before.add(row)
    return found


def _refuse_semicolons(header: Sequence[str], path: Path) -> None:
    """Refuse a file as spreadsheets write it where the comma is the decimal point."""
    if len(header) == 1 and ";" in header[0]:
        limit = "the separator is ;, and a comma is needed"
        fix = "write it with commas between the columns, and a point in its numbers"
        raise InputError(_problem(path.name, 1, header[0], limit, fix))


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines that hold something, with their numbers."""
    try:
        with path.open(
            newline="", encoding="utf-8-sig"
        ) as opened:  # spreadsheets begin with a mark
            reader = csv.reader(opened)
            return [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        limit = f"a file of comma-separated values is needed ({error})"
        raise InputError(Problem(field="ensemble.csv", got=str(path), limit=limit)) from error


def _columns(header: Sequence[str], known: Sequence[Input], file: str) -> list[tuple[Input, str]]:
    """Return the input and the unit of each column."""
    inputs = {one.name: one for one in known}
    names, units = zip(*(_parted(text) for text in header), strict=True)
    problems = [
        _problem(file, 1, name, "the solver has no such input", nearest(name, list(inputs), ""))
        for name in names
        if name not in inputs
    ]
    problems += [
        _problem(file, 1, name, "two columns have this name")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise InputError(problems)
    return [(inputs[name], unit) for name, unit in zip(names, units, strict=True)]


def _parted(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    return (found[1], (found[2] or "").strip()) if found else (text, "")


def _row(cells: Sequence[str], columns: Sequence[tuple[Input, str]], where: str) -> list[float]:
    values: list[float] = []
    problems: list[Problem] = []
    for cell, (one, unit) in zip(cells, columns, strict=True):
        field = f"{where} {one.name}"
        try:
            value = value_in(f"{cell.strip()} {unit}", one.ucum, field)
        except InputError as error:
            problems += error.problems
            continue
        if not takes(one, value):
            problems.append(Problem(field=field, got=value, limit=outside(one)))
        values.append(value)
    if problems:
        raise InputError(problems)
    return values


def _problem(file: str, line: int, got: str, limit: str, fix: str = "") -> Problem:
    return Problem(field=f"{file}:{line}", got=got, limit=limit, fix=fix)


def _rest(file: str, problems: Sequence[Problem]) -> list[Problem]:
    more = len(problems) - _MANY
    return [Problem(field=file, got=more, limit="more problems in this file")] if more > 0 else []
