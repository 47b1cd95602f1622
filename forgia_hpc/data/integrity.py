"""Digests of 1 MiB leaves, and of leaves together."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

LEAF_BYTES = 1 << 20


def leaf_count(byte_count: int) -> int:
    """Return how many leaves cover so many bytes; the last may be short."""
    return -(-byte_count // LEAF_BYTES)


def leaf_hashes(data: memoryview) -> NDArray[np.uint8]:
    """Return the SHA-256 (leaf, 32) of each 1 MiB of `data`, counted from its first byte."""
    found = np.empty((leaf_count(len(data)), 32), np.uint8)
    for number in range(len(found)):
        leaf = data[number * LEAF_BYTES : (number + 1) * LEAF_BYTES]
        found[number] = np.frombuffer(hashlib.sha256(leaf).digest(), np.uint8)
    return found


def merkle_root(leaves: NDArray[np.uint8]) -> str:
    """Return one digest of the leaves (n, 32): pairs hashed upwards, the count bound in at the top.

    A parent is SHA-256(0x01, left, right); an odd last one moves up as it is. The root is
    SHA-256(0x02, n as 8 bytes little-endian, top), with an empty top for n = 0.
    """
    level = [leaf.tobytes() for leaf in leaves]
    while len(level) > 1:
        pairs = [b"\x01" + b"".join(level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(pair).digest() for pair in pairs] + odd
    top = b"\x02" + len(leaves).to_bytes(8, "little") + b"".join(level)
    return hashlib.sha256(top).hexdigest()
