"""Small raw files with the rough edges of the five real sets, under the shipped recipes.

Only what depends on the size is changed in a recipe: SHA-256, expected rows, most mends.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from forgia_hpc.data.card import shipped_cards
from forgia_hpc.data.ingest.load import recipe_from
from forgia_hpc.data.ingest.recipe import Recipe

Content = dict[str, Any]
SETS = ("refinery", "machine_temperature", "steel_energy", "tennessee_eastman", "turbofan")


def lookalike(name: str, raw: Path, seed: int = 0) -> Content:
    """Write `raw/<name>/…` and return the recipe as plain data, without SHA-256 and rows."""
    folder = raw / name
    folder.mkdir(parents=True)
    path = shipped_cards()[name].parent / "recipe.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    _WRITERS[name](folder, content, np.random.default_rng(seed))
    for table in content["tables"]:
        for file in table["files"]:
            file.pop("rows", None)
    return content


def sealed_recipe(content: Content, raw: Path) -> Recipe:
    """Return the recipe with the SHA-256 of the files as they are now."""
    for file in content["files"]:
        data = (raw / content["name"] / file["path"]).read_bytes()
        file["sha256"] = hashlib.sha256(data).hexdigest()
    return recipe_from(content, "look-alike")


def numbers(content: Content, rng: np.random.Generator, rows: int) -> list[list[str]]:
    """Return the text of each column: random numbers in the middle of its valid range, or codes."""
    table = content["tables"][0]
    defaults = table.get("defaults", {})
    columns = []
    for column in table["columns"]:
        if "codes" in column:
            columns.append([str(one) for one in rng.choice(column["codes"], size=rows)])
            continue
        low, high = column["min"], column["max"]
        values = low + (high - low) * rng.uniform(0.45, 0.6, size=rows)
        decimals = column.get("decimals", defaults.get("decimals"))
        form = "%.7e" if table.get("notation") else f"%.{8 if decimals is None else decimals}f"
        columns.append([form % value for value in values])
    return columns


def _refinery(folder: Path, content: Content, rng: np.random.Generator) -> None:
    rows = 60
    columns = numbers(content, rng, rows)
    columns[2][10:14] = ["Inp OutRange"] * 4
    columns[70][20:23] = ["Bad"] * 3
    columns[36][30] = "Scan Timeout"
    stamps = [_stamp("%Y-%m-%d %H:%M:%S", 5 * n) for n in range(rows)]
    header = ["", *(column["column"] for column in content["tables"][0]["columns"])]
    _csv(folder / "real_process_data.csv", [header, *zip(stamps, *columns, strict=True)])


def _machine_temperature(folder: Path, content: Content, rng: np.random.Generator) -> None:
    minutes = [*range(0, 1000, 5), *range(940, 2000, 5)]  # the clock goes back by an hour, once
    (values,) = numbers(content, rng, len(minutes))
    stamps = [_stamp("%Y-%m-%d %H:%M:%S", minute) for minute in minutes]
    path = folder / "machine_temperature_system_failure.csv"
    _csv(path, [("timestamp", "value"), *zip(stamps, values, strict=True)])
    form = "%Y-%m-%d %H:%M:%S.%f"
    windows = [[_stamp(form, 300), _stamp(form, 400)], [_stamp(form, 1800), _stamp(form, 1900)]]
    text = json.dumps({"source": "look-alike", "anomaly_windows": windows})
    (folder / "labels.json").write_text(text, encoding="utf-8")


def _steel_energy(folder: Path, content: Content, rng: np.random.Generator) -> None:
    days = 3
    rows = []
    columns = numbers(content, rng, 96 * days)
    for step in range(1, 96 * days + 1):
        day, quarter = divmod(step, 96)
        day += quarter > 0  # midnight is stamped with the day that ends
        hour, minute = divmod(quarter * 15, 60)
        stamp = f"{day}/1/2018 {hour}:{minute:02d}"
        cells = [column[step - 1] for column in columns]
        rows.append((stamp, *cells[:6], str(quarter * 900), *cells[6:]))
    names = [column["column"] for column in content["tables"][0]["columns"]]
    header = ("date", *names[:6], "NSM", *names[6:])
    text = "".join(",".join(row) + "\r\n" for row in [header, *rows])
    (folder / "Steel_industry_data.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())


def _tennessee_eastman(folder: Path, content: Content, rng: np.random.Generator) -> None:
    for file in content["tables"][0]["files"]:
        steps = 200 if file["asset"].endswith("_te") else 130
        columns = numbers(content, rng, steps)
        if file.get("transposed"):
            lines = ["   ".join(column) for column in columns]
        else:
            lines = ["   " + "   ".join(row) for row in zip(*columns, strict=True)]
        (folder / file["path"]).write_text("\n".join(lines) + "\n", encoding="ascii")


def _turbofan(folder: Path, content: Content, rng: np.random.Generator) -> None:
    for name, longest in (("train", 6), ("test", 4)):
        lengths = rng.integers(2, longest, size=100)
        columns = numbers(content, rng, int(lengths.sum()))
        counters = [(unit, cycle) for unit, n in enumerate(lengths, 1) for cycle in range(1, n + 1)]
        rows = zip(counters, *columns, strict=True)
        lines = [f"{unit} {cycle} {' '.join(row)}  " for (unit, cycle), *row in rows]
        path = folder / f"{name}_FD001.txt"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
    remaining = "".join(f"{n} \n" for n in rng.integers(7, 146, size=100))
    (folder / "RUL_FD001.txt").write_text(remaining, encoding="ascii")


_WRITERS: dict[str, Callable[[Path, Content, np.random.Generator], None]] = {
    "refinery": _refinery,
    "machine_temperature": _machine_temperature,
    "steel_energy": _steel_energy,
    "tennessee_eastman": _tennessee_eastman,
    "turbofan": _turbofan,
}


def _stamp(form: str, minutes: int) -> str:
    return (datetime.datetime(2013, 12, 2) + datetime.timedelta(minutes=minutes)).strftime(form)


def _csv(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
