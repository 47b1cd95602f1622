"""Faults of unit, scale, sign, clock, range, encoding and decimals in raw files: none passes in silence.

What can be told is decided before the ingest and without it. A fault that leaves every value and every time as it
was is none. One that changes a column as a whole (unit, sign, another column) can be told if a statistic of the
damaged column (1 %, mean, 99 %, spread, roughness) leaves what the eighths of the undamaged one span, widened on
each side by that span and half of the column's width; spread and roughness by a factor of 4 and 2.5. Else an
honest file of this source could look like it. A clock that is wrong all the time (day and month swapped within
one day, a counter that begins a run at 2), and rows that are gone or in another order where rows have no time,
can't be told from the file at all. All other faults can.
"""

from __future__ import annotations

import copy
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import yaml
from endurance import raw_damage as damage
from endurance.raw_damage import RawLines
from fakes.lookalikes import SETS, lookalike, sealed_recipe
from numpy.typing import NDArray

from forgia_hpc.data.card import shipped_cards
from forgia_hpc.data.ingest.expect import measure
from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.data.layout import Contribution
from forgia_hpc.errors import InputError

Values = NDArray[np.float64]
UNIT, CLOCK, TEXT = "unit", "clock", "text"
KINDS: dict[str, tuple[str, Callable[[RawLines], str]]] = {
    "factor 10": (UNIT, damage.whole_column(10.0)),
    "factor 1000": (UNIT, damage.whole_column(1000.0)),
    "Fahrenheit": (UNIT, damage.whole_column(1.8, 32.0)),
    "inches": (UNIT, damage.whole_column(0.0254)),
    "sign": (UNIT, damage.whole_column(-1.0)),
    "columns swapped": (UNIT, damage.columns_swapped),
    "outliers": (TEXT, damage.burst),
    "clock an hour on": (CLOCK, damage.clock_shifted(3600.0)),
    "clock an hour back": (CLOCK, damage.clock_shifted(-3600.0)),
    "clock a day on": (CLOCK, damage.clock_shifted(86_400.0)),
    "clock always an hour on": (CLOCK, damage.clock_shifted(3600.0, whole=True)),
    "clock in ms": (CLOCK, damage.clock_in_other_unit),
    "day and month": (CLOCK, damage.day_and_month_swapped),
    "rows twice": (TEXT, damage.rows_twice),
    "rows out of order": (CLOCK, damage.rows_out_of_order),
    "rows missing": (CLOCK, damage.rows_missing),
    "encoding": (TEXT, damage.other_encoding),
    "letter of latin-1": (TEXT, damage.odd_letter),
    "decimal comma": (TEXT, damage.decimal_comma),
    "header renamed": (TEXT, damage.header_renamed),
    "cut short": (TEXT, damage.cut_short),
    "words": (TEXT, damage.words),
    "none": ("", lambda _: "undamaged"),
}
HIDDEN = ("clock always an hour on",)
WITH_TIMES = ("clock an hour on", "clock an hour back", "clock a day on", *HIDDEN)
WITH_STAMPS = ("clock in ms", "day and month")


class IngestFaults:
    """Trials on the five sets of $FORGIA_RAW, where it is set, and on their look-alikes."""

    def __init__(self, scratch: Path, seed: int = 0) -> None:
        """Write the look-alikes, ingest all undamaged, and note what each column is like."""
        self._scratch = scratch
        self._cases = [_lookalike(name, scratch / "look", seed) for name in SETS]
        if raw := os.environ.get("FORGIA_RAW"):
            self._cases += [_real(name, Path(raw)) for name in SETS]

    def __enter__(self) -> IngestFaults:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the files to whoever gave the directory."""

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Damage a copy of one set, ingest it, and see whether it was noticed."""
        case = chance.choice(self._cases)
        kind = chance.choice([name for name in KINDS if _fits(name, case)])
        root = self._scratch / "damaged"
        folder = root / case.content["name"]
        shutil.copytree(case.raw / case.content["name"], folder)
        try:
            content = copy.deepcopy(case.content)
            lines = RawLines(content, folder, chance)
            before = [list(row) for row in lines.rows]
            names = list(lines.header)
            place = KINDS[kind][1](lines)
            told = _can_be_told(kind, case, before, names, lines)
            lines.write()
            ended = _ingested(content, root, case)
        finally:
            shutil.rmtree(root)
        silent = ended == "silent" and told
        wrong = ended != "silent" and kind == "none"
        return {
            "what": f"{kind}: {ended}" + ("" if told or kind == "none" else ", not to be told"),
            "place": f"{case.label}, {lines.path.name}: {place}",
            "faults": [f"{case.label}: {kind} in {place} was {ended}"] if silent or wrong else [],
        }


class Case:
    """A set: its recipe with expectations, and what an undamaged ingest makes of it."""

    def __init__(self, label: str, content: dict[str, Any], raw: Path) -> None:
        """Ingest it and write down what its columns are like."""
        self.label, self.content, self.raw = label, content, raw
        contribution, report = ingest(sealed_recipe(content, raw), raw)
        self.mends = report.totals()
        self.columns = _columns_of(contribution, content)
        for column in content["tables"][0]["columns"]:
            expect = measure(self.columns[column["column"]])
            if expect is not None and "codes" not in column:
                facts = asdict(expect)
                column["expect"] = {
                    key: list(one) if isinstance(one, tuple) else one for key, one in facts.items()
                }


