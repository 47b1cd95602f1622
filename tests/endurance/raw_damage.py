"""Raw files as lines of cells, and the faults that are put into them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

Change = Callable[[str], str]
BOM = b"\xef\xbb\xbf"


class RawLines:
    """One file of a recipe's first table, in memory."""

    def __init__(self, content: dict[str, Any], folder: Path, chance: random.Random) -> None:
        """Read a file by chance; a transposed one is left alone."""
        self.chance, table = chance, content["tables"][0]
        self.table = table
        paths = [file["path"] for file in table["files"] if not file.get("transposed")]
        self.path = folder / chance.choice(paths)
        data = self.path.read_bytes()
        self.bom = data.startswith(BOM)
        self.csv = table["parser"] == "csv"
        text = data.decode("utf-8-sig")
        self.end = "\r\n" if "\r\n" in text else "\n"
        lines = text.splitlines()
        names = table.get("header") or [column["column"] for column in table["columns"]]
        self.header = lines[0].split(",") if self.csv else list(names)
        self.rows = [line.split(",") if self.csv else line.split() for line in lines[self.csv :]]
        first = lines[0]  # the blanks at the ends of lines are no fault: the recipe counts them
        self.edges = ("", "") if self.csv else _edges(first)
        self.encoding = "utf-8"
        self.tail = self.end

    def numbers(self) -> list[str]:
        """Return the columns that hold numbers."""
        return [column["column"] for column in self.table["columns"] if "codes" not in column]

    def change(self, column: str, change: Change, rows: range | None = None) -> int:
        """Change the cells of a column, in some rows or in all; return how many are others now."""
        at = self.header.index(column)
        count = 0
        for number in rows or range(len(self.rows)):
            cell = change(self.rows[number][at])
            count += cell != self.rows[number][at]
            self.rows[number][at] = cell
        return count

    def write(self) -> None:
        """Write the file as it is now."""
        lines = [self.header, *self.rows] if self.csv else self.rows
        mark = "," if self.csv else "   "
        before, after = self.edges
        text = self.end.join(before + mark.join(line) + after for line in lines) + self.tail
        data = text.encode(self.encoding, errors="replace")
        self.path.write_bytes((BOM if self.bom and self.encoding == "utf-8" else b"") + data)


def _edges(line: str) -> tuple[str, str]:
    """Return the blanks before and after a line."""
    return line[: len(line) - len(line.lstrip())], line[len(line.rstrip()) :]


def scaled(factor: float, offset: float = 0.0) -> Change:
    """Return a change of numbers, each written in the style that it had."""

    def change(cell: str) -> str:
        try:
            value = float(cell) * factor + offset
        except ValueError:
            return cell
        if "e" in cell.lower():
            return f"{value:.7e}"
        return f"{value:.{len(cell.split('.')[1]) if '.' in cell else 0}f}"

    return change


def whole_column(factor: float, offset: float = 0.0) -> Callable[[RawLines], str]:
    """Return a fault: a column in another unit, or with another sign."""

    def fault(lines: RawLines) -> str:
        column = lines.chance.choice(lines.numbers())
        lines.change(column, scaled(factor, offset))
        return column

    return fault


def columns_swapped(lines: RawLines) -> str:
    """Swap the cells of two columns under their names."""
    left, right = lines.chance.sample(lines.numbers(), 2)
    one, other = lines.header.index(left), lines.header.index(right)
    for row in lines.rows:
        row[one], row[other] = row[other], row[one]
    return f"{left} and {right}"


def burst(lines: RawLines) -> str:
    """Put twenty values far away."""
    column = lines.chance.choice(lines.numbers())
    first = lines.chance.randrange(max(len(lines.rows) - 20, 1))
    rows = range(first, min(first + 20, len(lines.rows)))
    lines.change(column, scaled(25.0, 1000.0), rows)
    return column


