"""index.pack as bytes: words as JSON and tables behind them, the same for every layout.

Bytes: magic "FORGIAIX", version u32, length of the JSON u32 (all little-endian), the JSON, zeros up
to a multiple of 64, then the tables, each at a multiple of 64 counted from the first of them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.checked import require
from forgia_hpc.data.layout import Split
from forgia_hpc.digest import canonical_json

MAGIC = b"FORGIAIX"
VERSION = 1
ALIGN = 64
SPLITS = tuple(Split)
BROKEN = (struct.error, ValueError, LookupError, TypeError, AttributeError)  # what odd bytes raise

Table = NDArray[np.void]
Types = Mapping[str, np.dtype[Any]]  # of each table's rows, in the order of the file

STAT = np.dtype([("n", "<i8"), ("mean", "<f8"), ("m2", "<f8"), ("min", "<f8"), ("max", "<f8")])
LEAF = np.dtype(("<u1", (32,)))


@dataclass(frozen=True, kw_only=True)
class PackedIndex:
    """What the tables of every layout have in common."""

    name: str
    shards: Table
    stats: Table
    leaves: NDArray[np.uint8]

    def split_of(self, shard: int) -> Split:
        """Return what a shard may be used for."""
        return SPLITS[int(self.shards["split"][shard])]


def pack_tables(index: PackedIndex, types: Types, **words: Any) -> bytes:
    """Return the bytes of an index: its name, these words, and its tables."""
    body = bytearray()
    tables = {}
    for name, dtype in types.items():
        rows = np.ascontiguousarray(getattr(index, name))
        tables[name] = {"offset": len(body), "rows": len(rows), "fields": _fields(dtype)}
        body += rows.tobytes()
        body += bytes(-len(body) % ALIGN)
    text = canonical_json({**words, "name": index.name, "tables": tables})
    head = MAGIC + struct.pack("<II", VERSION, len(text)) + text
    return head + bytes(-len(head) % ALIGN) + bytes(body)


def unpack_tables(data: bytes, types: Types, form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the words and the tables of an index of this format; what odd bytes raise is in BROKEN."""
    magic, version, length = struct.unpack_from("<8sII", data)
    require((magic, version) == (MAGIC, VERSION), f"not of version {VERSION}")
    words = json.loads(data[16 : 16 + length])
    require(words["format"] == form, f"format {words['format']!r}")
    start = 16 + length + -(16 + length) % ALIGN
    tables = {}
    for name, dtype in types.items():
        entry = words["tables"][name]
        require(entry["fields"] == _fields(dtype), f"fields of {name}")
        tables[name] = np.frombuffer(data, dtype, entry["rows"], start + entry["offset"])
    return words, tables


def _fields(dtype: np.dtype[Any]) -> str:
    return "".join(str(dtype.descr if dtype.names else (dtype.base.str, dtype.shape)).split())