def _lookalike(name: str, raw: Path, seed: int) -> Case:
    return Case(f"look-alike of {name}", lookalike(name, raw / str(seed), seed), raw / str(seed))


def _real(name: str, raw: Path) -> Case:
    path = shipped_cards()[name].parent / "recipe.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for file in content["tables"][0]["files"]:
        file.pop("rows", None)
    return Case(name, content, raw)


def _columns_of(contribution: Contribution, content: dict[str, Any]) -> dict[str, list[Values]]:
    names = [column["column"] for column in content["tables"][0]["columns"]]
    return {
        name: [np.array(segment.values[number]) for segment in contribution.segments]
        for number, name in enumerate(names)
    }


def _fits(kind: str, case: Case) -> bool:
    """Whether a fault can be put into a set."""
    table = case.content["tables"][0]
    clock = table["clock"]
    if kind in WITH_TIMES and "column" not in clock:
        return False
    if kind in WITH_STAMPS and "format" not in clock:
        return False
    if kind == "header renamed" and (table["parser"] != "csv"):
        return False
    return kind != "columns swapped" or len(table["columns"]) > 1


def _ingested(content: dict[str, Any], root: Path, case: Case) -> str:
    try:
        _, report = ingest(sealed_recipe(content, root), root)
    except InputError:
        return "refused"
    if report.flags:
        return "flagged"
    return "counted" if report.totals() != case.mends else "silent"


def _can_be_told(
    kind: str, case: Case, before: list[list[str]], names: list[str], lines: RawLines
) -> bool:
    """Return whether the damage can be told, by the rule at the head of this file."""
    group = KINDS[kind][0]
    changed = before != lines.rows or names != lines.header
    if kind == "none" or kind in HIDDEN:
        return False
    if kind == "day and month":
        at = names.index(case.content["tables"][0]["clock"]["column"])
        return len({row[at][:10].split(" ")[0] for row in before}) > 1
    if kind in WITH_TIMES and "format" not in case.content["tables"][0]["clock"]:
        return _inside_a_run(case, before, names, lines)
    if group == UNIT:
        return any(
            _leaves(case, name, [row[at] for row in before], [row[at] for row in lines.rows])
            for at, name in enumerate(names)
            if name in case.columns and name in lines.numbers()
        )
    if kind in ("rows out of order", "rows missing"):
        return _rows_moved(case, before, names, lines)
    return changed or lines.encoding != "utf-8" or lines.tail == ""


def _rows_moved(case: Case, before: list[list[str]], names: list[str], lines: RawLines) -> bool:
    """Whether rows with a time are others: lines of two machines may change places, and nothing has changed."""
    table = case.content["tables"][0]
    if "column" not in table["clock"]:
        return False
    at = names.index(table["assets"]["column"]) if "assets" in table else None
    return _by_machine(before, at) != _by_machine(lines.rows, at)


def _by_machine(rows: list[list[str]], at: int | None) -> dict[str, list[list[str]]]:
    """Return each machine's rows, in their order."""
    found: dict[str, list[list[str]]] = {}
    for row in rows:
        found.setdefault("" if at is None else row[at], []).append(row)
    return found


def _inside_a_run(case: Case, before: list[list[str]], names: list[str], lines: RawLines) -> bool:
    """Whether a counter goes on by more than one within a machine's rows, and not only from its first row on."""
    changed = [n for n, row in enumerate(before) if row != lines.rows[n]]
    at = names.index(case.content["tables"][0]["assets"]["column"])
    return bool(changed) and changed[0] > 0 and before[changed[0]][at] == before[changed[0] - 1][at]


def _leaves(case: Case, name: str, before: list[str], after: list[str]) -> bool:
    """Whether the damaged column, with what other files hold of it, is like no eighth of the undamaged one."""
    if before == after:
        return False
    clean = np.concatenate(case.columns[name])
    clean = clean[np.isfinite(clean)]
    damaged = _mixed(clean, _numbers(before), _numbers(after))
    eighths = [_statistics(one) for one in np.array_split(clean, 8) if len(one) > 1]
    now, low, high = _statistics(damaged), np.min(eighths, axis=0), np.max(eighths, axis=0)
    width = np.quantile(clean, 0.99) - np.quantile(clean, 0.01)
    span = high[:3] - low[:3] + width / 2
    if ((now[:3] < low[:3] - span) | (now[:3] > high[:3] + span)).any():
        return True
    times = np.array([4.0, 2.5])
    return bool(((now[3:] * times < low[3:]) | (now[3:] > high[3:] * times)).any())


def _mixed(clean: Values, before: Values, after: Values) -> Values:
    """Return the undamaged column with the share that one file has of it replaced by the damaged values."""
    if len(before) >= len(clean) * 0.95:
        return after
    keep = clean[: max(len(clean) - len(after), 0)]
    return np.concatenate([keep, after])


def _numbers(cells: list[str]) -> Values:
    found = []
    for cell in cells:
        try:
            found.append(float(cell))
        except ValueError:
            continue
    return np.array(found)


def _statistics(values: Values) -> Values:
    """Return 1 %, mean, 99 %, spread, roughness."""
    steps = np.abs(np.diff(values)).mean() if len(values) > 1 else 0.0
    low, high = np.quantile(values, (0.01, 0.99))
    return np.array([low, values.mean(), high, values.std(), steps])
