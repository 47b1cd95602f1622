"""Fields as pictures: small PNGs with a palette, made here and carried inside of the page."""

from __future__ import annotations

import base64
import itertools
import math
import struct
import zlib
from collections.abc import Sequence

Colour = tuple[int, int, int]
Rows = Sequence[Sequence[float | None]]  # from the top down; None: nothing is there
EMBER: tuple[Colour, ...] = (  # dark to light without a turn, so that it reads in grey too
    (20, 16, 32), (66, 24, 62), (122, 34, 64), (176, 56, 46),
    (214, 94, 28), (238, 148, 40), (249, 202, 98), (255, 244, 204),
)  # fmt: skip
BOTH: tuple[Colour, ...] = (  # too low, right, too high
    (20, 64, 92), (43, 122, 155), (140, 184, 202), (246, 244, 240),
    (231, 164, 128), (190, 78, 20), (112, 38, 4),
)  # fmt: skip
SHADES = 255  # shade 0 is transparent


def shade(value: float | None, low: float, high: float) -> int:
    """Return the shade of a value between low and high, 1 to 255; 0 where nothing is."""
    if value is None or not math.isfinite(value):
        return 0
    share = (value - low) / (high - low) if high > low else 0.5
    return 1 + round(min(max(share, 0.0), 1.0) * (SHADES - 1))


def shades(rows: Rows, low: float, high: float) -> list[bytes]:
    """Return the shades of a picture, a line each."""
    return [bytes(shade(value, low, high) for value in row) for row in rows]


def png(lines: Sequence[bytes], colours: Sequence[Colour]) -> bytes:
    """Return a picture of these shades: the same bytes for the same picture."""
    width, height = len(lines[0]), len(lines)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, by a palette
    body = zlib.compress(b"".join(b"\0" + line for line in lines), 9)  # 0: no filter
    chunks = (b"IHDR", head), (b"PLTE", _palette(colours)), (b"tRNS", b"\0"), (b"IDAT", body)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in (*chunks, (b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _palette(colours: Sequence[Colour]) -> bytes:
    """Return the colours of 0 (transparent) and of every shade between the ends of a scale."""
    found = [(0, 0, 0)]
    for at in range(SHADES):
        place = at / (SHADES - 1) * (len(colours) - 1)
        first = min(int(place), len(colours) - 2)
        pairs = zip(colours[first], colours[first + 1], strict=True)
        red, green, blue = (round(a + (b - a) * (place - first)) for a, b in pairs)
        found.append((red, green, blue))
    return bytes(itertools.chain.from_iterable(found))


def data_url(lines: Sequence[bytes], colours: Sequence[Colour]) -> str:
    """Return a picture as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png(lines, colours)).decode()


def beside(pictures: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Return pictures of one size side by side, as one."""
    return [b"".join(line) for line in zip(*pictures, strict=True)]


def gradient(colours: Sequence[Colour]) -> str:
    """Return the scale of a picture as the style sheet draws it."""
    return f"linear-gradient(90deg,{','.join('rgb({},{},{})'.format(*one) for one in colours)})"
