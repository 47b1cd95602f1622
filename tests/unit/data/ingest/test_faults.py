"""Faults put into look-alikes by seed: each is refused or counted, none is silent.

The SHA-256 and the number of rows are taken from the damaged file: what finds the fault is the content alone.
A sign is turned only where the valid range can tell; a normalised tag of the refinery has no such range.
"""

import re

import numpy as np
import pytest
from fakes.lookalikes import SETS, lookalike, sealed_recipe

from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.errors import InputError


class Damage:
    """A table's file as lines of fields, damaged in one way."""

    def __init__(self, content, raw, rng):
        self.name, self.rng = content["name"], rng
        table = content["tables"][0]
        files = [file for file in table["files"] if not file.get("transposed")]
        self.path = raw / self.name / files[int(rng.integers(len(files)))]["path"]
        self.csv = table["parser"] == "csv"
        data = self.path.read_bytes()
        self.bom = data.startswith(b"\xef\xbb\xbf")
        self.lines = data.decode("utf-8-sig").splitlines()
        self.head = int(self.csv)
        names = table.get("header") or [column["column"] for column in table["columns"]]
        self.header = self.lines[0].split(",") if self.csv else names
        defaults = table.get("defaults", {})
        self.ranges = {c["column"]: c.get("min", 0) for c in table["columns"] if "codes" not in c}
        self.exact = {
            c["column"]: c.get("decimals", defaults.get("decimals")) for c in table["columns"]
        }
        self.clock = table["clock"].get("column")

    def any_row(self):
        return int(self.rng.integers(self.head, len(self.lines)))

    def fields(self, row):
        return self.lines[row].split(",") if self.csv else self.lines[row].split()

    def put(self, row, fields):
        self.lines[row] = ",".join(fields) if self.csv else "   ".join(fields)

    def edit(self, row, column, change):
        fields = self.fields(row)
        at = self.header.index(column)
        fields[at] = change(fields[at])
        self.put(row, fields)

    def number(self, only=lambda _: True):
        names = [name for name in self.ranges if only(name)]
        return names[int(self.rng.integers(len(names)))]

    def write(self):
        text = "\n".join(self.lines) + "\n"
        self.path.write_bytes((b"\xef\xbb\xbf" if self.bom else b"") + text.encode())


def written(text, value):
    """Return a number in the style of another one."""
    if "e" in text.lower():
        return f"{value:.7e}"
    return f"{value:.{len(text.split('.')[1]) if '.' in text else 0}f}"


def unit_swapped(damage):
    column = damage.number(lambda name: damage.ranges[name] >= 0)
    for row in range(damage.head, len(damage.lines)):
        damage.edit(row, column, lambda text: written(text, float(text) * 1000))


def decimal_comma(damage):
    column = damage.number(lambda name: damage.exact[name] != 0)
    damage.edit(damage.any_row(), column, lambda text: text.replace(".", ","))


def quoted_decimal_comma(damage):
    column = damage.number(lambda name: damage.exact[name] != 0)
    damage.edit(damage.any_row(), column, lambda text: '"' + text.replace(".", ",") + '"')


def sign(damage):
    column = damage.number(lambda name: damage.ranges[name] >= 0)
    damage.edit(damage.any_row(), column, lambda text: "-" + text)


def out_of_range(damage):
    column = damage.number()
    damage.edit(damage.any_row(), column, lambda text: written(text, float(text) * 20 + 1e6))


def text_among_numbers(damage):
    words = ("N/A", "nan", "", "1e3", " 1.0", "0x10", "1_000", "Infinity", "٣")
    word = words[int(damage.rng.integers(len(words)))]
    damage.edit(damage.any_row(), damage.number(), lambda _: word)


def clock_jump(damage):
    begin = int(damage.rng.integers(damage.head + 2, len(damage.lines)))
    for row in range(begin, len(damage.lines)):
        if damage.name == "turbofan":
            damage.edit(row, "cycle", lambda text: str(int(text) + 1))
            return
        damage.edit(row, damage.clock, lambda text: re.sub(r" (\d+):", _later, text))


def _later(match):
    return (
        f" {(int(match[1]) + 1) % 24}:"
        if len(match[1]) < 2
        else f" {(int(match[1]) + 1) % 24:02d}:"
    )


