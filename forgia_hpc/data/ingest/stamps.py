"""Texts of times → nanoseconds of the clock that wrote them, strictly: strptime alone forgives too much."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.time_words import EPOCHS, SECOND, WIDTHS

Steps = NDArray[np.int64]
Mask = NDArray[np.bool_]

_FIXED = {"%Y": 4, **dict.fromkeys(("%y", "%d", "%m", "%H", "%M", "%S"), 2)}


def time_pattern(form: str) -> str:
    """Return the regular expression of a format of strptime, with a named group a part."""
    found = []
    for part in re.split(r"(%[a-zA-Z])", form):
        few, many = WIDTHS.get(part, (0, 0))
        found.append(rf"(?P<{part[1]}>\d{{{few},{many}}})" if many else re.escape(part))
    return "^" + "".join(found) + "$"


def parse(texts: pa.Array, form: str) -> tuple[Steps, Mask]:
    """Return nanoseconds (row) and which rows are no such time."""
    if form in EPOCHS:
        return _counted(texts, EPOCHS[form])
    parts = _fixed_parts(texts, form)
    if parts is not None:
        return _joined(parts, len(texts))
    found = pc.extract_regex(texts, time_pattern(form))
    bad = np.asarray(pc.is_null(found).to_numpy(zero_copy_only=False), dtype=bool)
    parts = {}
    for field in found.type:
        text = pc.fill_null(pc.struct_field(found, field.name), "0")
        if field.name == "f":
            text = pc.utf8_rpad(text, 9, "0")
        parts[field.name] = np.asarray(pc.cast(text, pa.int64()))
    times, wrong = _joined(parts, len(texts))
    return times, bad | wrong


def _counted(texts: pa.Array, unit: int) -> tuple[Steps, Mask]:
    """Return the nanoseconds of whole or decimal counts of a unit since 1970."""
    shape = pc.extract_regex(texts, r"^(?P<w>-?\d{1,18})(?:\.(?P<f>\d{1,9}))?$")
    bad = np.asarray(pc.is_null(shape).to_numpy(zero_copy_only=False), dtype=bool)
    whole = np.asarray(pc.cast(pc.fill_null(pc.struct_field(shape, "w"), "0"), pa.int64()))
    text = pc.utf8_rpad(pc.fill_null(pc.struct_field(shape, "f"), ""), 9, "0")
    part = np.asarray(pc.cast(text, pa.int64())) * unit // SECOND
    bad |= np.abs(whole) > np.iinfo(np.int64).max // unit - 1
    return np.where(bad, 0, whole * unit + np.where(whole < 0, -part, part)), bad


def _fixed_parts(texts: pa.Array, form: str) -> dict[str, Steps] | None:
    """Return the numbers of texts that have one width, every part as wide as it can be; None for others."""
    pieces = [part for part in re.split(r"(%[a-zA-Z])", form) if part]
    if not len(texts) or any(part.startswith("%") and part not in _FIXED for part in pieces):
        return None
    width = sum(_FIXED.get(part, len(part.encode())) for part in pieces)
    _, edges, data = texts.buffers()
    offsets = np.frombuffer(edges, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if (np.diff(offsets) != width).any():
        return None
    flat = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(-1, width)
    found: dict[str, Steps] = {}
    at = 0
    for part in pieces:
        if part not in _FIXED:
            coded = np.frombuffer(part.encode(), np.uint8)
            if (flat[:, at : at + len(coded)] != coded).any():
                return None
            at += len(coded)
            continue
        digits = flat[:, at : at + _FIXED[part]] - np.uint8(ord("0"))
        if digits.max() > 9:
            return None
        number: NDArray[Any] = digits[:, 0].astype(np.int64 if len(digits[0]) > 2 else np.uint8)
        for place in range(1, _FIXED[part]):
            number = number * 10 + digits[:, place]
        found[part[1]] = number.astype(np.int64)
        at += _FIXED[part]
    return found


def _joined(parts: dict[str, Steps], rows: int) -> tuple[Steps, Mask]:
    """Return the nanoseconds of years, months … and which of them are in no calendar."""
    days, bad = _days(parts, rows)
    seconds = days * 86_400
    for name, unit, most in (("H", 3600, 23), ("M", 60, 59), ("S", 1, 59)):
        if name in parts:
            seconds += parts[name] * unit
            if parts[name].max(initial=0) > most:
                bad |= parts[name] > most
    seconds *= SECOND
    if "f" in parts:
        seconds += parts["f"]
    return np.where(bad, 0, seconds) if bad.any() else seconds, bad


def _days(parts: dict[str, Steps], rows: int) -> tuple[Steps, Mask]:
    """Return the days since 1970, looked up once for each run of rows of one day."""
    if not rows or not parts.keys() & set("Yymd"):
        return np.zeros(rows, np.int64), np.zeros(rows, bool)
    known = [parts[name] for name in "Yymd" if name in parts]
    fresh = np.zeros(rows, bool)
    fresh[0] = True
    for one in known:
        fresh[1:] |= one[1:] != one[:-1]
    first = np.flatnonzero(fresh)
    of = {name: parts[name][first] for name in "Yymd" if name in parts}
    one = np.ones(len(first), np.int64)
    year = of.get("Y", one * 1970)
    if "y" in of:  # strptime(3): 69 to 99 are of the last century
        year = of["y"] + np.where(of["y"] < 69, 2000, 1900)
    month, day = of.get("m", one), of.get("d", one)
    bad = (year < 1700) | (year > 2250) | (month < 1) | (month > 12) | (day < 1) | (day > 31)
    months = np.where(bad, 0, (year - 1970) * 12 + month - 1).astype("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    bad |= days.astype("M8[M]") != months
    lengths = np.diff([*first, rows])
    return np.repeat(days.astype(np.int64), lengths), np.repeat(bad, lengths)
