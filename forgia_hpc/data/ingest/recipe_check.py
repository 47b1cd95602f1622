"""What a recipe may not say: checked before any raw file is opened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from forgia_hpc.data.ingest.recipe import Recipe, TableSpec
from forgia_hpc.data.ingest.time_words import EPOCHS, known, unknown_directives
from forgia_hpc.data.ingest.ucum import UNITS, check_unit
from forgia_hpc.data.ingest.wanted import LabelSpec
from forgia_hpc.errors import Problem

# kind → the keys that it needs
_LABEL_KEYS = {
    "windows": ("code", "file", "key", "assets", "format"),
    "table": ("file", "format"),
    "stretch": ("code", "assets"),
    "end_of_run": ("code", "assets"),
    "remaining": ("code", "file", "assets"),
}


def check_recipe(recipe: Recipe, where: str) -> list[Problem]:
    """Return everything that is wrong in a recipe that has the right shape."""
    problems = [
        *_files(recipe, where),
        *_split(recipe, where),
        *_seasons(recipe, where),
    ]
    for number, table in enumerate(recipe.tables):
        problems += _columns(table, f"tables[{number}]", where)
        problems += _clock(table, f"tables[{number}].clock", where)
        problems += _marks(table, f"tables[{number}]", where)
        problems += _conversions(table, f"tables[{number}]", where)
        problems += _assets(table, f"tables[{number}]", where)
    for number, label in enumerate(recipe.labels):
        problems += _label(label, f"labels[{number}]", where)
    return problems


def _files(recipe: Recipe, where: str) -> Iterable[Problem]:
    declared = [file.path for file in recipe.files]
    used = {file.path for table in recipe.tables for file in table.files}
    used |= {label.file for label in recipe.labels if label.file}
    for path in _repeated(declared):
        yield Problem(field="files", got=path, limit="stands there twice", where=where)
    for path in sorted(used - set(declared)):
        yield Problem(
            field="files", got=path, limit="is used but not listed with its SHA-256", where=where
        )
    for path in sorted(set(declared) - used):
        yield Problem(field="files", got=path, limit="is listed but not used", where=where)
    for file in recipe.files:
        if recipe.generator is None and not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            yield Problem(
                field=f"files.{file.path}.sha256",
                got=file.sha256,
                limit="64 hexadecimal digits",
                where=where,
                fix="sha256sum FILE",
            )


def _split(recipe: Recipe, where: str) -> Iterable[Problem]:
    if not 0 <= recipe.split.time_share < 1:
        yield Problem(
            field="split.time_share",
            got=recipe.split.time_share,
            limit="0 to below 1",
            where=where,
        )


def _seasons(recipe: Recipe, where: str) -> Iterable[Problem]:
    groups = [table.group for table in recipe.tables]
    for group in _repeated(groups):
        yield Problem(field="tables", got=group, limit="a group has one table", where=where)
    for group in sorted(set(groups) ^ set(recipe.season_steps)):
        yield Problem(
            field=f"season_steps.{group}",
            got=recipe.season_steps.get(group),
            limit="exactly one entry for each table's group; 1 where there is no season",
            where=where,
        )
    for group, steps in recipe.season_steps.items():
        if steps < 1:
            yield Problem(field=f"season_steps.{group}", got=steps, limit="at least 1", where=where)


def _columns(table: TableSpec, field: str, where: str) -> Iterable[Problem]:
    channels = table.channels()
    for name in _repeated([channel.name for channel in channels]):
        yield Problem(field=f"{field}.columns", got=name, limit="names differ", where=where)
    named = [column.column for column in table.columns] + list(table.left_out)
    clock = (table.clock.column, table.clock.seconds_of_day)
    named += [column for column in clock if column is not None]
    for name in _repeated(named):
        yield Problem(field=f"{field}.columns", got=name, limit="a column has one use", where=where)
    for column, channel in zip(table.columns, channels, strict=True):
        at = f"{field}.columns.{column.column}"
        yield from check_unit(channel.ucum, channel.quantity, field=at, where=where)
        if channel.valid_min is None or channel.valid_max is None:
            yield Problem(
                field=at,
                got=(channel.valid_min, channel.valid_max),
                limit="a valid range (min, max) is needed: it is what finds a wrong unit",
                where=where,
            )
        elif channel.valid_min > channel.valid_max:
            yield Problem(field=f"{at}.min", got=column.min, limit="at most max", where=where)
        if not channel.semantic_id.startswith("https://"):
            yield Problem(
                field=f"{at}.semantic_id", got=channel.semantic_id, limit="an IRI", where=where
            )


def _clock(table: TableSpec, field: str, where: str) -> Iterable[Problem]:
    clock = table.clock
    if clock.step_s is not None and (
        clock.step_s <= 0 or (Fraction(str(clock.step_s)) * 10**9).denominator != 1
    ):
        yield Problem(
            field=f"{field}.step_s",
            got=clock.step_s,
            limit="above 0, in whole nanoseconds",
            where=where,
        )
    if clock.format and (clock.step_s is None or clock.column is None):
        yield Problem(
            field=field, got=clock.format, limit="stamps need column and step_s", where=where
        )
    yield from _words_of_time(table, field, where)
    if not re.fullmatch(r"[+-]\d\d:\d\d", clock.utc_offset):
        yield Problem(
            field=f"{field}.utc_offset", got=clock.utc_offset, limit="+hh:mm", where=where
        )
    missing = table.mends.missing_steps
    if missing is not None and missing.longest > missing.fill and not clock.format:
        yield Problem(
            field=field,
            got=missing.longest,
            limit=f"without stamps a gap can't begin a new segment: longest = fill = {missing.fill}",
            where=where,
        )
    if clock.seconds_of_day is not None and not clock.format:
        yield Problem(
            field=f"{field}.seconds_of_day",
            got=clock.seconds_of_day,
            limit="can be compared with stamps only",
            where=where,
        )


def _words_of_time(table: TableSpec, field: str, where: str) -> Iterable[Problem]:
    clock = table.clock
    for word in unknown_directives(clock.format):
        limit = "of %Y %y %m %d %H %M %S %f"
        yield Problem(field=f"{field}.format", got=word, limit=limit, where=where)
    if clock.format == "typed" and table.parser not in ("parquet", "arrow"):
        limit = "Parquet and Arrow only: other files hold no times but texts and numbers"
        yield Problem(field=f"{field}.format", got=clock.format, limit=limit, where=where)
    if not clock.zone:
        return
    if clock.utc_offset != "+00:00" or clock.format in EPOCHS:
        limit = "instead of utc_offset, and not with epochs: those are UTC"
        yield Problem(field=f"{field}.zone", got=clock.zone, limit=limit, where=where)
    if not known(clock.zone):
        limit = "a zone that this machine knows, such as Europe/Rome"
        yield Problem(field=f"{field}.zone", got=clock.zone, limit=limit, where=where)


def _marks(table: TableSpec, field: str, where: str) -> Iterable[Problem]:
    """Yield decimal signs, marks of thousands and delimiters that can't be told apart."""
    text = table.parser in ("csv", "whitespace")
    if table.decimal == table.thousands or (
        table.parser == "csv" and table.decimal == table.delimiter
    ):
        yield Problem(
            field=f"{field}.decimal",
            got=table.decimal,
            limit="differs from delimiter and thousands",
            where=where,
        )
    if not text and (table.decimal, table.thousands, table.encoding) != (".", "", "utf-8"):
        limit = "decimal, thousands and encoding are words of texts"
        yield Problem(field=f"{field}.parser", got=table.parser, limit=limit, where=where)