def duplicated_rows(damage):
    begin = damage.any_row()
    count = int(damage.rng.integers(1, 4))
    block = damage.lines[begin : begin + count]
    damage.lines[begin:begin] = block


def truncated_line(damage):
    row = damage.any_row()
    line = damage.lines[row].rstrip()
    mark = "," if damage.csv else " "
    damage.lines[row] = line[: int(damage.rng.integers(1, line.rindex(mark)))].rstrip()


def missing_column(damage):
    at = int(damage.rng.integers(len(damage.header)))
    for row in range(len(damage.lines)):
        fields = damage.fields(row)
        damage.put(row, [*fields[:at], *fields[at + 1 :]])


def extra_column(damage):
    for row in range(len(damage.lines)):
        damage.put(row, [*damage.fields(row), "new" if row < damage.head else "1.5"])


def wrong_number_of_columns(damage):
    row = damage.any_row()
    fields = damage.fields(row)
    damage.put(row, fields[:-1] if damage.rng.random() < 0.5 else [*fields, fields[-1]])


def columns_renamed(damage):
    if not damage.csv:
        return wrong_number_of_columns(damage)
    at = int(damage.rng.integers(len(damage.header)))
    fields = damage.fields(0)
    return damage.put(0, [*fields[:at], fields[at] + "_new", *fields[at + 1 :]])


LINE_FAULTS = (
    unit_swapped,
    decimal_comma,
    quoted_decimal_comma,
    sign,
    out_of_range,
    text_among_numbers,
    clock_jump,
    duplicated_rows,
    truncated_line,
    missing_column,
    extra_column,
    wrong_number_of_columns,
    columns_renamed,
)


def wrong_encoding(data, rng):
    return [data.decode("utf-8-sig").encode("utf-16"), data[:50] + b"\xe9" + data[50:]][
        int(rng.integers(2))
    ]


def byte_order_mark(data, _rng):
    mark = b"\xef\xbb\xbf"
    return data.removeprefix(mark) if data.startswith(mark) else mark + data


def cut_off(data, rng):
    end = int(rng.integers(len(data) // 2, len(data)))
    return data[: end - 1] if data[end - 1 : end] == b"\n" else data[:end].rstrip(b"\r\n ")


def emptied(_data, _rng):
    return b""


BYTE_FAULTS = (wrong_encoding, byte_order_mark, cut_off, emptied)
# a set without the column that a fault needs
NOT_THERE = {
    ("unit_swapped", "refinery"),
    ("sign", "refinery"),
    ("clock_jump", "tennessee_eastman"),
}
WIDE = ("refinery", "tennessee_eastman")  # slow: many columns or files
CASES = [
    (name, fault, seed)
    for name in SETS
    for number, fault in enumerate((*LINE_FAULTS, *BYTE_FAULTS))
    for seed in range(2 * number, 2 * number + (1 if name in WIDE else 2))
    if (fault.__name__, name) not in NOT_THERE
]


def outcome(content, raw):
    """Return the counted mends, or None where the ingest was refused."""
    try:
        _, report = ingest(sealed_recipe(content, raw), raw)
    except InputError:
        return None
    # blanks at line ends tell nothing about what stands between them
    return {rule: count for rule, count in report.totals().items() if rule != "blanks"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    raw = tmp_path_factory.mktemp("raw")
    contents = {name: lookalike(name, raw) for name in SETS}
    return raw, contents, {name: outcome(content, raw) for name, content in contents.items()}


@pytest.mark.parametrize("name", SETS)
def test_the_clean_look_alike_is_taken(clean, name):
    assert clean[2][name] is not None


@pytest.mark.parametrize(
    ("name", "fault", "seed"), CASES, ids=[f"{n}-{f.__name__}-{s}" for n, f, s in CASES]
)
def test_no_fault_is_silent(clean, name, fault, seed):
    raw, contents, counted = clean
    content = contents[name]
    damage = Damage(content, raw, np.random.default_rng(seed))
    before = damage.path.read_bytes()
    try:
        if fault in BYTE_FAULTS:
            damage.path.write_bytes(fault(before, damage.rng))
        else:
            fault(damage)
            damage.write()
        assert damage.path.read_bytes() != before
        assert outcome(content, raw) != counted[name]
    finally:
        damage.path.write_bytes(before)
