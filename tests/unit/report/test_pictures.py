"""PNGs of our own making, read back by their specification (PNG, third edition, W3C 2025)."""

import struct
import zlib

from forgia_hpc.report.histogram import bins, filled, histogram
from forgia_hpc.report.pictures import BOTH, EMBER, beside, png, shade, shades


def read(data):
    """Return the chunks of a PNG by name; checksums are compared."""
    assert data[:8] == bytes.fromhex("89504e470d0a1a0a")
    found, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length :][:4])[0] == zlib.crc32(name + body)
        found[name] = body
        at += 12 + length
    return found


def test_a_picture_has_its_shades_and_colours():
    lines = shades([[0.0, 0.5, 1.0], [None, float("nan"), 7.0]], 0.0, 1.0)
    assert lines == [bytes([1, 128, 255]), bytes([0, 0, 255])]
    chunks = read(png(lines, EMBER))
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 2, 8, 3, 0, 0, 0)
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0" + lines[0] + b"\0" + lines[1]
    assert len(chunks[b"PLTE"]) == 3 * 256
    assert tuple(chunks[b"PLTE"][3:6]) == EMBER[0]
    assert tuple(chunks[b"PLTE"][-3:]) == EMBER[-1]
    assert chunks[b"tRNS"] == b"\0"  # shade 0 is seen through


def test_the_scales_read_in_grey_too():
    def grey(colour):
        return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]

    rising = [grey(one) for one in EMBER]
    assert rising == sorted(rising)
    middle = len(BOTH) // 2
    assert max(map(grey, BOTH)) == grey(BOTH[middle])


def test_a_field_that_is_one_number_all_over_has_a_shade():
    assert shade(3.0, 3.0, 3.0) == 128


def test_frames_lie_side_by_side():
    assert beside([[b"ab", b"cd"], [b"ef", b"gh"]]) == [b"abef", b"cdgh"]


def test_every_value_is_in_one_bin():
    even = [float(at) for at in range(100)]
    edges, log = bins(even)
    assert not log
    assert sum(filled(even, edges, log=log)) == 100
    wide = [10.0**at for at in range(-3, 5)]
    edges, log = bins(wide)
    assert log
    assert sum(filled(wide, edges, log=log)) == 8


def test_a_histogram_needs_two_values():
    assert histogram("Seconds", [1.0, 1.0]) is None
    assert "median 2.00 s" in str(histogram("Seconds", [1.0, 2.0, 5.0], "s"))
