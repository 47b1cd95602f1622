"""Who trains and who judges, and who is solved again on a finer mesh: dealt in blocks, in design order.

A member's part depends on its place, the seed and the shares alone. So a design that is continued keeps the
parts of its first members; and each whole block has exactly the shares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256

_LARGEST = 10_000  # members of a block; finer shares are rounded


def dealt(count: int, shares: Mapping[str, float], seed: int, what: str) -> list[str]:
    """Return the part of each of `count` members. Shares make 1 together; `what` keeps two deals apart."""
    size = block_size(shares)
    parts = _parts(size, shares)
    found: list[str] = []
    for block in range(-(-count // size)):
        order = sorted(range(size), key=lambda slot: _hash(f"{what}/{seed}/{block}/{slot}"))
        own = [""] * size
        for part, slot in zip(parts, order, strict=True):
            own[slot] = part
        found += own
    return found[:count]


def block_size(shares: Mapping[str, float]) -> int:
    """Return the fewest members that can have exactly these shares."""
    exact = [Fraction(repr(share)).limit_denominator(_LARGEST) for share in shares.values()]
    return min(math.lcm(*(share.denominator for share in exact)), _LARGEST)


def _parts(size: int, shares: Mapping[str, float]) -> list[str]:
    """Return the parts of a block, the first share's first: whole numbers by the largest remainder."""
    counts = {name: int(share * size + 1e-9) for name, share in shares.items()}
    rest = sorted(shares, key=lambda name: counts[name] - shares[name] * size)
    for name in rest[: size - sum(counts.values())]:
        counts[name] += 1
    return [name for name, count in counts.items() for _ in range(count)]


def refined(count: int, share: float, seed: int) -> list[int]:
    """Return the numbers of the members that are solved again on a finer mesh: at least one of them."""
    if not share or not count:
        return []
    parts = dealt(count, {"refined": share, "plain": 1 - share}, seed, "refine")
    chosen = [number for number, part in enumerate(parts) if part == "refined"]
    return chosen or [int(_hash(f"refine/{seed}"), 16) % count]


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