def _conversions(table: TableSpec, field: str, where: str) -> Iterable[Problem]:
    """Yield units that can't be turned into each other, and scales that are none."""
    for column, terms in zip(table.columns, table.terms(), strict=True):
        at = f"{field}.columns.{column.column}"
        theirs, ours = UNITS.get(terms.given_in), UNITS.get(terms.ucum)
        if terms.given_in and (
            theirs is None or ours is None or theirs.dimension != ours.dimension
        ):
            limit = f"a unit that can be turned into {terms.ucum}"
            yield Problem(field=f"{at}.given_in", got=terms.given_in, limit=limit, where=where)
        if terms.scale is not None and not terms.scale > 0:
            limit = "above 0; `sign: -1` turns a column round"
            yield Problem(field=f"{at}.scale", got=terms.scale, limit=limit, where=where)


def _assets(table: TableSpec, field: str, where: str) -> Iterable[Problem]:
    for file in table.files:
        if bool(file.asset) == (table.assets is not None):
            yield Problem(
                field=f"{field}.files.{file.path}.asset",
                got=file.asset,
                limit="the machine stands either with the file or in assets.column",
                where=where,
            )
        if file.transposed and table.parser != "whitespace":
            yield Problem(
                field=f"{field}.files.{file.path}.transposed",
                got=True,
                limit="whitespace tables only",
                where=where,
            )


def _label(label: LabelSpec, field: str, where: str) -> Iterable[Problem]:
    for key in _LABEL_KEYS[label.kind]:
        if not getattr(label, key):
            yield Problem(
                field=f"{field}.{key}", got=None, limit=f"{label.kind} needs it", where=where
            )


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
