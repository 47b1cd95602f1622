"""Sums that are the same to the last bit in any order: over any number of ranks, blocks and threads.

Each number is cut into two parts on fixed grids (Demmel and Nguyen, "Fast reproducible floating-point summation",
ARITH 2013); adding up parts of one grid rounds nothing, so no order can show. What is dropped lies 2^-60 below the
largest number, for a million of them.
"""

from __future__ import annotations

import math

from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat.arrays import Any3, Arrays

_BITS = 52


def largest(values: Any3, arrays: Arrays, ranks: Communicator) -> float:
    """Return the largest magnitude over all ranks; not a number if any is none."""
    own = ranks.allgather(arrays.largest(values))
    return math.nan if any(math.isnan(one) for one in own) else max(own)


def exact_sum(values: Any3, arrays: Arrays, ranks: Communicator) -> float:
    """Return the sum of float64 values over all ranks; not a number if any is not finite."""
    seen = ranks.allgather((arrays.largest(values), math.prod(values.shape)))
    top, count = max(one for one, _ in seen), sum(size for _, size in seen)
    if not all(math.isfinite(one) for one, _ in seen):
        return math.nan
    if top == 0.0:
        return 0.0
    spare = math.ceil(math.log2(count)) + 1
    exponent = math.frexp(top)[1] + spare
    first = math.ldexp(1.5, exponent)
    second = math.ldexp(1.5, exponent - _BITS - 1 + spare)
    parts = ranks.allgather(arrays.halves(values, first, second))
    return float(sum(high for high, _ in parts) + sum(low for _, low in parts))