def clock_shifted(seconds: float, *, whole: bool = False) -> Callable[[RawLines], str]:
    """Return a fault: the clock is another from some row on, or all the time."""

    def fault(lines: RawLines) -> str:
        first = 0 if whole else lines.chance.randrange(2, len(lines.rows))
        clock = lines.table["clock"]
        form = clock.get("format", "")
        step = timedelta(seconds=seconds)

        def moved(cell: str) -> str:
            if not form:
                return str(int(cell) + 1)
            return _stamp(datetime.strptime(cell, form) + step, form, cell)

        lines.change(clock["column"], moved, range(first, len(lines.rows)))
        return f"from row {first}"

    return fault


def _stamp(moment: datetime, form: str, like: str) -> str:
    """Return a stamp with or without leading zeros, as another one has."""
    text = moment.strftime(form)
    return re.sub(r"\b0(\d)(?=[/ :])", r"\1", text) if re.search(r"\b\d[/ :]", like) else text


def clock_in_other_unit(lines: RawLines) -> str:
    """Write the clock in milliseconds since 1970."""
    clock = lines.table["clock"]
    start = datetime(1970, 1, 1)

    def counted(cell: str) -> str:
        moment = datetime.strptime(cell, clock["format"])
        return str(int((moment - start).total_seconds() * 1000))

    lines.change(clock["column"], counted)
    return "milliseconds"


def day_and_month_swapped(lines: RawLines) -> str:
    """Swap day and month of every stamp."""
    form = lines.table["clock"]["format"]
    other = form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")

    def swapped(cell: str) -> str:
        return _stamp(datetime.strptime(cell, form), other, cell)

    lines.change(lines.table["clock"]["column"], swapped)
    return "all stamps"


def rows_twice(lines: RawLines) -> str:
    """Write some rows twice."""
    first, count = lines.chance.randrange(len(lines.rows)), lines.chance.randint(1, 5)
    lines.rows[first:first] = [list(row) for row in lines.rows[first : first + count]]
    return f"{count} from row {first}"


def rows_out_of_order(lines: RawLines) -> str:
    """Swap two rows that are far from each other."""
    one, other = lines.chance.sample(range(len(lines.rows)), 2)
    lines.rows[one], lines.rows[other] = lines.rows[other], lines.rows[one]
    return f"rows {one} and {other}"


def rows_missing(lines: RawLines) -> str:
    """Take rows away from the middle."""
    first, count = lines.chance.randrange(1, len(lines.rows) - 40), lines.chance.randint(2, 30)
    del lines.rows[first : first + count]
    return f"{count} from row {first}"


def other_encoding(lines: RawLines) -> str:
    """Write the file in another encoding."""
    lines.encoding = lines.chance.choice(["utf-16", "utf-16-le", "utf-32"])
    return lines.encoding


def odd_letter(lines: RawLines) -> str:
    """Put a letter of latin-1 into the header, or into a cell where there is none."""
    lines.encoding = "latin-1"
    if lines.csv:
        lines.header[-1] += " °C"
    else:
        lines.rows[0][-1] += "°"
    return "latin-1"


def decimal_comma(lines: RawLines) -> str:
    """Write the decimals of a column with a comma, between quotes where commas part columns."""
    form = '"{}"' if lines.csv else "{}"
    column = lines.chance.choice(lines.numbers())

    def written(cell: str) -> str:
        return form.format(cell.replace(".", ",")) if "." in cell else cell

    return column if lines.change(column, written) else ""


def header_renamed(lines: RawLines) -> str:
    """Give a column another name, or another unit in its name."""
    column = lines.chance.choice(lines.numbers())
    unit = column.replace("kW", "MW").replace("_", " ")
    lines.header[lines.header.index(column)] = unit if unit != column else f"{column} [degF]"
    return column


def cut_short(lines: RawLines) -> str:
    """Cut the file in the middle of its last line."""
    lines.rows[-1] = lines.rows[-1][: max(len(lines.rows[-1]) // 2, 1)]
    lines.tail = ""
    return "last line"


def words(lines: RawLines) -> str:
    """Write a word where a number was."""
    column = lines.chance.choice(lines.numbers())
    word = lines.chance.choice(
        ["NaN", "nan", "null", "#DIV/0!", "-", "", "1e3", "inf", "--", "O.5"]
    )
    row = lines.chance.randrange(len(lines.rows))
    lines.change(column, lambda _: word or ("" if lines.csv else "-"), range(row, row + 1))
    return f"{word!r} in {column}"
